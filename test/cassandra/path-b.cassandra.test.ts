// A cut given back by CQL alone, to a target whose files nobody can reach: values, timestamps and expiries are
// the same; counters are left out and said so; a run that was killed is gone on with by the same command.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Progress } from '../../src/api/codr-api.ts';
import { restoreCommand } from '../../src/cli/command-restore.ts';
import { partitionEnd } from '../../src/connector/cassandra/key/record-key.ts';
import { tableBodyOf } from '../../src/connector/cassandra/schema/table-body.ts';
import { openCql } from '../../src/connector/cassandra/session/cql.ts';
import { readRing } from '../../src/connector/cassandra/session/ring.ts';
import { type Compared, CqlProof } from '../../src/connector/cassandra/target/cql-proof.ts';
import {
  Captured,
  configOfCluster,
  live,
  signal,
} from '../../src/connector/cassandra/target/target-world.fixture.ts';
import { type KeyRange, rangeHolds, rangesBetween } from '../../src/model/key-range.ts';
import type { RecordStream } from '../../src/model/record.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { clusterText } from '../../src/node/source-file.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { connectCql, sharedNode } from '../harness/cassandra.ts';
import { assertSameRows, seen } from './oracle.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedNode();
/** Of files of before 5.0. */
const expiryMax = 2_147_483_646;
const mainFile = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}";
const uriOf = ({ contactPoints }: CassandraCluster): string =>
  `cassandra://${contactPoints.join(',')}`;

const scalars =
  'a ascii, b blob, bi bigint, bo boolean, d date, de decimal, dou double, du duration, f float, ' +
  'i inet, n int, s smallint, te text, ti tinyint, tm time, ts timestamp, tu timeuuid, u uuid, vi varint';
const scalarValues =
  "'a', 0x00ff, -7, true, '2024-02-29', 1.00, -0.0, 1mo2d3ns, 1.5, '::1', 42, -3, 'täxt', -1, " +
  "'01:02:03.000000004', '1969-12-31T23:59:59.999Z', 5132b130-ae79-11e4-ab27-0800200c9a66, " +
  '123e4567-e89b-42d3-a456-426614174000, -123456789012345678901234567890';

const tables = [
  'CREATE TYPE pb.address (street text, zip int, "Ti" tinyint)',
  `CREATE TABLE pb.scalars (k text PRIMARY KEY, ${scalars})`,
  'CREATE TABLE pb.nested (k int PRIMARY KEY, t tuple<int, text>, f frozen<address>, ' +
    'fl frozen<list<int>>, fm frozen<map<text, frozen<set<int>>>>, v vector<float, 3>)',
  'CREATE TABLE pb.cells (p1 int, p2 text, c1 int, c2 text, v text, w blob, s text static, ' +
    'sm map<text, int> static, m map<text, int>, st set<int>, l list<text>, a address, ' +
    'PRIMARY KEY ((p1, p2), c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)',
  'CREATE TABLE pb.keys (k decimal, c decimal, PRIMARY KEY (k, c))',
  'CREATE TABLE pb.expiring (k int PRIMARY KEY, v text) WITH default_time_to_live = 90000',
  'CREATE TABLE pb.address (k int PRIMARY KEY, v frozen<address>)',
  'CREATE TABLE pb.far (k int PRIMARY KEY, v text)',
  'CREATE TABLE pb.hits (k int PRIMARY KEY, n counter)',
  'CREATE INDEX cells_v ON pb.cells (v)',
];

