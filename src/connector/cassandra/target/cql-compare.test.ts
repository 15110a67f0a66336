// A target's rows beside the records that it must hold: what differs is named, what expires about now is passed over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf } from '../../../model/record-block.ts';
import {
  int,
  scalar,
  TestRecords,
  type TestRow,
  testSchema,
  text,
} from '../sstable/write-records.fixture.ts';
import { CqlComparison } from './cql-compare.ts';
import type { CellBytes } from './proof-columns.ts';

const micros = 1_700_000_000_000_000;
const nowSeconds = 1_800_000_000;
const ttlSlackSeconds = 10;
const schema = testSchema({
  clustering: [{ name: 'c', type: scalar('int') }],
  statics: [{ name: 's', type: scalar('text') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});

const bigint = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
};
const nothing: CellBytes[] = [undefined, undefined, undefined];

/** Value, writetime, and what is left to live. */
const told = (value: string, ttl?: number, at = micros): CellBytes[] => [
  text(value),
  bigint(at),
  ttl === undefined ? undefined : int(ttl),
];

/** What the cut has: of each row clustering, value (none: the row was inserted) and the second in which it expires. */
async function compare(
  wanted: readonly (readonly [number, string | undefined, number?])[],
  found: readonly (readonly CellBytes[])[],
  staticExpiry?: number | 'none',
) {
  const records = new TestRecords(schema);
  const cellOf = (value: string, expiry: number | undefined) => ({
    ...{ micros, value: text(value) },
    ...(expiry !== undefined && { ttl: 100, expiry }),
  });
  if (staticExpiry !== undefined) {
    const expiry = staticExpiry === 'none' ? undefined : staticExpiry;
    records.staticRow(int(1), { cells: { s: cellOf('s', expiry) } });
  }
  for (const [c, value, expiry] of wanted) {
    const row: TestRow =
      value === undefined ? { micros, cells: {} } : { cells: { v: cellOf(value, expiry) } };
    records.row(int(1), [int(c)], row);
  }
  const told = { masked: new Set<string>(), hasElementTimes: true };
  const comparison = new CqlComparison({ schema, ...told, nowSeconds, ttlSlackSeconds });
  const expected = (async function* () {
    for (const block of records.blocks()) yield batchOf(block);
  })();
  const rows = (async function* () {
    yield* found;
  })();
  let passed = 0;
  for await (const batch of comparison.watch(expected, rows)) passed += batch.length;
  const { compared, passedOver } = comparison;
  return { passed, compared, passedOver };
}

const row = (c: number, cells: CellBytes[], statics = nothing): CellBytes[] => [
  ...[int(1), int(c)],
  ...[...statics, ...cells],
];
const failed = (message: RegExp) => ({ code: 'proof-failed', message });

test('rows that are the same are passed on and counted', async () => {
  const found = [row(1, told('a')), row(2, told('b', 1_000))];
  const wanted = [
    [1, 'a'],
    [2, 'b', nowSeconds + 1_000],
  ] as const;
  assert.deepEqual(await compare(wanted, found), { passed: 2, compared: 2, passedOver: 0 });
});

test('a missing row, one too many, another value, writetime or expiry is named', async () => {
  const one = [[1, 'a', nowSeconds + 1_000]] as const;
  await assert.rejects(compare(one, []), failed(/k\.t, \{"p": 1, "c": 1\}.*lacks the row/));
  const two = [row(1, told('a', 1_000)), row(2, told('b'))];
  await assert.rejects(compare(one, two), failed(/a row that was not to be restored/));
  await assert.rejects(compare(one, [row(0, told('b')), ...two]), failed(/another before it/));
  await assert.rejects(compare(one, [row(1, told('b', 1_000))]), failed(/its "v" is another/));
  const later = [row(1, told('a', 1_000, micros + 1))];
  await assert.rejects(compare(one, later), failed(/its writetime\("v"\) is another/));
  for (const ttl of [1_011, 989, undefined]) {
    await assert.rejects(compare(one, [row(1, told('a', ttl))]), failed(/its ttl\("v"\)/));
  }
  await assert.rejects(compare([[1, 'a']], [row(1, told('a', 5))]), failed(/its ttl\("v"\)/));
});

test('times to live may be as late as their writes were', async () => {
  for (const ttl of [1_010, 990]) {
    const { compared } = await compare([[1, 'a', nowSeconds + 1_000]], [row(1, told('a', ttl))]);
    assert.equal(compared, 1);
  }
});

test('what expires about the time of the look may be there or not, and the rest is compared all the same', async () => {
  const wanted = [
    [1, 'a', nowSeconds - 5],
    [2, 'b'],
    [3, 'c', nowSeconds + 5],
  ] as const;
  const rest = row(2, told('b'));
  const wholly = { passed: 3, compared: 1, passedOver: 2 };
  assert.deepEqual(await compare(wanted, [rest]), wholly);
  assert.deepEqual(
    await compare(wanted, [row(1, told('a', 3)), rest, row(3, told('c', 5))]),
    wholly,
  );
  await assert.rejects(compare(wanted, [row(1, told('a', 3))]), failed(/"c": 2.*lacks the row/));
});

test('static cells are compared with each row, and stand alone where a partition has none', async () => {
  const statics = told('s');
  assert.equal((await compare([[1, 'a']], [row(1, told('a'), statics)], 'none')).compared, 1);
  await assert.rejects(
    compare([[1, 'a']], [row(1, told('a'), told('other'))], 'none'),
    failed(/its "s" is another/),
  );
  const alone: CellBytes[] = [int(1), undefined, ...statics, ...nothing];
  assert.equal((await compare([], [alone], 'none')).compared, 1);
  await assert.rejects(compare([], [], 'none'), failed(/lacks the row/));
  // The only row of the partition may have gone meanwhile, or not.
  const passing = [[1, 'a', nowSeconds]] as const;
  assert.equal((await compare(passing, [alone], 'none')).compared, 1);
  assert.equal((await compare(passing, [row(1, told('a', 1), statics)], 'none')).passedOver, 1);
});

test('a row that only its insert keeps must be there, and CQL tells no more of an insert', async () => {
  const wanted = [[1, undefined]] as const;
  assert.equal((await compare(wanted, [row(1, nothing)])).compared, 1);
  await assert.rejects(compare(wanted, []), failed(/"c": 1.*lacks the row/));
  await assert.rejects(compare([], [row(1, nothing)]), failed(/a row that was not to be restored/));
  await assert.rejects(compare(wanted, [row(1, told('a'))]), failed(/its "v" is another/));
});
