// Sets the level in a Statistics.db that this writer made: which level of a table a file fits is known only when
// all of its files are written. The layout is that of `nb` in write-statistics.ts and write-stats.ts.
import { crc32 } from 'node:zlib';
import { assert } from '../../../base/assert.ts';

const statsType = 2;
const histogramEntryBytes = 16;
/** Commit log position, 2 timestamps, 2 deletion times, 2 times to live, ratio. */
const fixedBytes = 12 + 16 + 8 + 8 + 8;

/** In place. */
export function setLevel(statistics: Buffer, level: number): void {
  const count = statistics.readInt32BE(0);
  let [start, end] = [-1, statistics.length];
  for (let i = 0; i < count; i++) {
    const at = 8 + 8 * i;
    if (statistics.readInt32BE(at) !== statsType) continue;
    start = statistics.readInt32BE(at + 4);
    if (i + 1 < count) end = statistics.readInt32BE(at + 12);
  }
  assert(start >= 0, 'Statistics.db has STATS');
  let at = start;
  // Partition sizes, cells; then after the fixed part the tombstones, whose size is there twice.
  for (let i = 0; i < 2; i++) at += 4 + histogramEntryBytes * statistics.readInt32BE(at);
  at += fixedBytes;
  at += 8 + histogramEntryBytes * statistics.readInt32BE(at + 4);
  statistics.writeInt32BE(level, at);
  statistics.writeUInt32BE(crc32(statistics.subarray(start, end - 4)), end - 4);
}