const at = "p1 = 1 AND p2 = 'x' AND c1 = 1 AND c2 = 'y'";
const writes = [
  `INSERT INTO pb.scalars (k, ${scalars.replace(/ \w+(,|$)/g, '$1')}) VALUES ('all', ${scalarValues})`,
  "INSERT INTO pb.scalars (k) VALUES ('none')",
  "INSERT INTO pb.scalars (k, n, te, b) VALUES ('empty', blobasint(0x), '', 0x)",
  "UPDATE pb.scalars USING TIMESTAMP 77 AND TTL 50000 SET n = 1 WHERE k = 'updated'",
  "INSERT INTO pb.nested (k, t, f, fl, fm, v) VALUES (1, (1, null), {street: 'a'}, [1, 2], " +
    "{'x': {1, 2}}, [1, 2.5, -3])",
  "INSERT INTO pb.cells (p1, p2, c1, c2, v, w) VALUES (1, 'x', 1, 'y', 'v', 0x01) " +
    'USING TIMESTAMP 1000000 AND TTL 80000',
  `UPDATE pb.cells USING TIMESTAMP 2000000 SET w = 0x02 WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 3000000 SET m = m + {'a': 1, 'c': 3} WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 3000001 AND TTL 70000 SET m['b'] = 2 WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 3000002 SET st = st + {3, 1, 2} WHERE ${at}`,
  `DELETE st[2] FROM pb.cells USING TIMESTAMP 3000003 WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 4000000 SET l = l + ['one', 'two'] WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 4000001 AND TTL 60000 SET l = ['zero'] + l WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 4000000 SET l = l + [''] WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 5000000 SET a = {street: 's', zip: 1} WHERE ${at}`,
  `UPDATE pb.cells USING TIMESTAMP 5000001 AND TTL 50000 SET a."Ti" = 7 WHERE ${at}`,
  "UPDATE pb.cells SET s = 'alone', sm = {'k': 1} WHERE p1 = 2 AND p2 = ''",
  "UPDATE pb.cells USING TTL 40000 SET s = 'beside' WHERE p1 = 1 AND p2 = 'x'",
  "INSERT INTO pb.cells (p1, p2, c1, c2) VALUES (1, 'x', 2, '')",
  "INSERT INTO pb.cells (p1, p2, c1, c2, v) VALUES (1, 'x', 3, 'gone', 'v')",
  "DELETE FROM pb.cells WHERE p1 = 1 AND p2 = 'x' AND c1 = 3",
  'INSERT INTO pb.keys (k, c) VALUES (1.0, 1.00)',
  'INSERT INTO pb.keys (k, c) VALUES (1.0, 2)',
  "INSERT INTO pb.expiring (k, v) VALUES (1, 'default')",
  "INSERT INTO pb.expiring (k, v) VALUES (2, 'never') USING TTL 0",
  "INSERT INTO pb.address (k, v) VALUES (1, {street: 'called as its table'})",
  'UPDATE pb.hits SET n = n + 5 WHERE k = 1',
];

test('a keyspace with columns of all kinds comes back by CQL alone, without its counters', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(`CREATE KEYSPACE pb WITH replication = ${replication}`);
  for (const statement of [...tables, ...writes]) await client.cql(statement);
  // The last minute that files of before 5.0 hold: what is written later than it was reckoned would be behind it.
  const near = expiryMax - 60 - Math.floor(Date.now() / 1000);
  await client.cql(`INSERT INTO pb.far (k, v) VALUES (1, 'far') USING TTL ${near}`);
  await client.cql('INSERT INTO pb.scalars (k, te) VALUES (?, ?)', ['k'.repeat(2000), 'long key']);
  await using world = await CassandraWorld.open();
  const protectedKeyspace = await world.protect('pb', source);
  await protectedKeyspace.backup();
  const wanted = new Map(await seen(client, 'pb'));
  wanted.delete('hits');
  wanted.set('moved', wanted.get('address') ?? []);
  wanted.delete('address');
  wanted.delete('far');
  const choice = { to: uriOf(source), renames: ['pb.address=pb2.moved', 'pb.*=pb2.*'] };

  const plan = await protectedKeyspace.plan(choice);
  const warned = plan.warnings.join('\n');
  assert.match(warned, /compares keys, values, writetimes and expiry of all cells at ALL/);
  assert.match(warned, /times to live become what is left/);
  assert.match(warned, /pb2\.cells: elements of l get new ids/);
  const { bytes, bytesPerSecond, seconds } = plan.estimate;
  assert.equal(seconds, bytes / (2e6 / 3));
  assert.equal(bytesPerSecond, Math.round(2e6 / 3));
  assert.ok(bytes > 0 && plan.datasets.every(({ ranges }) => ranges === 1));
  const { restored, told } = await restoreTold(world, choice);
  for (const [line, phase] of [
    [/^skipped pb2\.hits: counters cannot be set by CQL/m, 'plan'],
    [/^warning: by CQL alone the proof compares keys/m, 'plan'],
  ] as const) {
    assert.equal(told.find(({ text }) => line.test(text))?.phase, phase);
  }
  assert.deepEqual(
    restored.skipped.map(({ namespace, reason }) => [namespace, reason.slice(0, 21)]),
    [
      ['pb2.hits', 'counters cannot be se'],
      ['expiry', '2 expiries after 2038'],
    ],
  );
  assert.equal(restoreCommand.exitCode?.(restored), 3);
  assert.deepEqual(
    restored.datasets.map(({ to, proven, reads }) => [to, proven, reads?.made]).sort(),
    [
      ['pb2.cells', true, 3],
      ['pb2.expiring', true, 2],
      ['pb2.far', true, 1],
      ['pb2.keys', true, 2],
      ['pb2.moved', true, 1],
      ['pb2.nested', true, 1],
      ['pb2.scalars', true, 5],
    ],
  );
  const got = new Map(await seen(client, 'pb2'));
  const [cut] = got.get('far') ?? [];
  got.delete('far');
  assertSameRows(got, wanted);
  assert.ok(Math.abs((cut?.expiries[0] ?? 0) - (expiryMax - 3600)) <= 5, String(cut?.expiries));
  const found = await client.cql("SELECT p1 FROM pb2.cells WHERE v = 'v'");
  assert.equal(found.rowLength, 1);
  const { rowLength } = await client.cql(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'pb2' AND table_name = 'hits'",
  );
  assert.equal(rowLength, 0);
  // What is left out is nothing that the cut lacks: it stays, whatever is dropped.
  await client.cql('CREATE TABLE pb2.hits (k int PRIMARY KEY, n counter)');
  const { dropped } = await protectedKeyspace.plan({ ...choice, drop: true });
  assert.ok(dropped.includes('pb2.far') && !dropped.includes('pb2.hits'), dropped.join());
});

