// What every replica is asked for in the proof: some rows of the stream that the target must hold, and the rows behind
// each, chosen for each node by a hash of seed and key. So ranges may stream side by side in any order and a run that is
// repeated asks the same. Memory is bounded, whatever the table has.
import { assert } from '../../../base/assert.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import { blockOf } from '../../../model/record-block.ts';
import { rawPartitionKey } from '../key/record-key.ts';
import { PartitionTracker, recordKinds } from '../record/record-key.ts';
import type { Replication } from '../session/replica-placement.ts';
import type { Ring } from '../session/ring.ts';
import { type OwnersOf, recordOwners } from './record-owners.ts';

/** Windows of rows that each replica is asked for: a point, a slice and the slice reversed are three reads. */
export const windowsPerReplica = 8;
/** Rows of a slice. */
const windowRows = 6;
const hashBound = 2 ** 32;
/** Of all windows of a table together. */
const sampleBytesMax = 32 * 1024 * 1024;

/** Rows of one partition that follow each other. */
export interface SampledWindow {
  /** As the table's files have it. */
  readonly partitionKey: Uint8Array;
  /** The record of its static row. */
  readonly staticRow: DataRecord | undefined;
  /** Records of rows; none: the static row alone was chosen. */
  readonly rows: readonly DataRecord[];
}

/** A window, and the nodes that are to be asked for it. */
export interface KeptWindow {
  readonly window: SampledWindow;
  readonly hash: number;
  /** Host ids of owners. */
  readonly own: readonly string[];
  /** Of those that are its first owners. */
  readonly first: readonly string[];
}

export interface SampleOptions {
  readonly ring: Pick<Ring, 'nodes' | 'partitioner'>;
  readonly replication: Replication;
  readonly seed: number;
  /** Of those that are asked. */
  readonly hostIds: readonly string[];
}

export class ProofSample {
  readonly #options: SampleOptions;
  readonly #bytesMax: number;
  readonly #own: ReadonlyMap<string, Smallest>;
  /** Of what a node is the first replica of: coordinators that do not prefer themselves ask that one. */
  readonly #first: ReadonlyMap<string, Smallest>;
  /** Rows that were too large to be chosen. */
  passedOver = 0;
  /** By owners, which are one array for each range of the ring, and the first of them. */
  readonly #lists = new Map<readonly string[], Map<string | undefined, Lists>>();

  constructor(options: SampleOptions) {
    this.#options = options;
    const { hostIds } = options;
    const count = 2 * windowsPerReplica * Math.max(1, hostIds.length);
    this.#bytesMax = Math.floor(sampleBytesMax / count);
    const lists = () => new Map(hostIds.map((hostId) => [hostId, new Smallest()]));
    this.#own = lists();
    this.#first = lists();
  }

  /** Passes the records on; the streams of several ranges may run side by side. */
  async *watch(records: RecordStream): RecordStream {
    const range = new RangeSample(this.#options, {
      bytesMax: this.#bytesMax,
      listsAt: (owners, first) => this.#listsAt(owners, first),
      passOver: () => {
        this.passedOver++;
      },
    });
    for await (const batch of records) {
      const { bytes, bounds, count } = blockOf(batch);
      for (let i = 0; i < count; i++) {
        const middle = bounds[2 * i + 1] as number;
        range.take(bytes, bounds[2 * i] as number, middle, bounds[2 * i + 2] as number);
      }
      yield batch;
    }
  }

  /** All that is kept, each window once. */
  kept(): KeptWindow[] {
    const found = new Map<SampledWindow, KeptWindow & { own: string[]; first: string[] }>();
    for (const part of ['own', 'first'] as const) {
      for (const [hostId, { held }] of part === 'own' ? this.#own : this.#first) {
        for (const { hash, window } of held) {
          const one = found.get(window) ?? { window, hash, own: [], first: [] };
          found.set(window, one);
          one[part].push(hostId);
        }
      }
    }
    return [...found.values()];
  }

  /** What another process kept of a range that nobody watched here. */
  adopt(kept: readonly KeptWindow[], passedOver: number): void {
    this.passedOver += passedOver;
    for (const { window, hash, own, first } of kept) {
      for (const hostId of own) this.#own.get(hostId)?.add(hash, window);
      for (const hostId of first) this.#first.get(hostId)?.add(hash, window);
    }
  }

  /** Of what the node owns, and of what it is the first owner of and not among those. */
  windowsOf(hostId: string): {
    readonly own: readonly SampledWindow[];
    readonly first: readonly SampledWindow[];
  } {
    const own = this.#own.get(hostId)?.windows ?? [];
    const first = this.#first.get(hostId)?.windows ?? [];
    return { own, first: first.filter((one) => !own.includes(one)) };
  }

  #listsAt(owners: readonly string[], first: string | undefined): Lists {
    const byFirst = this.#lists.get(owners) ?? new Map<string | undefined, Lists>();
    this.#lists.set(owners, byFirst);
    const known = byFirst.get(first);
    if (known) return known;
    const all = owners.map((hostId) => this.#own.get(hostId));
    if (first !== undefined && owners.includes(first)) all.push(this.#first.get(first));
    const lists = new Lists(all.filter((one) => one !== undefined));
    byFirst.set(first, lists);
    return lists;
  }
}

interface RangeOptions {
  readonly bytesMax: number;
  /** `first`: who has the token, owner or not. */
  listsAt(owners: readonly string[], first: string | undefined): Lists;
  passOver(): void;
}

interface OpenWindow extends SampledWindow {
  readonly rows: DataRecord[];
  bytes: number;
}

