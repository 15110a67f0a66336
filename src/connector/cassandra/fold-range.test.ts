// Folds are the same however their input lies in memory: leaves come as blocks of many records, of which the fold hands
// on what it does not change, and everything else comes as arrays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { toHex } from '../../base/bytes.ts';
import { datasetId } from '../../model/id.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import { batchOf, type RecordBlock } from '../../model/record-block.ts';
import type { LiveForm } from '../connector.ts';
import { foldRange } from './fold-range.ts';
import { encode, evaluate, type Fact, factOf } from './merge/merge-fixture.ts';
import { columns, schema } from './merge/merge-schema.fixture.ts';
import { encodeTableBody } from './schema/table-body.ts';
import type { Column } from './schema/table-schema.ts';

const [, dropped] = columns as [Column, Column, Column];
const entry = {
  dataset: datasetId('1'),
  ...({ namespace: 'shop.orders', role: 'data', kind: 'table' } as const),
  body: encodeTableBody({
    schema: { ...schema, dropped: [{ ...dropped, isStatic: false, droppedMicros: '2' }] },
    keyspace: { name: 'shop', replication: {}, durableWrites: true },
    ddl: { keyspace: '', types: [], functions: [], table: '', indexes: [], views: [] },
  }),
};

/** As large as four of what the fold gives out at once, and newer than most. */
const much = [0, 1, 2].flatMap((c) =>
  [0, 1, 2].map((d): Fact => {
    const value = Array<number>(60_000).fill(3 * c + d);
    const cell = { at: 2n ** 62n, kind: 'plain', expiry: 0, ttl: 0, value } as const;
    return { is: 'cell', p: 1, row: [c, d], name: 'a', cell };
  }),
);
const facts = fc
  .tuple(fc.array(factOf(), { minLength: 1, maxLength: 24 }), fc.boolean())
  .map(([some, hasMuch]) => (hasMuch ? [...some, ...much] : some));
const trees = fc.array(facts, { minLength: 1, maxLength: 3 });

const keep = { nowMs: 150_000, ttl: 'keep', rebaseMs: 0, cutMs: 150_000 } as const;
const forms: readonly (LiveForm | undefined)[] = [
  undefined,
  keep,
  { ...keep, ttl: 'rebase', rebaseMs: 60_000 },
  { ...keep, ttl: 'freeze' },
  { ...keep, deletions: {} },
  { ...keep, deletions: { sinceMs: 15_000 } },
];

/** The block as batches that end where `cuts` say, made by `batch` of the places of their records. */
function* batchesOf(
  { count }: RecordBlock,
  cuts: readonly number[],
  batch: (from: number, to: number) => RecordBatch,
): Generator<RecordBatch> {
  const ends = [...new Set([...cuts.map((cut) => cut % (count + 1)), count])].sort((a, b) => a - b);
  let from = 0;
  for (const to of ends) {
    if (to > from || to % 2 === 0) yield batch(from, to);
    from = to;
  }
}

/** Every record alone in memory of its own. */
const alone = (block: RecordBlock): Iterable<RecordBatch> =>
  batchOf(block).map(({ key, value }) => [{ key: Buffer.from(key), value: Buffer.from(value) }]);

/** All records in one memory, with something before and behind them. */
function inOne({ bytes, bounds, count }: RecordBlock): RecordBlock {
  const before = 1000;
  const room = Buffer.alloc(before + bytes.length + 100, 0xee);
  room.set(bytes, before);
  return { bytes: room, bounds: bounds.map((at) => at + before), count };
}

const asBlocks = (whole: RecordBlock, cuts: readonly number[]): Iterable<RecordBatch> =>
  batchesOf(whole, cuts, (from, to) =>
    batchOf({
      bytes: whole.bytes,
      bounds: whole.bounds.subarray(2 * from, 2 * to + 1),
      count: to - from,
    }),
  );

const asArrays = (whole: RecordBlock, cuts: readonly number[]): Iterable<RecordBatch> =>
  batchesOf(whole, cuts, (from, to) => batchOf(whole).slice(from, to));

/** All that is given is looked at when all of it is there. */
async function folded(
  inputs: readonly Iterable<RecordBatch>[],
  live: LiveForm | undefined,
): Promise<{ readonly lines: string[]; readonly batches: RecordBatch[] }> {
  const [base, ...cuts] = inputs.map(async function* (batches): RecordStream {
    yield* batches;
  });
  const batches: RecordBatch[] = [];
  const folding = foldRange({
    ...{ range: {}, base: base as RecordStream, baseAfter: [], exactFrom: 0n, clears: [], at: 1n },
    changes: (async function* () {})(),
    later: { entry, cuts, ...(live && { live }) },
  });
  for await (const batch of folding) batches.push(batch);
  const lines = batches.flatMap((batch) =>
    batch.map(({ key, value }) => `${toHex(key)} ${toHex(value)}`),
  );
  return { lines, batches };
}

test('a fold of blocks is a fold of their records, cut anywhere, and changes none of them', async () => {
  await fc.assert(
    fc.asyncProperty(
      trees,
      fc.array(fc.nat(), { maxLength: 5 }),
      fc.constantFrom(...forms),
      async (lists, cuts, live) => {
        const blocks = lists.map((list) => encode(evaluate(list)));
        const { lines: wanted } = await folded(blocks.map(alone), live);
        const wholes = blocks.map(inOne);
        const copies = wholes.map(({ bytes }) => Buffer.from(bytes));
        const { lines } = await folded(
          wholes.map((whole) => asBlocks(whole, cuts)),
          live,
        );
        assert.deepEqual(lines, wanted);
        const arrays = wholes.map((whole) => asArrays(whole, cuts));
        assert.deepEqual((await folded(arrays, live)).lines, wanted);
        for (const [i, { bytes }] of wholes.entries()) assert.ok(copies[i]?.equals(bytes));
      },
    ),
    { numRuns: sampled(25) },
  );
});

test('records that nothing changes are handed on where they lie', async () => {
  const whole = inOne(encode(evaluate(much)));
  const { batches } = await folded([asBlocks(whole, [])], undefined);
  assert.ok(batches.some((batch) => batch.at(0)?.key.buffer === whole.bytes.buffer));
});
