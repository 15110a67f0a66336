// Encodes pieces of one level, hands them to the sink in batches, and delivers the entries that stand for
// them one level up, in order. Holds at most `putsInFlightMax` batches that the sink has not named yet.
import { assert } from '../../base/assert.ts';
import { compareBytes } from '../../base/bytes.ts';
import type { LeafId } from '../../model/id.ts';
import type { Keyed } from '../leaf/cut-hashing.ts';
import { encodedBytesMax } from '../leaf/leaf-codec.ts';
import type { NodeEntry } from './node-codec.ts';
import type { Span } from './run-cutter.ts';
import type { TreeContext, TreeLevel } from './tree-level.ts';

/** Blobs of one `put` hold at most this many bytes, or are one blob: one frame. */
export const putBytes = 256 * 1024;
const putsInFlightDefault = 4;

/** What an entry says of its child, before the child has a name. */
type UnnamedEntry = Omit<NodeEntry, 'id'>;

interface Put {
  readonly ids: Promise<LeafId[]>;
  readonly entries: readonly UnnamedEntry[];
}

/** Takes entries in order. */
export type EntryConsumer = (entries: readonly NodeEntry[]) => Promise<void>;

export class BlobWriter<I extends Keyed> {
  readonly #level: TreeLevel<I>;
  readonly #context: TreeContext;
  readonly #deliver: EntryConsumer;
  readonly #inFlight: Put[] = [];
  #slab = Buffer.alloc(0);
  #used = 0;
  #blobs: Uint8Array[] = [];
  #entries: UnnamedEntry[] = [];
  #lastKey: Uint8Array | undefined;

  constructor(level: TreeLevel<I>, context: TreeContext, deliver: EntryConsumer) {
    this.#level = level;
    this.#context = context;
    this.#deliver = deliver;
  }

  /** True when {@link settle} should be awaited before more is added. */
  get full(): boolean {
    return this.#inFlight.length >= (this.#context.putsInFlightMax ?? putsInFlightDefault);
  }

  /** Encodes one leaf or node: `items[from..to)`, whose cut lengths sum up to `cutBytes`. */
  add(items: readonly I[], { from, to }: Span, cutBytes: number): void {
    const level = this.#level;
    this.#checkOrder(items, from, to);
    const needed = encodedBytesMax(to - from, cutBytes);
    if (this.#used + needed > this.#slab.length) this.#openSlab(needed);
    const end = level.encode(this.#slab, this.#used, items, from, to);
    this.#blobs.push(this.#slab.subarray(this.#used, end));
    this.#used = end;
    let records = 0;
    let bytes = 0;
    for (let i = from; i < to; i++) {
      records += level.recordsOf(items[i]!);
      bytes += level.bytesOf(items[i]!);
    }
    this.#entries.push({ key: Buffer.from(items[from]?.key ?? []), records, bytes });
  }

  /** Waits until there is room again, and delivers what got its name. */
  async settle(): Promise<void> {
    while (this.full) await this.#deliverOldest();
  }

  /** Puts what is left and delivers everything. */
  async finish(): Promise<void> {
    this.#put();
    while (this.#inFlight.length > 0) await this.#deliverOldest();
  }

  /** Inside a piece the codec checks the order; this is the check between pieces. */
  #checkOrder(items: readonly I[], from: number, to: number): void {
    if (from === to) return;
    const ascends = !this.#lastKey || compareBytes(this.#lastKey, items[from]!.key) < 0;
    assert(ascends, 'keys of a dataset are not empty and ascend strictly');
    this.#lastKey = items[to - 1]!.key;
  }

  #openSlab(needed: number): void {
    this.#put();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(needed, putBytes));
    this.#used = 0;
  }

  #put(): void {
    if (this.#blobs.length === 0) return;
    const slab = this.#slab.subarray(0, this.#used);
    const ids = this.#context.sink.put(this.#level.kind, this.#blobs, slab);
    // Awaited in order later; until then a failure must not count as unhandled.
    ids.catch(() => {});
    this.#inFlight.push({ ids, entries: this.#entries });
    this.#blobs = [];
    this.#entries = [];
    this.#slab = Buffer.alloc(0);
    this.#used = 0;
  }

  async #deliverOldest(): Promise<void> {
    const { ids, entries } = this.#inFlight.shift()!;
    const names = await ids;
    assert(names.length === entries.length, 'a sink names every blob it is given');
    await this.#deliver(entries.map((entry, i) => ({ ...entry, id: names[i]! })));
  }
}