/** As the command line asks for it, with what is said before anything is loaded, and in which phase. */
async function restoreTold(
  world: CassandraWorld,
  choice: { readonly to: string; readonly renames: string[]; readonly include?: string[] },
) {
  await using node = await world.node();
  const told: { readonly phase: string; readonly text: string }[] = [];
  const progress = ({ phase, told: text, records }: Progress): void => {
    if (text === undefined) return;
    assert.equal(records, 0);
    told.push({ phase, text });
  };
  const all = { include: [], exclude: [], drop: false, ttl: 'keep', verify: true } as const;
  const request = { source: 'pb', at: 'latest', ...all, ...choice };
  return { restored: await node.restore(request, { signal, progress }), told };
}

test('by files too it is said first what must be left alone', async () => {
  const source = await cluster();
  await using world = await CassandraWorld.open();
  const counted = await world.protect('pb', source, { include: ['pb.hits'] });
  await counted.backup();
  const to = await clusterText(await world.configFile('target', source));
  const { restored, told } = await restoreTold(world, { to, renames: ['pb.*=pb3.*'] });
  assert.equal(told[0]?.phase, 'plan');
  assert.match(told[0].text, /^warning: pb3\.hits: its counters must not be incremented/m);
  assert.deepEqual(
    restored.datasets.map(({ proven }) => proven),
    [true],
  );
});

/** What somebody does to a restored table, and what the proof says of it. */
const tampered = [
  [
    'scalars',
    "UPDATE pb2.scalars USING TIMESTAMP 78 AND TTL 49999 SET n = 1 WHERE k = 'updated'",
    /writetime\("n"\)/,
  ],
  ['nested', "UPDATE pb2.nested SET f = {street: 'b'} WHERE k = 1", /its "f" is another/],
  [
    'keys',
    'INSERT INTO pb2.keys (k, c) VALUES (1.0, 3)',
    /a row that was not to be restored|another before it/,
  ],
  ['expiring', 'UPDATE pb2.expiring USING TTL 100 SET v = null WHERE k = 1', /its "v" is another/],
  ['cells', "DELETE FROM pb2.cells WHERE p1 = 1 AND p2 = 'x' AND c1 = 2", /it lacks the row/],
] as const;

