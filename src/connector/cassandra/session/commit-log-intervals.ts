// Spans of one host's commit log: what an SSTable's Statistics.db says of where its flushed rows came from.
// Compaction joins the spans of its inputs, so a file whose spans lie within those of captured files holds
// nothing new of what was flushed; streamed rows leave no span (MetadataCollector, StatsMetadata of 4.0 to 5.0).
import { crc32 } from 'node:zlib';
import { parseMarshal } from '../type/marshal-name.ts';
import { fixedValueLength } from '../type/value-layout.ts';

/** Segment id (ms since 1970 at its base: exact as a double) and byte position within. */
export interface LogPosition {
  readonly segment: number;
  readonly position: number;
}

/** [segment, position] of start, then of end. JSON-safe. */
export type LogInterval = [number, number, number, number];

export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.position - b.position;
}

const startOf = ([segment, position]: LogInterval): LogPosition => ({ segment, position });
const endOf = ([, , segment, position]: LogInterval): LogPosition => ({ segment, position });

/** Ascending, without overlap; spans that touch are joined: a flush begins where the one before ended. */
export function joinIntervals(intervals: Iterable<LogInterval>): LogInterval[] {
  const sorted = [...intervals].sort((a, b) => comparePositions(startOf(a), startOf(b)));
  const joined: LogInterval[] = [];
  for (const next of sorted) {
    const last = joined.at(-1);
    if (!last || comparePositions(startOf(next), endOf(last)) > 0) joined.push(next);
    else if (comparePositions(endOf(next), endOf(last)) > 0) {
      joined[joined.length - 1] = [last[0], last[1], next[2], next[3]];
    }
  }
  return joined;
}

/** True when every span of `inner`, of which there is at least one, lies within one of `outer` (joined). */
export function liesWithin(inner: readonly LogInterval[], outer: readonly LogInterval[]): boolean {
  const holds = (one: LogInterval): boolean =>
    outer.some(
      (span) =>
        comparePositions(startOf(span), startOf(one)) <= 0 &&
        comparePositions(endOf(one), endOf(span)) <= 0,
    );
  return inner.length > 0 && inner.every(holds);
}

/** True when there are spans and all of them end at or before the position. */
export function endsBy(intervals: readonly LogInterval[], position: LogPosition): boolean {
  return (
    intervals.length > 0 &&
    intervals.every((interval) => comparePositions(endOf(interval), position) <= 0)
  );
}

/**
 * The spans in the STATS component of a Statistics.db of version `na` or later; undefined when the file is
 * not understood or damaged, which proves nothing.
 */
export function readIntervals(version: string, bytes: Uint8Array): LogInterval[] | undefined {
  try {
    const stats = statsComponent(bytes);
    return stats && new StatsReader(stats, !/^[mn]/.test(version)).intervals();
  } catch (error) {
    if (error instanceof RangeError || error instanceof Error) return undefined;
    throw error;
  }
}

const statsType = 2;

/** `int32 count, CRC, count × (int32 type, int32 offset), CRC`, then components with a CRC each. */
function statsComponent(bytes: Uint8Array): Buffer | undefined {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = all.readInt32BE(0);
  for (let i = 0; i < count; i++) {
    if (all.readInt32BE(8 + 8 * i) !== statsType) continue;
    const from = all.readInt32BE(12 + 8 * i);
    const next = i + 1 < count ? all.readInt32BE(20 + 8 * i) : all.length;
    const body = all.subarray(from, next - 4);
    return crc32(body) === all.readUInt32BE(next - 4) ? body : undefined;
  }
  return undefined;
}

class StatsReader {
  readonly #bytes: Buffer;
  /** `oa`, and `da` with the same statistics. */
  readonly #isOa: boolean;
  #at = 0;

  constructor(bytes: Buffer, isOa: boolean) {
    this.#bytes = bytes;
    this.#isOa = isOa;
  }

  intervals(): LogInterval[] {
    this.#at += 4 + 16 * this.#peek();
    this.#at += 4 + 16 * this.#peek();
    // Upper position, timestamps, deletion times, TTLs, compression ratio.
    this.#at += 12 + 16 + 8 + 8 + 8;
    // Tombstone histogram: its size twice; the second counts.
    this.#at += 4;
    this.#at += 4 + (this.#isOa ? 12 : 16) * this.#peek();
    // Level, repairedAt.
    this.#at += 12;
    if (this.#isOa) this.#skipSlice();
    else for (let end = 0; end < 2; end++) this.#skipValues();
    // Legacy counter shards, columns, rows, lower position.
    this.#at += 1 + 8 + 8 + 12;
    const count = this.#peek();
    this.#at += 4;
    const found: LogInterval[] = [];
    for (let i = 0; i < count; i++) {
      found.push([this.#segment(), this.#int(), this.#segment(), this.#int()]);
    }
    return found;
  }

  #skipValues(): void {
    const count = this.#peek();
    this.#at += 4;
    for (let i = 0; i < count; i++) this.#at += 2 + this.#bytes.readUInt16BE(this.#at);
  }

  /** Types of the clustering, then two bounds: kind, count, values as in Data.db. */
  #skipSlice(): void {
    const lengths: number[] = [];
    const types = this.#vint();
    for (let i = 0; i < types; i++) {
      const length = this.#vint();
      const name = this.#bytes.toString('utf8', this.#at, this.#at + length);
      this.#at += length;
      lengths.push(fixedValueLength(parseMarshal(name)));
    }
    for (let bound = 0; bound < 2; bound++) {
      const count = this.#bytes.readUInt16BE(this.#at + 1);
      this.#at += 3;
      for (let first = 0; first < count; first += 32) this.#skipBlock(lengths, first, count);
    }
  }

  #skipBlock(lengths: readonly number[], first: number, count: number): void {
    let header = this.#bigVint();
    for (let i = first; i < Math.min(first + 32, count); i++, header >>= 2n) {
      if ((header & 3n) !== 0n) continue;
      const fixed = lengths[i] ?? -1;
      const length = fixed >= 0 ? fixed : this.#vint();
      this.#at += length;
    }
  }

  #peek(): number {
    return this.#bytes.readInt32BE(this.#at);
  }

  #int(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  #segment(): number {
    this.#at += 8;
    const segment = Number(this.#bytes.readBigInt64BE(this.#at - 8));
    if (!Number.isSafeInteger(segment)) throw new RangeError('a segment id past 2^53');
    return segment;
  }

  #vint(): number {
    return Number(this.#bigVint());
  }

  /** Leading ones of the first byte count the bytes that follow. */
  #bigVint(): bigint {
    const first = this.#bytes.readUInt8(this.#at++);
    const extra = Math.clz32(~(first << 24));
    let value = BigInt(extra >= 8 ? 0 : first & (0xff >> extra));
    for (let i = 0; i < extra; i++)
      value = (value << 8n) | BigInt(this.#bytes.readUInt8(this.#at++));
    return value;
  }
}
