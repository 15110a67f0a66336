// Which statements and batches rows become, without a server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf } from '../../../model/record-block.ts';
import { RowReader } from '../record/row-reader.ts';
import {
  bigint,
  int,
  scalar,
  TestRecords,
  type TestRow,
  testSchema,
  text,
} from '../sstable/write-records.fixture.ts';
import { mayBeLoadedTwice } from './borrowed-cql.ts';
import { BatchGatherer, batchBytesMax, batchStatementsMax, type CqlBatch } from './cql-batches.ts';
import { CqlLoad, type CqlLoadOptions, waitSecondsMax } from './cql-load.ts';
import type { BatchSender } from './cql-sender.ts';
import { type CqlStatement, StatementMaker } from './cql-statements.ts';

const map = { kind: 'map', key: scalar('text'), value: scalar('int'), frozen: false } as const;
const list = { kind: 'list', element: scalar('timeuuid'), frozen: false } as const;
const schema = testSchema({
  clustering: [{ name: 'c', type: scalar('int') }],
  regulars: [
    { name: 'a', type: scalar('int') },
    { name: 'b', type: scalar('text') },
    { name: 'm', type: map },
    { name: 'l', type: list },
  ],
});
const to = { keyspace: 'k', table: 't' };
const keys = [int(1), int(2)];
const insert =
  'INSERT INTO "k"."t" ("p", "c", "a", "b") VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?';
const update =
  'UPDATE "k"."t" USING TIMESTAMP ? AND TTL ? SET "a" = ?, "b" = ?, "m" = "m" + ? WHERE "p" = ? AND "c" = ?';
const append =
  'UPDATE "k"."t" USING TIMESTAMP ? AND TTL ? SET "l" = "l" + ? WHERE "p" = ? AND "c" = ?';

/** The statements of one row at second 1000, values in hex. */
function statementsOf(row: TestRow): {
  lines: [string, ...(string | undefined)[]][];
  isLasting: boolean;
} {
  const records = new TestRecords(schema);
  records.row(int(1), [int(2)], row);
  const [block] = [...records.blocks()];
  assert.ok(block);
  const reader = new RowReader(1);
  reader.read(block.bytes, block.bounds[1] as number, block.bounds[2] as number);
  const { statements, isLasting } = new StatementMaker(schema, to, { isStatic: false }).row(
    reader,
    keys,
    1000,
  );
  const lines = statements.map(({ query, params }): [string, ...(string | undefined)[]] => [
    query,
    ...params.map((value) => value?.toString('hex')),
  ]);
  return { lines, isLasting };
}

const hex = (value: Buffer): string => value.toString('hex');

test('an inserted row takes the cells of its time along, and cells of other times are updated', () => {
  const { lines, isLasting } = statementsOf({
    micros: 7,
    cells: { a: { micros: 7, value: int(5) }, b: { micros: 9, value: text('x') } },
  });
  assert.deepEqual(lines, [
    [insert, hex(int(1)), hex(int(2)), hex(int(5)), undefined, hex(bigint(7)), hex(int(0))],
    [
      ...[update, hex(bigint(9)), hex(int(0)), undefined, hex(text('x')), undefined],
      ...[hex(int(1)), hex(int(2))],
    ],
  ]);
  assert.equal(isLasting, true);
});

test('a row without liveness is not inserted, and an empty value is sent as one', () => {
  const { lines } = statementsOf({ cells: { b: { micros: 9, value: text('') } } });
  assert.deepEqual(lines, [
    [update, hex(bigint(9)), hex(int(0)), undefined, '', undefined, hex(int(1)), hex(int(2))],
  ]);
});

test('times to live become what is left of them, and what has expired is left out', () => {
  const { lines, isLasting } = statementsOf({
    ...{ micros: 7, ttl: 500, expiry: 1000 },
    cells: {
      a: { micros: 7, value: int(5), ttl: 500, expiry: 1000 },
      b: { micros: 7, value: text('x'), ttl: 500, expiry: 1001 },
    },
  });
  assert.deepEqual(lines, [
    [
      ...[update, hex(bigint(7)), hex(int(1)), undefined, hex(text('x')), undefined],
      ...[hex(int(1)), hex(int(2))],
    ],
  ]);
  assert.equal(isLasting, false);
  assert.deepEqual(statementsOf({ micros: 7, ttl: 1, expiry: 999, cells: {} }).lines, []);
});

test('elements of a map that share their time are added by one statement', () => {
  const { lines } = statementsOf({
    micros: 7,
    cells: {
      m: [
        { micros: 8, path: text('a'), value: int(1) },
        { micros: 9, path: text('b'), value: int(2) },
        { micros: 8, path: text('c'), value: int(3) },
      ],
    },
  });
  const pair = (key: string, value: number): string =>
    hex(Buffer.concat([int(1), text(key), int(4), int(value)]));
  assert.deepEqual(
    lines.map((line) => [line[0], line[1], line[5]]),
    [
      [insert, hex(int(1)), hex(bigint(7))],
      [update, hex(bigint(8)), hex(int(2)) + pair('a', 1) + pair('c', 3)],
      [update, hex(bigint(9)), hex(int(1)) + pair('b', 2)],
    ],
  );
});

