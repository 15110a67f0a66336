// The parts of a cut that is on its way. Parts that are finished are committed, some at a time, as segments: of a
// process that dies, the next one takes over what reads the same, and stores nothing again of the rest. The commit
// of the cut removes them. Parts side by side share a batch: a session of the repository that is committed as one.
import { emptyBytes, fromBase64, toBase64, toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { DatasetId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { RecordStream } from '../../model/record.ts';
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
import type { ProgressMeter } from '../progress.ts';
import type { SourceContext } from '../source-context.ts';

/** What is read, of which dataset. */
export interface CutPartPlace {
  readonly dataset: DatasetId;
  /** Of `CutDataset.content`; absent: the part is not kept. */
  readonly content: string | undefined;
  readonly range: KeyRange;
  /** Estimate. */
  readonly bytes: number;
}

/** What the commit of a cut relies on. */
export interface CutPacks {
  readonly used: UsedPacks;
  /** Of parts that are committed already. */
  readonly kept: PackSet;
}

interface Batch {
  readonly store: RepositorySession;
  readonly parts: { readonly place: CutPartPlace; readonly part: TreePart }[];
  /** Of parts that are finished or being built. */
  bytes: number;
  open: number;
}

export class CutParts {
  readonly #context: SourceContext;
  readonly #claim: WriterClaim;
  readonly #meter: ProgressMeter;
  /** Takes parts until it has the bytes of a segment. */
  #batch: Batch | undefined;
  /** Not committed. */
  readonly #batches = new Set<Batch>();
  /** What joins parts. */
  readonly #last: RepositorySession;
  #kept = PackSet.empty;

  constructor(
    context: SourceContext,
    { claim, meter }: { readonly claim: WriterClaim; readonly meter: ProgressMeter },
  ) {
    this.#context = context;
    this.#claim = claim;
    this.#meter = meter;
    this.#last = context.repository.session();
  }

  /** To join parts with. */
  tree(signal: AbortSignal): TreeContext {
    return this.#last.tree(signal);
  }

  /** As an earlier attempt stored it, or built now. Errors: those of the records; `CondemnedPacksError`. */
  async part(
    place: CutPartPlace,
    records: () => RecordStream,
    signal: AbortSignal,
  ): Promise<TreePart> {
    const stored = await this.#stored(place);
    if (stored) return stored;
    const batch = this.#take(place.bytes);
    let part: TreePart;
    try {
      part = await buildRange(records(), batch.store.tree(signal));
      batch.parts.push({ place, part });
    } finally {
      batch.open -= 1;
    }
    batch.bytes += Math.max(0, part.bytes - place.bytes);
    this.#close(batch);
    if (this.#isDue(batch)) await this.#keep(batch);
    return part;
  }

  /** All that is stored is durable then. */
  async finish(): Promise<CutPacks> {
    const stores = [...[...this.#batches].map(({ store }) => store), this.#last];
    const all: UsedPacks[] = [];
    for (const store of stores) {
      all.push(await store.flush());
      this.#meter.deduplicated(store.knownBytes);
    }
    const used = {
      newPacks: once(all.flatMap(({ newPacks }) => newPacks)),
      reusedPacks: once(all.flatMap(({ reusedPacks }) => reusedPacks)),
    };
    return { used, kept: this.#kept };
  }

  #take(bytes: number): Batch {
    const store = (): RepositorySession => this.#context.repository.session();
    this.#batch ??= { store: store(), parts: [], bytes: 0, open: 0 };
    const batch = this.#batch;
    this.#batches.add(batch);
    batch.bytes += bytes;
    batch.open += 1;
    this.#close(batch);
    return batch;
  }

  /** A batch that is large enough takes no more parts. */
  #close(batch: Batch): void {
    if (batch !== this.#batch) return;
    if (batch.bytes >= this.#context.world.limits.segmentBytes) this.#batch = undefined;
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
    const used = await store.flush();
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
      if (error instanceof CondemnedPacksError) repository.forget(error.packs);
      throw error;
    }
    repository.committed(used);
    this.#meter.deduplicated(store.knownBytes);
    this.#kept = this.#kept.union(packs);
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

function once(packs: readonly PackRef[]): PackRef[] {
  return [...new Map(packs.map((pack) => [pack.id, pack])).values()];
}
