// The parts of a cut that is on its way, read here or on other peers. Parts that are finished are committed, some at a
// time, as segments: of a process that dies, the next one takes over what reads the same, and stores nothing again of
// the rest. The commit of the cut removes them. Parts side by side share a batch that is committed as one.
import { Mutex, Semaphore } from '../../base/async.ts';
import { emptyBytes, fromBase64, toBase64, toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { factsOf } from '../../cluster/piece-choice.ts';
import type { SharedWork, WorkContext } from '../../cluster/work-pool.ts';
import type { CutDataset } from '../../connector/cut-dataset.ts';
import type { DatasetId, PackId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { PackSet } from '../../repository/lineage/pack-set.ts';
import { CondemnedPacksError, usePacks } from '../../repository/lineage/pack-table.ts';
import type { CutPartRecord } from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import type { UsedPacks } from '../../repository/pack/blob-session.ts';
import type { PackRef } from '../../repository/pack/pack-format.ts';
import type { RepositorySession } from '../../repository/repository.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import type { TreeContext } from '../../repository/tree/tree-level.ts';
import { decodeTreePart, encodeTreePart, type TreePart } from '../../repository/tree/tree-part.ts';
import { heldReading } from '../held-reading.ts';
import type { ProgressMeter } from '../progress.ts';
import type { SourceContext } from '../source-context.ts';
import { SourceShares } from '../source-limits.ts';
import { cutPieceOrder, pieceFromText, type StoredPiece } from './cut-piece.ts';

/** What is read, of which dataset. */
export interface CutPartPlace {
  readonly dataset: DatasetId;
  /** Of `CutDataset.content`; absent: the part is not kept. */
  readonly content: string | undefined;
  readonly range: KeyRange;
  /** Estimate. */
  readonly bytes: number;
  /** Parts that could be read at the same time. */
  readonly most: number;
}

/** What the commit of a cut relies on. */
export interface CutPacks {
  readonly used: UsedPacks;
  /** Of parts that are committed already. */
  readonly kept: PackSet;
}

interface Batch {
  /** Of what is stored here. */
  readonly store: RepositorySession;
  readonly parts: { readonly place: CutPartPlace; readonly part: TreePart }[];
  /** What other peers have stored of it. */
  readonly stored: UsedPacks[];
  /** Of parts that are finished or being built. */
  bytes: number;
  open: number;
}

export interface CutPartsOptions {
  readonly claim: WriterClaim;
  readonly meter: ProgressMeter;
  /** Packs that a commit was refused for: nobody may rely on them again. */
  readonly refused: Set<PackId>;
}

type Read = Pick<CutDataset, 'records' | 'described' | 'near'>;

interface Building {
  readonly work: WorkContext;
  readonly bytesPerSecond: number;
}

/** A part of fewer bytes than this share of a segment is not worth the way to another peer. */
const sharedShareMin = 1 / 64;

/** With three copies of all on more peers than that, most of them find one that is near. */
const waitingPerPlace = 4;

export class CutParts {
  readonly #context: SourceContext;
  readonly #claim: WriterClaim;
  readonly #meter: ProgressMeter;
  readonly #refused: Set<PackId>;
  /** Takes parts that are read here until it has the bytes of a segment. */
  #batch: Batch | undefined;
  /** Takes those of other peers: nothing in it is being built, so that it never waits. */
  #others: Batch | undefined;
  /** Not committed. */
  readonly #batches = new Set<Batch>();
  /** What joins parts. */
  readonly #last: RepositorySession;
  /** Parts that cannot be read elsewhere. */
  readonly #here: Semaphore;
  readonly #again = new Mutex();
  readonly #shares: SourceShares;
  #kept = PackSet.empty;

  constructor(context: SourceContext, { claim, meter, refused }: CutPartsOptions) {
    this.#context = context;
    this.#claim = claim;
    this.#meter = meter;
    this.#refused = refused;
    this.#shares = new SourceShares(context.limits);
    this.#last = context.repository.session();
    this.#here = new Semaphore(context.world.limits.workers);
  }

  /** Parts that are read at a time, on all peers together. */
  get places(): number {
    return this.#context.world.sharing.slots;
  }

  /** Parts that are asked for at a time: some wait, so that each peer finds one that is near to it. */
  get asked(): number {
    return this.places > this.#context.world.limits.workers
      ? waitingPerPlace * this.places
      : this.places;
  }

  /** How large parts should be. */
  get partBytes(): number {
    return this.#context.world.limits.segmentBytes;
  }

  /** To join parts with. */
  tree(signal: AbortSignal): TreeContext {
    return this.#last.tree(signal);
  }

  /** As an earlier attempt stored it, or built now. Errors: those of the records; `CondemnedPacksError`. */
  async part(place: CutPartPlace, read: Read, signal: AbortSignal): Promise<TreePart> {
    const stored = await this.#stored(place);
    if (stored) return stored;
    return await this.#shares.use(place.most, signal, async (bytesPerSecond) => {
      const described = this.#isShared(place) ? read.described?.(place.range) : undefined;
      if (described !== undefined) {
        return await this.#shared(place, { read, described, bytesPerSecond }, signal);
      }
      await this.#here.take();
      try {
        signal.throwIfAborted();
        return await this.#build(place, read, { work: this.#work(signal), bytesPerSecond });
      } finally {
        this.#here.give();
      }
    });
  }

  /** What other peers have stored is committed, so that it is known to all of them. */
  async keepOthers(): Promise<void> {
    const batch = this.#others;
    this.#others = undefined;
    if (batch) await this.#keep(batch);
  }

  /** Nobody is to rely on these packs from now on. */
  refuse(packs: readonly PackId[]): void {
    this.#context.repository.forget(packs);
    for (const pack of packs) this.#refused.add(pack);
  }

  /** All that is stored is durable then. */
  async finish(): Promise<CutPacks> {
    const all: UsedPacks[] = [];
    for (const batch of this.#batches) all.push(await this.#flush(batch));
    all.push(await this.#last.flush());
    this.#meter.deduplicated(this.#last.knownBytes);
    return { used: together(all), kept: this.#kept };
  }

  #isShared({ bytes }: CutPartPlace): boolean {
    const { connector, world } = this.#context;
    const isLarge = bytes >= world.limits.segmentBytes * sharedShareMin;
    return isLarge && connector.openPartReader !== undefined;
  }

  /** Read wherever there is room. */
  async #shared(
    place: CutPartPlace,
    given: { readonly read: Read; readonly described: unknown; readonly bytesPerSecond: number },
    signal: AbortSignal,
  ): Promise<TreePart> {
    const { world, lineage, repository, pace } = this.#context;
    const { read, described, bytesPerSecond } = given;
    const refused = [...this.#refused];
    const source = lineage.name;
    const near = read.near?.(place.range);
    const work: SharedWork<TreePart | string> = {
      ...(near && { facts: factsOf(near, place.bytes) }),
      order: () =>
        cutPieceOrder({ source, described, bytesPerSecond, refused, pace: pace?.share ?? 1 }),
      here: (own) => this.#build(place, read, { work: own, bytesPerSecond }),
      decode: async (result) => {
        const piece = await pieceFromText(result, repository.source);
        return typeof piece === 'string'
          ? piece
          : await this.#take(place, await repository.seen(piece));
      },
      progress: (records, bytes) => {
        // Its files are read, wherever that is: the next order says how the source bears it.
        pace?.look(signal);
        this.#note(records, bytes);
      },
    };
    const part = await world.sharing.run(work, signal);
    if (typeof part !== 'string') return part;
    // A replica is given up only for what was seen here: the other peer may see a wrong file, or have a bad disk.
    const { dataset } = place;
    world.log.warn(
      { dataset, error: part },
      'a part that another peer could not read is read here',
    );
    const here = { work: this.#work(signal), bytesPerSecond };
    return await this.#again.run(() => this.#build(place, read, here));
  }

  #work(signal: AbortSignal): WorkContext {
    return { signal, progress: (records, bytes) => this.#note(records, bytes) };
  }

  #note(records: number, bytes: number): void {
    this.#meter.add(records, bytes, this.#context.pace?.note);
  }

  /** Reads and stores it here. */
  async #build(place: CutPartPlace, read: Read, building: Building): Promise<TreePart> {
    const { signal } = building.work;
    const batch = this.#open(place.bytes);
    let part: TreePart;
    try {
      const records = heldReading(read.records(signal, place.range), this.#context, building);
      part = await buildRange(records, batch.store.tree(signal));
      batch.parts.push({ place, part });
    } finally {
      batch.open -= 1;
    }
    batch.bytes += Math.max(0, part.bytes - place.bytes);
    this.#close(batch);
    if (this.#isDue(batch)) await this.#keep(batch);
    return part;
  }

  /** Of another peer. */
  async #take(place: CutPartPlace, { part, used, knownBytes }: StoredPiece): Promise<TreePart> {
    this.#others ??= this.#batchOf();
    const batch = this.#others;
    batch.parts.push({ place, part });
    batch.stored.push(used);
    batch.bytes += part.bytes;
    this.#meter.deduplicated(knownBytes);
    if (batch.bytes >= this.partBytes && place.content !== undefined) await this.keepOthers();
    return part;
  }

  #batchOf(): Batch {
    const store = this.#context.repository.session();
    const batch: Batch = { store, parts: [], stored: [], bytes: 0, open: 0 };
    this.#batches.add(batch);
    return batch;
  }

  #open(bytes: number): Batch {
    this.#batch ??= this.#batchOf();
    const batch = this.#batch;
    batch.bytes += bytes;
    batch.open += 1;
    this.#close(batch);
    return batch;
  }

  /** A batch that is large enough takes no more parts. */
  #close(batch: Batch): void {
    if (batch !== this.#batch) return;
    if (batch.bytes >= this.partBytes) this.#batch = undefined;
  }

  /** Full, and finished. */
  #isDue(batch: Batch): boolean {
    const isOpen = batch === this.#batch || batch.open > 0;
    return !isOpen && batch.parts.some(({ place }) => place.content !== undefined);
  }

  async #stored({ dataset, content, range }: CutPartPlace): Promise<TreePart | undefined> {
    const { lineage, repository, world } = this.#context;
    const key = `segment/${dataset}/${toHex(range.from ?? emptyBytes)}`;
    const record = lineage.state.get<CutPartRecord>(key);
    const to = range.to && toBase64(range.to);
    if (!record || record.content !== content || record.to !== to) return undefined;
    try {
      const part = await decodeTreePart(fromBase64(record.part), repository.source);
      this.#kept = this.#kept.union(PackSet.parse(record.packs));
      this.#meter.add(part.records, part.bytes);
      return part;
    } catch (error) {
      if (!isCodrError(error, 'object-missing') && !isCodrError(error, 'object-damaged'))
        throw error;
      world.log.warn({ dataset, error: error.message }, 'a part is read again');
      return undefined;
    }
  }

  async #keep(batch: Batch): Promise<void> {
    this.#batches.delete(batch);
    const { lineage, repository } = this.#context;
    const { store } = batch;
    const records: [key: string, Omit<CutPartRecord, 'packs'>][] = [];
    for (const { place, part } of batch.parts) {
      const { dataset, content, range } = place;
      if (content === undefined) continue;
      const record = {
        ...(range.to && { to: toBase64(range.to) }),
        content,
        records: part.records,
        bytes: part.bytes,
        part: toBase64(await encodeTreePart(part, store.sink)),
      };
      records.push([`${dataset}/${toHex(range.from ?? emptyBytes)}`, record]);
    }
    const used = await this.#flush(batch);
    let packs = PackSet.empty;
    try {
      await lineage.commit((draft): undefined => {
        this.#claim.check(draft);
        packs = usePacks(draft, used);
        for (const { place } of batch.parts) dropOthers(draft, place);
        for (const [rest, record] of records) {
          draft.set(`segment/${rest}`, { ...record, packs: String(packs) } satisfies CutPartRecord);
        }
      });
    } catch (error) {
      if (error instanceof CondemnedPacksError) this.refuse(error.packs);
      throw error;
    }
    repository.committed(used);
    this.#kept = this.#kept.union(packs);
  }

  /** What a commit of the batch relies on. */
  async #flush({ store, stored }: Batch): Promise<UsedPacks> {
    const used = await store.flush();
    this.#meter.deduplicated(store.knownBytes);
    return together([used, ...stored]);
  }
}

/** Parts are of no use to anybody once the cut is there. */
export function dropParts(draft: Draft): void {
  for (const rest of [...draft.keys('segment')]) draft.set(`segment/${rest}`, null);
}

/** Parts of what the dataset held at an earlier attempt: its packs are known, the parts fit no more. */
function dropOthers(draft: Draft, { dataset, content }: CutPartPlace): void {
  for (const rest of [...draft.keys('segment', `${dataset}/`)]) {
    const record = draft.get<CutPartRecord>(`segment/${rest}`);
    if (record?.content !== content) draft.set(`segment/${rest}`, null);
  }
}

function together(all: readonly UsedPacks[]): UsedPacks {
  return {
    newPacks: once(all.flatMap(({ newPacks }) => newPacks)),
    reusedPacks: once(all.flatMap(({ reusedPacks }) => reusedPacks)),
  };
}

function once(packs: readonly PackRef[]): PackRef[] {
  return [...new Map(packs.map((pack) => [pack.id, pack])).values()];
}