test('runs of a list that share their time are appended in the order of the list', () => {
  const id = (n: number): Buffer => Buffer.from(`0000000${n}00001000`.padEnd(32, '8'), 'hex');
  const listCell = (n: number, micros: number) => ({ micros, path: id(n), value: id(n) });
  const records = { l: [listCell(1, 8), listCell(2, 8), listCell(3, 9), listCell(4, 8)] };
  const { lines } = statementsOf({ cells: records });
  const one = (value: number): string => hex(Buffer.concat([int(16), id(value)]));
  assert.deepEqual(
    lines.map((line) => line.slice(0, 4)),
    [
      [append, hex(bigint(8)), hex(int(0)), hex(int(2)) + one(1) + one(2)],
      [append, hex(bigint(9)), hex(int(0)), hex(int(1)) + one(3)],
      [append, hex(bigint(8)), hex(int(0)), hex(int(1)) + one(4)],
    ],
  );
});

const statement = (bytes: number, appends = false): CqlStatement => ({
  ...{ query: 'q', params: [], bytes, appends },
});

test('a batch holds at most 50 statements and 40 KiB, and a larger statement goes alone', () => {
  const many = new BatchGatherer();
  for (let i = 0; i < batchStatementsMax; i++) assert.equal(many.add(statement(10)), undefined);
  assert.equal(many.add(statement(10))?.statements.length, batchStatementsMax);
  assert.equal(many.take()?.statements.length, 1);
  assert.equal(many.take(), undefined);

  const large = new BatchGatherer();
  assert.equal(large.add(statement(batchBytesMax - 100)), undefined);
  assert.equal(large.add(statement(100))?.statements.length, 1);
  assert.equal(large.add(statement(2 * batchBytesMax))?.statements.length, 1);
  assert.equal(large.take()?.statements.length, 1);
});

test('a batch that goes on with a list says that it follows, until the partition ends', () => {
  const gatherer = new BatchGatherer();
  const half = batchBytesMax / 2;
  gatherer.add(statement(half, true));
  const first = gatherer.add(statement(half, true));
  assert.deepEqual([first?.appends, first?.follows], [true, false]);
  const second = gatherer.add(statement(half));
  assert.deepEqual([second?.appends, second?.follows], [true, true]);
  const third = gatherer.take();
  assert.deepEqual([third?.appends, third?.follows], [false, false]);
});

/** Loads two partitions; before each batch the process sleeps for so many seconds. */
async function loaded(
  sleepSeconds: number,
  limits: Pick<CqlLoadOptions, 'waitSecondsMax' | 'expirySecondsMax'>,
) {
  const records = new TestRecords(schema);
  const life = { micros: 7, ttl: 500, expiry: 1500 };
  for (const p of [1, 2]) {
    records.row(int(p), [int(2)], { ...life, cells: { a: { ...life, value: int(3) } } });
  }
  let nowMs = 1_000_000;
  const sent: CqlBatch[] = [];
  const sender = {
    room: async () => {
      nowMs += sleepSeconds * 1000;
    },
    leave: () => {},
    send: async (batch: CqlBatch) => void sent.push(batch),
  } as Partial<BatchSender> as BatchSender;
  const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: async () => {} };
  const load = new CqlLoad({ schema, table: to, sender, clock, ...limits });
  const stream = (async function* () {
    for (const block of records.blocks()) yield batchOf(block);
  })();
  const error = await load.load(stream, new AbortController().signal).catch((one: unknown) => one);
  return { load, sent, error };
}

test('a load counts its rows and how late they were, with those that others have loaded', async () => {
  const { load, sent } = await loaded(3, { waitSecondsMax });
  assert.equal(sent.length, 2);
  const { bytes } = load.counts;
  assert.deepEqual(load.counts, { rows: 2, bytes, lastingRows: 0, lateSeconds: 3, capped: 0 });
  load.add({ rows: 5, bytes: 10, lastingRows: 4, lateSeconds: 2, capped: 1 });
  const both = { rows: 7, bytes: bytes + 10, lastingRows: 4, lateSeconds: 3, capped: 1 };
  assert.deepEqual(load.counts, both);
});

test('expiry that a target refuses is cut to what it takes, and counted for rows and cells', async () => {
  const { load, sent } = await loaded(0, { expirySecondsMax: 1400 });
  assert.equal(load.counts.capped, 4);
  const given = sent.flatMap(({ statements }) => statements.map(({ params }) => params.at(-1)));
  assert.deepEqual(given, [int(400), int(400)]);
  assert.equal((await loaded(0, { expirySecondsMax: 1500 })).load.counts.capped, 0);
});

test('a process that slept sends nothing whose time to live was reckoned before', async () => {
  const { sent, error } = await loaded(waitSecondsMax + 1, { waitSecondsMax });
  assert.equal((error as { code?: string }).code, 'peer-lost');
  assert.deepEqual(sent, []);
  const own = await loaded(waitSecondsMax + 1, {});
  assert.equal(own.sent.length, 2);
});

test('what appends to lists is not loaded twice', () => {
  assert.equal(mayBeLoadedTwice(schema), false);
  const { regulars } = schema;
  assert.ok(mayBeLoadedTwice({ ...schema, regulars: regulars.filter(({ name }) => name !== 'l') }));
  const frozen = { name: 'l', type: { ...list, frozen: true } };
  assert.ok(mayBeLoadedTwice({ ...schema, regulars: [frozen] }));
});
