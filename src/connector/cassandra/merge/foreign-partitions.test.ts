import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockOf, type RecordBlock } from '../../../model/record-block.ts';
import { keepTokens } from './foreign-partitions.ts';
import { recordsOf, streamOf } from './merge-fixture.ts';

const token = (n: number): Buffer => Buffer.from([0x7f + (n >> 8), 0, 0, 0, 0, 0, 0, n & 255]);
const recordOf = (n: number): { key: Uint8Array; value: Uint8Array } => ({
  key: Buffer.concat([token(n), Buffer.from([0x61, 0, 0x28])]),
  value: Buffer.from([n & 255]),
});

test('what lies in the ranges stays, each end included where its range says so', async () => {
  const points = fc.uniqueArray(fc.nat(400), { maxLength: 12 });
  const tokens = fc.uniqueArray(fc.nat(400), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(points, tokens, fc.integer({ min: 1, max: 20 }), async (ends, list, size) => {
      ends.sort((a, b) => a - b);
      list.sort((a, b) => a - b);
      const pairs = ends.flatMap((from, i) =>
        i % 2 === 0 && i + 1 < ends.length ? [[from, ends[i + 1] as number]] : [],
      ) as [number, number][];
      const ranges = pairs.map(([from, to]) => ({
        fromExclusive: token(from),
        toInclusive: token(to),
      }));
      const kept: number[] = [];
      for await (const block of keepTokens(streamOf(blockOf(list.map(recordOf)), size), ranges)) {
        kept.push(
          ...recordsOf(block).map(
            ({ key }) => ((key[0] as number) - 0x7f) * 256 + (key[7] as number),
          ),
        );
      }
      assert.deepEqual(
        kept,
        list.filter((n) => pairs.some(([from, to]) => from < n && n <= to)),
      );
    }),
    { numRuns: 400 },
  );
});

test('a block that is owned as a whole is handed on itself', async () => {
  const block = blockOf([1, 2, 3].map(recordOf));
  async function* one(): AsyncGenerator<RecordBlock> {
    yield block;
  }
  const kept: RecordBlock[] = [];
  const ranges = [{ fromExclusive: token(0), toInclusive: token(3) }];
  for await (const each of keepTokens(one(), ranges)) kept.push(each);
  assert.equal(kept.length, 1);
  assert.equal(kept[0], block);
});
