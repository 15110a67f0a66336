// Statistics.db as a server of version `nb` writes it of a flushed file: what cuts look at, and nothing more.
import { crc32 } from 'node:zlib';
import type { LogInterval } from './commit-log-intervals.ts';

export interface FakeStatistics {
  readonly intervals?: readonly LogInterval[];
  readonly rows?: number;
}

export function statisticsOf(
  hostId: string,
  { intervals = [], rows = 1 }: FakeStatistics,
): Uint8Array {
  const bytes: Buffer[] = [];
  const int = (value: number): void => {
    const one = Buffer.alloc(4);
    one.writeUInt32BE(value);
    bytes.push(one);
  };
  const long = (value: number): void => {
    const one = Buffer.alloc(8);
    one.writeBigInt64BE(BigInt(value));
    bytes.push(one);
  };
  const position = (segment: number, at: number): void => {
    long(segment);
    int(at);
  };
  // Two histograms, the old position, times, the compression ratio, a histogram of tombstones, level and repair.
  for (const value of [0, 0]) int(value);
  position(0, 0);
  for (const value of [1, 1]) long(value);
  for (const value of [0x7fffffff, 0x7fffffff, 0, 0]) int(value);
  long(0);
  for (const value of [0, 0, 0]) int(value);
  long(0);
  // Bounds of clusterings, old shards of counters, cells and rows.
  for (const value of [0, 0]) int(value);
  bytes.push(Buffer.of(0));
  for (const value of [rows, rows]) long(value);
  position(0, 0);
  int(intervals.length);
  for (const [from, start, to, end] of intervals) {
    position(from, start);
    position(to, end);
  }
  bytes.push(Buffer.of(0, 0, 1), Buffer.from(hostId.replaceAll('-', ''), 'hex'));
  const body = Buffer.concat(bytes);
  const head = Buffer.alloc(20);
  for (const [at, value] of [
    [0, 1],
    [8, 2],
    [12, 20],
  ] as const)
    head.writeUInt32BE(value, at);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, sum]);
}
