// Spans of one host's commit log: what an SSTable's Statistics.db says of where its flushed rows came from.
// Compaction joins the spans of its inputs, so a file whose spans lie within those of captured files holds
// nothing new of what was flushed; streamed rows leave no span (MetadataCollector, StatsMetadata of 4.0 to 5.0).
import { crc32 } from 'node:zlib';
import { readStats, type SstableStats } from '../sstable/statistics-stats.ts';
import { ByteCursor } from '../sstable/vint.ts';

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

/**
 * True when every span of `inner`, of which there is at least one, lies within one of `outer` (joined). An empty
 * span holds no place in the log, so it is within none: what was written past the log leaves such spans.
 */
export function liesWithin(inner: readonly LogInterval[], outer: readonly LogInterval[]): boolean {
  const holds = (one: LogInterval): boolean =>
    comparePositions(startOf(one), endOf(one)) < 0 &&
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

/** What the statistics of a file say of where its rows came from, and of how old its deletions are. */
export interface FileProof {
  readonly intervals: readonly LogInterval[];
  /**
   * No deletion in the file is older, by its local deletion time in seconds, and no expiring value was written
   * with a time to live so long ago: the least deletion time or expiry less the longest time to live.
   */
  readonly floorSeconds: number;
  readonly rows: number;
}

/** The largest local deletion time of `n*` files; what is beyond was damaged by CASSANDRA-14092. */
const legacyTimeMax = 0x7fffffff;

/**
 * By the STATS component of a Statistics.db of version `na` or later; undefined when the file is not understood
 * or damaged, which proves nothing. A file that came from another host keeps the spans of that host's commit log,
 * which say nothing here: they are left out, as are those of a file that does not say whose they are.
 */
export function readProof(
  version: string,
  bytes: Uint8Array,
  hostId: string,
): FileProof | undefined {
  try {
    const part = statsComponent(bytes);
    const stats = part && readStats(new ByteCursor(part), version);
    if (!stats) return undefined;
    const { minLocalDeletionTime, maxTtl, commitLogIntervals, originatingHostId, rows } = stats;
    const isBroken = version.startsWith('n') && minLocalDeletionTime > legacyTimeMax;
    const floorSeconds = isBroken ? Number.MIN_SAFE_INTEGER : minLocalDeletionTime - maxTtl;
    const intervals = originatingHostId === hostId ? commitLogIntervals.map(spanOf) : [];
    return { intervals, floorSeconds, rows };
  } catch (error) {
    if (error instanceof RangeError || error instanceof Error) return undefined;
    throw error;
  }
}

function spanOf({ start, end }: SstableStats['commitLogIntervals'][number]): LogInterval {
  return [exact(start.segment), start.position, exact(end.segment), end.position];
}

function exact(segment: bigint): number {
  const number = Number(segment);
  if (!Number.isSafeInteger(number)) throw new RangeError('a segment id past 2^53');
  return number;
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
