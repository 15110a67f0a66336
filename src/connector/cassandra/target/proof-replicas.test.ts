// What replicas are asked for, and what of their answers is right, against nodes that answer as told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { once } from '../../../base/async.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError } from '../../../base/error.ts';
import { batchOf } from '../../../model/record-block.ts';
import {
  bigint,
  int,
  scalar,
  TestRecords,
  testSchema,
  text,
} from '../sstable/write-records.fixture.ts';
import type { NodeQueries, WireQuery, WireResult } from '../wire/wire-connection.ts';
import { ReplicaProof } from './proof-replicas.ts';

type Row = readonly (Uint8Array | undefined)[];

const { signal } = new AbortController();
const now = 1_700_000_000;
const host = {
  hostId: 'one',
  address: '10.0.0.1',
  nativeAddress: '10.0.0.1',
};
const ring = {
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: [{ ...host, datacenter: 'dc', rack: 'r', tokens: ['0'] }],
};
const down = { kind: 'reversed', type: scalar('int') } as const;
const map = { kind: 'map', key: scalar('text'), value: scalar('int'), frozen: false } as const;
const schema = testSchema({
  clustering: [{ name: 'c', type: down }],
  statics: [{ name: 's', type: scalar('text') }],
  regulars: [
    { name: 'm', type: map },
    { name: 'v', type: scalar('text') },
  ],
});
const micros = 5;

interface Told {
  readonly ofTable?: typeof schema;
  /** Seconds since 1970. */
  readonly expiry?: number;
  readonly masked?: readonly string[];
  readonly answer?: (query: string, right: Row[]) => Row[];
  /** What the trace says of every read. */
  readonly trace?: readonly (readonly [source: number, activity: string])[] | 'forbidden';
}

const executing = 'Executing single-partition query on t';

/** One partition of two rows and a static row, asked of one node; gives the reads that it saw too. */
async function asked({ ofTable = schema, expiry, masked = [], answer, trace }: Told) {
  const records = new TestRecords(ofTable);
  const cell = { micros, value: text('x'), ...(expiry && { ttl: 100, expiry }) };
  const keys = ofTable.clustering.map(() => int(7));
  records.staticRow(int(1), { cells: { s: { micros: 9, value: text('st') } } });
  for (const c of [2, 1]) {
    const m = [{ micros, value: int(3), path: text('k') }];
    records.row(int(1), [...keys.slice(1), int(c)], { micros, cells: { m, v: cell } });
  }
  const times = expiry === undefined ? undefined : int(expiry - now);
  const list = (value: Uint8Array): Buffer => Buffer.concat([int(1), int(value.length), value]);
  const statics = [text('st'), bigint(9), undefined];
  const entry = Buffer.concat([int(1), int(1), text('k'), int(4), int(3)]);
  const noTime = Buffer.concat([int(1), int(-1)]);
  const rowOf = (c: number): Row => [
    ...[int(1), ...keys.slice(1), int(c), ...statics],
    ...[entry, list(bigint(micros)), noTime, text('x'), bigint(micros), times],
  ];
  const seen: { readonly query: string; readonly options: WireQuery }[] = [];
  const answered = (query: string, options: WireQuery): Row[] => {
    if (query.includes('system.local')) return [[text('5.0.9')]];
    if (query.includes('column_masks')) return masked.map((name) => [text(name)]);
    if (query.includes('system_traces') && trace === 'forbidden') {
      throw new CodrError('target-rights', 'no SELECT permission');
    }
    const ids = options.values ?? [];
    const said = trace === 'forbidden' ? [] : (trace ?? [[1, executing] as const]);
    if (query.includes('traces.sessions')) return ids.map((id) => [id, Buffer.of(10, 0, 0, 1)]);
    if (query.includes('traces.events')) {
      return ids.flatMap((id) =>
        said.map(([source, what]) => [id, Buffer.of(10, 0, 0, source), text(what)]),
      );
    }
    seen.push({ query, options });
    if (query.includes('DISTINCT')) return [[int(1), ...statics]];
    const values = (options.values ?? []).map((value) => value.at(-1) as number);
    const high = values.at(-1) as number;
    const low = query.includes('>=') ? (values.at(-2) as number) : high;
    const wanted = [2, 1].filter((c) => c >= low && c <= high);
    const right = (query.includes('ORDER BY') ? wanted.toReversed() : wanted).map(rowOf);
    return answer?.(query, right) ?? right;
  };
  const connection: NodeQueries = {
    query: async (query, options): Promise<WireResult> => ({
      rows: answered(query, options),
      tracingId: Buffer.of(seen.length),
    }),
    [Symbol.dispose]: () => {},
  };
  let ms = now * 1000;
  const clock: Clock = {
    now: () => now * 1000,
    monotonic: () => ms,
    sleep: async (time) => {
      ms += time;
    },
  };
  const proof = new ReplicaProof({
    ...{ schema: ofTable, ring, clock, seed: 1, nowMs: now * 1000 },
    replication: { class: 'SimpleStrategy', replication_factor: '1' },
    nodes: [host],
    connect: async () => connection,
  });
  const [block] = [...records.blocks()];
  assert.ok(block);
  for await (const batch of proof.watch(once(batchOf(block)))) assert.equal(batch.length, 3);
  const reads = await proof.ask(signal);
  return { reads, seen };
}

const columns =
  '"p", "c", "s", writetime("s"), ttl("s"), "m", writetime("m"), ttl("m"), "v", writetime("v"), ttl("v")';