/** One range's records, ascending; it begins and ends with whole partitions. */
class RangeSample {
  readonly #options: RangeOptions;
  readonly #seed: number;
  readonly #tracker = new PartitionTracker();
  readonly #ownersOf: OwnersOf;
  readonly #firstOf: OwnersOf;
  #lists: Lists = new Lists([]);
  #rawKey: Uint8Array | undefined;
  #staticRow: DataRecord | undefined;
  #open: OpenWindow[] = [];

  constructor({ ring, replication, seed }: SampleOptions, options: RangeOptions) {
    this.#options = options;
    this.#seed = seed;
    this.#ownersOf = recordOwners(ring, replication);
    // Whoever has the token is the first of all strategies, where its data centre has copies at all.
    this.#firstOf = recordOwners(ring, { class: 'SimpleStrategy', replication_factor: '1' });
  }

  /** Key `bytes[start, middle)`, value `bytes[middle, end)`. */
  take(bytes: Uint8Array, start: number, middle: number, end: number): void {
    if (this.#tracker.enter(bytes, start, middle)) this.#begin(bytes, start, middle, end);
    const kind = this.#tracker.kind(bytes, start, middle);
    if (kind !== recordKinds.static && kind !== recordKinds.row) return;
    const isStatic = kind === recordKinds.static;
    const hash = hashOf(bytes, start, middle, this.#seed);
    const isTaken = this.#lists.takes(hash);
    if (!isStatic && !isTaken && this.#open.length === 0) return;
    const record = copyOf(bytes, start, middle, end);
    if (isStatic) {
      this.#staticRow = record;
      if (isTaken) this.#offer(record, [], hash);
      // Every row of the partition is shown with it: none of them can be asked for without.
      if (this.#isTooLarge(record)) this.#lists = nobody;
    } else {
      this.#extend(record);
      if (isTaken) this.#offer(record, [record], hash);
    }
  }

  #begin(bytes: Uint8Array, start: number, middle: number, end: number): void {
    const owners = this.#ownersOf(bytes, start, middle, end);
    const [first] = this.#firstOf(bytes, start, middle, end);
    this.#lists = this.#options.listsAt(owners, first);
    const isCut = this.#tracker.kind(bytes, start, middle) === recordKinds.partitionKey;
    this.#rawKey = isCut ? Uint8Array.from(bytes.subarray(middle, end)) : undefined;
    this.#staticRow = undefined;
    this.#open = [];
  }

  #extend(record: DataRecord): void {
    if (this.#open.length === 0) return;
    const bytes = sizeOf(record);
    const { bytesMax } = this.#options;
    // A slice has no gap: where a row does not fit, it ends.
    this.#open = this.#open.filter(
      (one) => one.rows.length < windowRows && one.bytes + bytes <= bytesMax,
    );
    for (const one of this.#open) {
      one.rows.push(record);
      one.bytes += bytes;
    }
  }

  #offer(record: DataRecord, rows: DataRecord[], hash: number): void {
    if (this.#isTooLarge(record)) {
      this.#options.passOver();
      return;
    }
    const raw = this.#rawKey ?? rawPartitionKey(this.#tracker.partition);
    assert(raw, 'a partition whose key is cut begins with it');
    const window: OpenWindow = {
      partitionKey: raw,
      staticRow: this.#staticRow,
      rows,
      bytes: sizeOf(record),
    };
    if (rows.length > 0) this.#open.push(window);
    this.#lists.add(hash, window);
  }

  #isTooLarge(record: DataRecord): boolean {
    return sizeOf(record) > this.#options.bytesMax;
  }
}

/** Of all nodes that may be asked for a partition. */
class Lists {
  readonly #all: readonly Smallest[];

  constructor(all: readonly Smallest[]) {
    this.#all = all;
  }

  takes(hash: number): boolean {
    for (const { limit } of this.#all) if (hash < limit) return true;
    return false;
  }

  add(hash: number, window: SampledWindow): void {
    for (const list of this.#all) list.add(hash, window);
  }
}

/** The windows with the smallest hashes. */
class Smallest {
  /** Only smaller hashes are taken. */
  limit = hashBound;
  readonly held: { readonly hash: number; readonly window: SampledWindow }[] = [];

  get windows(): SampledWindow[] {
    return this.held.map(({ window }) => window);
  }

  add(hash: number, window: SampledWindow): void {
    if (hash >= this.limit) return;
    if (this.held.some((one) => one.hash === hash)) return;
    const at = this.held.findIndex((one) => one.hash > hash);
    this.held.splice(at < 0 ? this.held.length : at, 0, { hash, window });
    if (this.held.length > windowsPerReplica) this.held.pop();
    if (this.held.length === windowsPerReplica) this.limit = this.held.at(-1)?.hash as number;
  }
}

const nobody = new Lists([]);

const sizeOf = ({ key, value }: DataRecord): number => key.length + value.length;

/** What is kept must not keep its block. */
function copyOf(bytes: Uint8Array, start: number, middle: number, end: number): DataRecord {
  return {
    key: Uint8Array.from(bytes.subarray(start, middle)),
    value: Uint8Array.from(bytes.subarray(middle, end)),
  };
}

/** 32 bits that every byte has a part in; not for adversaries. */
function hashOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0;
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A seed for a table, the same for all runs of an operation. */
export function seedOf(...parts: readonly string[]): number {
  const text = Buffer.from(parts.join('\0'));
  return hashOf(text, 0, text.length, 0x811c9dc5);
}
