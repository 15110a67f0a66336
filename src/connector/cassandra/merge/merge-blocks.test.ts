import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { type BlockStream, blockOf, type RecordBlock } from '../../../model/record-block.ts';
import { mergeBlocks } from './merge-blocks.ts';
import {
  encode,
  evaluate,
  type Fact,
  factOf,
  linesOf,
  recordsOf,
  streamOf,
} from './merge-fixture.ts';

const signal = new AbortController().signal;
const options = { signal, clusteringCount: 2 };
const facts = fc.array(factOf(), { minLength: 1, maxLength: 24 });
const replicas = fc.array(facts, { minLength: 1, maxLength: 4 });

const merge = (...blocks: readonly RecordBlock[]): BlockStream =>
  mergeBlocks(
    blocks.map((block, i) => streamOf(block, i + 1)),
    options,
  );
const linesOfBlock = (block: RecordBlock): Promise<string[]> => linesOf(streamOf(block, 100));
const blockFrom = async (stream: BlockStream): Promise<RecordBlock> => {
  const records = [];
  for await (const block of stream) records.push(...recordsOf(block));
  return blockOf(records);
};
const encoded = (list: readonly Fact[]): RecordBlock => encode(evaluate(list));

test('merged replicas hold what their facts together say (G11-G19)', async () => {
  await fc.assert(
    fc.asyncProperty(replicas, async (lists) => {
      const merged = await linesOf(merge(...lists.map(encoded)));
      assert.deepEqual(merged, await linesOfBlock(encoded(lists.flat())));
    }),
    { numRuns: sampled(1500) },
  );
});

test('one fact a file merges into what all facts say', async () => {
  await fc.assert(
    fc.asyncProperty(facts, async (list) => {
      const merged = await linesOf(merge(...list.map((fact) => encoded([fact]))));
      assert.deepEqual(merged, await linesOfBlock(encoded(list)));
    }),
    { numRuns: sampled(500) },
  );
});

test('merging is commutative, associative and idempotent, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(facts, facts, facts, async (...lists) => {
      const [a, b, c] = lists.map(encoded) as [RecordBlock, RecordBlock, RecordBlock];
      const all = await linesOf(merge(a, b, c));
      assert.deepEqual(await linesOf(merge(c, b, a)), all);
      assert.deepEqual(await linesOf(merge(await blockFrom(merge(a, b)), c)), all);
      assert.deepEqual(await linesOf(merge(a, await blockFrom(merge(b, c)))), all);
      assert.deepEqual(await linesOf(merge(a, a)), await linesOf(merge(a)));
      assert.deepEqual(await linesOf(merge(a)), await linesOfBlock(a));
    }),
    { numRuns: sampled(400) },
  );
});

/** Where the partition of a key begins; the fixture's partitions have other tokens or other keys. */
const isOfPartition = (key: Uint8Array, of: Uint8Array): boolean =>
  Buffer.compare(key.subarray(0, 10), of.subarray(0, 10)) === 0;

for (const pieces of [1, 2, 17]) {
  test(`a fold in ${pieces} ranges, cut anywhere, gives the records of one (G15)`, async () => {
    await fc.assert(
      fc.asyncProperty(replicas, fc.array(fc.nat(), { minLength: 17 }), async (lists, picks) => {
        const blocks = lists.map(encoded);
        const records = blocks.map(recordsOf);
        const keys = records.flat().map(({ key }) => key);
        if (keys.length === 0) return;
        const cuts = picks
          .slice(0, pieces - 1)
          .map((pick) => keys[pick % keys.length] as Uint8Array)
          .sort(Buffer.compare);
        const lines: string[] = [];
        for (let i = 0; i <= cuts.length; i++) {
          const from = cuts[i - 1];
          const to = cuts[i];
          const inputs = records.map((list) => {
            const fed = list.filter(
              ({ key }) =>
                (from === undefined ||
                  Buffer.compare(key, from) >= 0 ||
                  isOfPartition(key, from)) &&
                (to === undefined || Buffer.compare(key, to) < 0),
            );
            return streamOf(blockOf(fed), 2);
          });
          const range = mergeBlocks(inputs, from === undefined ? options : { ...options, from });
          lines.push(...(await linesOf(range)));
        }
        assert.deepEqual(lines, await linesOf(merge(...blocks)));
      }),
      { numRuns: sampled(300) },
    );
  });
}