test('a row is asked for by its key, with the rows behind it, and backwards, as of one second', async () => {
  const { reads, seen } = await asked({});
  assert.deepEqual(reads, { made: 7, own: 7, expired: 0, warnings: [] });
  const start = `SELECT ${columns} FROM "k"."t" WHERE "p" = ?`;
  assert.deepEqual([...new Set(seen.map(({ query }) => query))].sort(), [
    `${start} AND "c" = ?`,
    `${start} AND ("c") >= (?) AND ("c") <= (?)`,
    `${start} AND ("c") >= (?) AND ("c") <= (?) ORDER BY "c" ASC`,
    'SELECT DISTINCT "p", "s", writetime("s"), ttl("s") FROM "k"."t" WHERE "p" = ?',
  ]);
  for (const { options } of seen) {
    assert.equal(options.nowSeconds, now);
    assert.equal(options.isTraced, true);
  }
});

test('where a partition goes up by one column and down by another, only the last one ranges', async () => {
  const ofTable = {
    ...schema,
    clustering: [
      { name: 'b', type: scalar('int') },
      { name: 'c', type: down },
    ],
  };
  const { reads, seen } = await asked({ ofTable });
  assert.equal(reads.made, 7);
  const [slice] = seen.filter(({ query }) => query.includes('>=') && query.includes('ORDER BY'));
  assert.match(
    slice?.query ?? '',
    / WHERE "p" = \? AND "b" = \? AND "c" >= \? AND "c" <= \? ORDER BY "b" DESC, "c" ASC$/,
  );
});

test('each thing that differs is told with node, table and key', async () => {
  const change =
    (at: number, value: Uint8Array | undefined) =>
    (_: string, right: Row[]): Row[] =>
      right.map((row) => row.with(at, value));
  const cases: readonly (readonly [NonNullable<Told['answer']>, RegExp])[] = [
    [(_, right) => right.slice(1), /gives \d rows in place of \d/],
    [
      (query, right) => (query.includes('ORDER') ? right.toReversed() : right),
      /another "c" in row/,
    ],
    [change(2, text('other')), /another "s" in row/],
    [change(3, bigint(8)), /another writetime\("s"\) in row/],
    [change(5, undefined), /another "m" in row/],
    [change(8, text('')), /another "v" in row/],
    [change(8, undefined), /another "v" in row/],
    [change(9, bigint(6)), /another writetime\("v"\) in row/],
    [change(10, int(3)), /another ttl\("v"\) in row/],
  ];
  for (const [answer, message] of cases) {
    await assert.rejects(asked({ answer }), (error: CodrError) => {
      assert.equal(error.code, 'proof-failed');
      assert.equal(error.object, 'k.t');
      assert.equal(error.facts.node, '10.0.0.1');
      assert.match(error.message, /^k\.t: asked for \{"p": 1.*\}.*, the replica 10\.0\.0\.1 gives/);
      assert.match(error.message, message);
      return true;
    });
  }
});

test('what expires about now may be gone, and is counted; what expires later may not', async () => {
  const answer = (_: string, right: Row[]): Row[] => right.slice(0, 0);
  const { reads } = await asked({ expiry: now + 30, answer });
  assert.deepEqual(reads, { made: 1, own: 1, expired: 6, warnings: [] });
  const there = await asked({ expiry: now + 30 });
  assert.deepEqual(there.reads, { made: 7, own: 7, expired: 0, warnings: [] });
  await assert.rejects(asked({ expiry: now + 3_600, answer }), { code: 'proof-failed' });
});

test('a read that another replica answered, or may have, is not the node’s own', async () => {
  for (const trace of [
    [
      [1, 'reading data from /10.0.0.2:7000'],
      [2, executing],
    ],
    [
      [1, 'reading data from /10.0.0.2:7000'],
      [1, executing],
    ],
    [[2, executing]],
    [],
  ] as const) {
    const { reads } = await asked({ trace });
    assert.deepEqual(reads, { made: 7, own: 0, expired: 0, warnings: [] });
  }
  const { reads } = await asked({ trace: 'forbidden' });
  assert.equal(reads.made, 7);
  assert.match(reads.warnings.join(), /may not read system_traces/);
});

test('values that are masked are not compared, their times are; with a masked key nothing is asked', async () => {
  const answer = (query: string, right: Row[]): Row[] =>
    query.includes('"v",') ? right : right.map((row) => row.toSpliced(8, 1));
  const { reads } = await asked({ masked: ['v'], answer });
  assert.equal(reads.made, 7);
  const none = await asked({ masked: ['c'] });
  assert.deepEqual([none.reads.made, none.seen.length], [0, 0]);
  assert.match(none.reads.warnings.join(), /its key is masked/);
});

test('a node that is busy is asked again; one that cannot read its files fails the proof', async () => {
  const failing = (wireCode: number, times: number) => {
    let left = times;
    return (_: string, right: Row[]): Row[] => {
      if (left-- > 0) throw new CodrError('target-unfit', 'not now', { facts: { wireCode } });
      return right;
    };
  };
  const { reads } = await asked({ answer: failing(0x1001, 3) });
  assert.equal(reads.made, 7);
  await assert.rejects(asked({ answer: failing(0x1001, 9) }), { code: 'target-unfit' });
  await assert.rejects(asked({ answer: failing(0x2200, 1) }), { code: 'target-unfit' });
  await assert.rejects(asked({ answer: failing(0x1300, 9) }), {
    code: 'proof-failed',
    message: /the replica 10\.0\.0\.1 fails to read/,
  });
});