test('what differs in one cell, time or row from the cut is found by reading the target', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await using captured = await Captured.of(there, 'pb');
  const config = configOfCluster(there);
  await using cql = await openCql(config, signal, 'target');
  const ring = await readRing(cql, [], signal);
  const compare = async (table: string): Promise<number> => {
    const item = captured.items('pb2').find(({ namespace }) => namespace === `pb2.${table}`);
    assert.ok(item);
    const proof = new CqlProof({ config, cql, ring }, systemClock);
    const { nowMs } = proof.begin(table, undefined);
    const look = proof.look(table);
    assert.ok(look);
    const schema = { ...tableBodyOf(item.entry).schema, keyspace: 'pb2' };
    const told = (compared: Compared): void => proof.add(table, compared);
    // Ranges whose bounds lie within the keys of one token.
    const bounds: Uint8Array[] = [];
    for await (const batch of live(item.dataset, nowMs)) {
      bounds.push(
        ...batch.slice(1, 2).map(({ key }) => key.subarray(0, partitionEnd(key, 0, key.length))),
      );
    }
    for (const range of rangesBetween(bounds)) {
      const records = within(live(item.dataset, nowMs), range);
      for await (const _ of proof.compare({ schema, range, look, told }, records, signal));
    }
    return proof.result(table).made;
  };
  for (const [table, statement, fault] of tampered) {
    assert.ok((await compare(table)) > 0);
    await client.cql(statement);
    await assert.rejects(compare(table), { code: 'proof-failed', message: fault });
  }
});

async function* within(records: RecordStream, range: KeyRange): RecordStream {
  for await (const batch of records) yield batch.filter(({ key }) => rangeHolds(range, key));
}

const partitions = 200;
const rowsPerPartition = 100;

test('a restore that was killed goes on when the same command comes again', async (t) => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(`CREATE KEYSPACE big WITH replication = ${replication}`);
  await client.cql('CREATE TABLE big.t (k int, c int, v text, l list<int>, PRIMARY KEY (k, c))');
  for (let k = 0; k < partitions; k++) {
    const queries = Array.from({ length: rowsPerPartition }, (_, c) => ({
      query: 'INSERT INTO big.t (k, c, v, l) VALUES (?, ?, ?, ?)',
      params: [k, c, `value ${k} ${c}`.padEnd(80, '.'), c % 10 === 0 ? [k, c] : null],
    }));
    await client.client.batch(queries, { prepare: true, logged: false });
  }
  await using world = await CassandraWorld.open();
  const big = await world.protect('big', source);
  await big.backup();
  const to = uriOf(source);
  // A table that somebody made to be filled is emptied by whoever goes on, and never made anew.
  await client.cql(`CREATE KEYSPACE big2 WITH replication = ${replication}`);
  const own = "PRIMARY KEY (k, c)) WITH comment = 'mine'";
  await client.cql(`CREATE TABLE big2.t (k int, c int, v text, l list<int>, ${own}`);
  const args = ['restore', 'big', '--to', to, '--rename', 'big.*=big2.*', '--json'];
  const child = spawn(process.execPath, [mainFile, ...args], {
    stdio: 'ignore',
    env: {
      ...process.env,
      ...{ CODR_REPO: join(world.folder, 'repository'), CODR_PASSWORD: 'a passphrase' },
    },
  });
  const exited = once(child, 'exit');
  const count = async (): Promise<number> => {
    const found = await client.client
      .execute('SELECT count(*) AS n FROM big2.t')
      .catch(() => undefined);
    return Number(found?.first().n ?? 0);
  };
  while (child.exitCode === null && (await count()) === 0);
  child.kill('SIGKILL');
  await exited;
  const loaded = await count();
  assert.ok(loaded > 0 && loaded < partitions * rowsPerPartition, `${loaded} rows were there`);

  const begun = performance.now();
  const restored = await big.restore({ to, renames: ['big.*=big2.*'] });
  const seconds = (performance.now() - begun) / 1000;
  t.diagnostic(`${Math.round((partitions * rowsPerPartition) / seconds)} rows/s, all in all`);
  assert.deepEqual(restored.skipped, []);
  assertSameRows(await seen(client, 'big2'), await seen(client, 'big'));
  const comment = "SELECT comment FROM system_schema.tables WHERE keyspace_name = 'big2'";
  assert.deepEqual(
    (await client.cql(comment)).rows.map((row) => row.comment),
    ['mine'],
  );
  const markers = await client.cql(
    "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'codr_restore'",
  );
  assert.equal(markers.rowLength, 0);
});