test('a range deletion that was split over two files comes out in one piece (G15)', async () => {
  const mark = [7n, 10] as const;
  const row = { prefix: [1, 1], after: false };
  const range = (from: object, to: object): Fact => ({ is: 'range', p: 0, from, to, mark }) as Fact;
  const begin = { prefix: [0], after: false };
  const end = { prefix: [2], after: true };
  const whole = encoded([range(begin, end)]);
  assert.equal(whole.count, 2);
  const merged = await linesOf(merge(encoded([range(begin, row)]), encoded([range(row, end)])));
  assert.deepEqual(merged, await linesOfBlock(whole));
});

test('markers that say the same twice, or less than the partition deletion, are left out', async () => {
  const head = [0x80, 0, 0, 0, 0, 0, 0, 1, 0x61, 0];
  const key = (...bytes: number[]): Uint8Array => Buffer.from([...head, ...bytes]);
  const deletion = (at: number): number[] => [0, 0, 0, 0, 0, 0, 0, at, 0, 0, 0, 9];
  const open = (at: number): Uint8Array => Buffer.from([1, ...deletion(at)]);
  const input = blockOf([
    { key: key(0x20), value: Buffer.from(deletion(5)) },
    { key: key(0x40, 0x40, 1, 0x20), value: open(4) },
    { key: key(0x40, 0x40, 2, 0x20), value: open(6) },
    { key: key(0x40, 0x40, 3, 0x20), value: open(6) },
    { key: key(0x40, 0x40, 4, 0x20), value: Buffer.from([0]) },
    { key: key(0x40, 0x40, 5, 0x20), value: Buffer.from([0]) },
  ]);
  const kept = recordsOf(input).filter((_, i) => [0, 2, 4].includes(i));
  assert.deepEqual(await linesOf(merge(input)), await linesOfBlock(blockOf(kept)));
});

test('a range deletion that an input leaves open ends with its partition', async () => {
  const mark = [7n, 10] as const;
  const from = { prefix: [], after: false };
  const to = { prefix: [], after: true };
  const range = recordsOf(encoded([{ p: 0, is: 'range', from, to, mark }]));
  const cell = { at: 5n, kind: 'plain', expiry: 0, ttl: 0, value: [1] } as const;
  const next = recordsOf(encoded([{ p: 1, is: 'cell', row: [1, 1], name: 'a', cell }]));
  const input = blockOf([...range.slice(0, 1), ...next]);
  assert.deepEqual(await linesOf(merge(input, encoded([]))), await linesOfBlock(input));
});

test('a block is handed on at 256 KiB, and a record larger than that is whole', async () => {
  const record = (n: number, size: number): { key: Uint8Array; value: Uint8Array } => ({
    key: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0x40, 0x40, n, 0x40, 0, 0x38]),
    value: Buffer.concat([
      Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0x61, 8]),
      Buffer.from([0x80 | (size & 127), 0x80 | ((size >> 7) & 127), size >> 14]),
      Buffer.alloc(size, n),
    ]),
  });
  const records = [...Array(50).keys()].map((n) => record(n, n === 20 ? 1_500_000 : 30_000));
  const blocks: RecordBlock[] = [];
  const other = records.map(({ key, value }) => {
    const changed = Buffer.from(value);
    changed[changed.length - 1] = 0;
    return { key, value: changed };
  });
  const inputs = [streamOf(blockOf(records)), streamOf(blockOf(other))];
  for await (const block of mergeBlocks(inputs, options)) blocks.push(block);
  assert.deepEqual(
    blocks.flatMap(recordsOf).map(({ value }) => value.length),
    records.map(({ value }) => value.length),
  );
  // Row 0 is the same in both; in all others the first input's last byte is the greater.
  assert.deepEqual(
    Buffer.concat(blocks.map(({ bytes }) => bytes)),
    Buffer.from(blockOf(records).bytes),
  );
  for (const block of blocks.slice(0, -1)) assert.ok(block.bytes.length >= 256 * 1024);
  assert.ok(blocks.length >= 5);
});

test('an abort ends the merge with its reason, and the inputs are closed', async () => {
  const abort = new AbortController();
  let closed = 0;
  async function* endless(): BlockStream {
    try {
      for (let n = 0; ; n++) {
        const key = Buffer.alloc(16, 0x40);
        key.writeUInt32BE(n, 4);
        key[9] = 0;
        key[15] = 0x38;
        yield blockOf([{ key, value: Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 5]) }]);
        if (n === 5) abort.abort(new Error('stop'));
      }
    } finally {
      closed++;
    }
  }
  const stream = mergeBlocks([endless(), endless()], { ...options, signal: abort.signal });
  await assert.rejects(linesOf(stream), { message: 'stop' });
  assert.equal(closed, 2);
});
