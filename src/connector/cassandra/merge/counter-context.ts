// Counter contexts: what a counter cell holds, a shard (clock, count) per node that counted. Merged by shard, the
// result laid out as Cassandra does (db/context/CounterContext.java of 2.1 and later):
//   i16 entries ‖ i16 per global shard (index − 0x8000) or local one (index) ‖ shards of 32 bytes by counter id
// Local and remote shards are remains of clusters older than 2.1.

const idBytes = 16;
const shardBytes = 32;
const kinds = { remote: 0, local: 1, global: 2 } as const;

/** Merges into memory of its own; not for several merges at once. */
export class CounterMerger {
  /** The result is `bytes[0, length)`, valid until `start`. */
  bytes: Buffer = Buffer.alloc(256);
  length = 0;
  #spare: Buffer = Buffer.alloc(256);

  /** Begins with a first context. */
  start(context: Uint8Array, from: number, to: number): void {
    if (this.bytes.length < to - from) this.bytes = Buffer.alloc(2 * (to - from));
    this.bytes.set(context.subarray(from, to), 0);
    this.length = to - from;
  }

  /** Merges one more in. */
  add(context: Uint8Array, from: number, to: number): void {
    const left = shardsOf(this.bytes, 0, this.length);
    const right = shardsOf(context, from, to);
    const merged: Shard[] = [];
    for (let l = 0, r = 0; l < left.length || r < right.length; ) {
      const a = left[l];
      const b = right[r];
      const order = a === undefined ? 1 : b === undefined ? -1 : compareIds(a, b);
      if (order < 0) merged.push(left[l++] as Shard);
      else if (order > 0) merged.push(right[r++] as Shard);
      else merged.push(mergeShards(left[l++] as Shard, right[r++] as Shard));
    }
    this.#write(merged);
  }

  #write(shards: readonly Shard[]): void {
    const entries = shards.filter(({ kind }) => kind !== kinds.remote).length;
    const length = 2 + 2 * entries + shardBytes * shards.length;
    let out = this.#spare;
    if (out.length < length) out = Buffer.alloc(2 * length);
    let header = out.writeInt16BE(entries, 0);
    let at = 2 + 2 * entries;
    shards.forEach(({ bytes, at: from, kind, sum }, index) => {
      if (kind === kinds.global) header = out.writeInt16BE(index - 0x8000, header);
      if (kind === kinds.local) header = out.writeInt16BE(index, header);
      out.set(bytes.subarray(from, from + shardBytes), at);
      if (sum !== undefined) {
        out.writeBigInt64BE(sum.clock, at + idBytes);
        out.writeBigInt64BE(sum.count, at + idBytes + 8);
      }
      at += shardBytes;
    });
    this.#spare = this.bytes;
    this.bytes = out;
    this.length = length;
  }
}

/** Counters are rare and small: here objects and 64-bit integers are in order. */
interface Shard {
  readonly bytes: Buffer;
  readonly at: number;
  readonly kind: number;
  /** Set for a sum of two local shards. */
  readonly sum?: { readonly clock: bigint; readonly count: bigint };
}

function shardsOf(context: Uint8Array, from: number, to: number): Shard[] {
  const shards: Shard[] = [];
  // A counter never is without a context; an empty one holds no shards.
  if (to - from < 2) return shards;
  const bytes = Buffer.from(context.buffer, context.byteOffset, context.byteLength);
  const entries = Math.abs(bytes.readInt16BE(from));
  const globals = new Set<number>();
  const locals = new Set<number>();
  for (let i = 0; i < entries; i++) {
    const entry = bytes.readInt16BE(from + 2 + 2 * i);
    if (entry < 0) globals.add(entry + 0x8000);
    else locals.add(entry);
  }
  let index = 0;
  for (let at = from + 2 + 2 * entries; at + shardBytes <= to; at += shardBytes) {
    const kind = globals.has(index) ? kinds.global : locals.has(index) ? kinds.local : kinds.remote;
    shards.push({ bytes, at, kind });
    index++;
  }
  return shards;
}

function compareIds(a: Shard, b: Shard): number {
  return a.bytes.compare(b.bytes, b.at, b.at + idBytes, a.at, a.at + idBytes);
}

function clockOf({ bytes, at, sum }: Shard): bigint {
  return sum?.clock ?? bytes.readBigInt64BE(at + idBytes);
}

function countOf({ bytes, at, sum }: Shard): bigint {
  return sum?.count ?? bytes.readBigInt64BE(at + idBytes + 8);
}

/** Global beats local beats remote; local ones add up; else the higher clock, at a tie the higher count. */
function mergeShards(a: Shard, b: Shard): Shard {
  if (a.kind !== b.kind) return a.kind > b.kind ? a : b;
  if (a.kind === kinds.local) {
    const clock = BigInt.asIntN(64, clockOf(a) + clockOf(b));
    const count = BigInt.asIntN(64, countOf(a) + countOf(b));
    return { ...a, sum: { clock, count } };
  }
  const difference = clockOf(a) - clockOf(b) || countOf(a) - countOf(b);
  return difference >= 0n ? a : b;
}
