// Into how many ranges a table's load is cut, when each ends in files of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur3Partitioner, randomPartitioner } from '../key/partitioner.ts';
import { layoutOf } from './file-layout.ts';
import { loadRangesMax } from './load-ranges.ts';

const gib = 2 ** 30;
const apart = { streams: 2, apart: true };
const together = { streams: 2, apart: false };

const table = (bytes: number, sets = 1, ranges = sets, compaction = {}) => ({
  ...{ bytes, layout: layoutOf(compaction) },
  sets: { all: new Array(sets).fill({ hostIds: [] }), ranges, partitioner: murmur3Partitioner },
});

test('streams of one process share files, so they may be any number', () => {
  assert.equal(loadRangesMax(table(gib), together), undefined);
});

test('apart, a range is so large that its files are, or there are no more than one process would have', () => {
  assert.equal(loadRangesMax(table(gib / 16), apart), 2);
  assert.equal(loadRangesMax(table(10 * gib), apart), 20);
  // 20 sets that lie all over the ring: each range has files of all of them.
  assert.equal(loadRangesMax(table(10 * gib, 20, 96), apart), 2);
  assert.equal(loadRangesMax(table(100 * gib, 20, 96), apart), 104);
  // Each part of the ring has a set of its own: a range meets those of its part alone.
  assert.equal(loadRangesMax(table(100 * gib, 160, 160), apart), 40);
});

test('a window has one file, levels have few that are small, and what is sorted is one stream', () => {
  const windows = { class: 'TimeWindowCompactionStrategy' };
  const levels = { class: 'LeveledCompactionStrategy' };
  for (const places of [apart, together]) {
    assert.equal(loadRangesMax(table(100 * gib, 1, 1, windows), places), 1);
    assert.equal(loadRangesMax(table(gib, 1, 1, levels), places), 1);
    assert.equal(loadRangesMax(table(10 * gib, 1, 1, levels), places), 8);
    const other = table(100 * gib);
    const sets = { ...other.sets, partitioner: randomPartitioner };
    assert.equal(loadRangesMax({ ...other, sets }, places), 1);
  }
});
