// Rows are cut by the windows of their timestamps, and come together again as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecordBlock } from '../../../model/record-block.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import {
  encode,
  evaluate,
  factOf,
  linesOf,
  type ModelPartition,
  streamOf,
} from '../merge/merge-fixture.ts';
import { layoutOf, levelFor, windowOf } from './file-layout.ts';
import { WindowSplit } from './window-split.ts';

const facts = fc.array(factOf(), { minLength: 1, maxLength: 24 });
const windowUnits = 3;

/** All timestamps of a table. */
function timestamps(partitions: readonly ModelPartition[]): Set<bigint> {
  const found = new Set<bigint>();
  for (const { mark, markers, rows } of partitions) {
    if (mark) found.add(mark[0]);
    for (const one of markers) if (one.mark) found.add(one.mark[0]);
    for (const row of rows) {
      if (row.mark) found.add(row.mark[0]);
      if (row.live) found.add(row.live.at);
      for (const column of row.columns.values()) {
        if (column.mark) found.add(column.mark[0]);
        for (const cell of column.cells.values()) found.add(cell.at);
      }
    }
  }
  return found;
}

test('what the windows get is merged to what was cut, and each has timestamps of its own alone', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      const partitions = evaluate(list);
      const whole = encode(partitions);
      const split = new WindowSplit(2, windowUnits);
      const byWindow = new Map<number, RecordBlock[]>();
      const blocks: RecordBlock[] = [];
      for await (const block of streamOf(whole, 2)) blocks.push(block);
      for (const block of blocks) {
        for (const { window, block: part } of split.parts(block)) {
          byWindow.set(window, [...(byWindow.get(window) ?? []), part]);
        }
      }
      const wanted = new Set([...timestamps(partitions)].map((at) => windowIn(at)));
      assert.deepEqual(new Set(byWindow.keys()), wanted);
      const inputs = [...byWindow.values()].map(async function* (parts) {
        yield* parts;
      });
      const options = { signal: new AbortController().signal, clusteringCount: 2 };
      const merged = await linesOf(mergeBlocks(inputs, options));
      assert.deepEqual(merged, await linesOf(streamOf(whole, 100)));
    }),
    { numRuns: 300 },
  );
});

const windowIn = (at: bigint): number =>
  windowOf(Number(at >> 32n), Number(at & 0xffff_ffffn), windowUnits);

test('windows are those of TimeWindowCompactionStrategy, on both sides of zero and beyond 2^53', () => {
  const units = layoutOf({
    class: 'TimeWindowCompactionStrategy',
    compaction_window_unit: 'HOURS',
    compaction_window_size: '2',
  }).windowUnits as number;
  assert.equal(units, 7_200_000_000);
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat(63), (any, shift) => {
      const at = any >> BigInt(shift);
      // As its getWindowBoundsInMillis has it: Java's division cuts towards zero.
      const seconds = at / 1000n / 1000n;
      const found = windowOf(Number(at >> 32n), Number(at & 0xffff_ffffn), units);
      assert.equal(BigInt(found) * 7200n, seconds - (seconds % 7200n));
    }),
  );
});

test('files are as large as the strategy wants them, in the lowest level that holds them', () => {
  const levels = layoutOf({ class: 'LeveledCompactionStrategy', sstable_size_in_mb: '10' });
  const mib = 1024 * 1024;
  assert.deepEqual(levels, { kind: 'levels', fileBytes: 10 * mib, fanout: 10 });
  assert.deepEqual(
    [1, 100 * mib, 100 * mib + 1, 1000 * mib + 1].map((bytes) => levelFor(bytes, levels)),
    [1, 1, 2, 3],
  );
  assert.equal(layoutOf({ class: 'LeveledCompactionStrategy' }).fileBytes, 160 * mib);
  assert.equal(layoutOf({ class: 'SizeTieredCompactionStrategy' }).fileBytes, 256 * mib);
});
