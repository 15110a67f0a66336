// 36, 38, 39, 41: a replica that is damaged or away costs the point its grade, never its rows; what only an absent
// replica has comes with the first cut that captures it. 12, 15, 21: what was written while others were away, so that
// replicas differ, is one; 43: at any number of copies.
import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { types } from 'cassandra-driver';
import { isCodrError } from '../../src/base/error.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import {
  connectCql,
  connectThrough,
  sharedCassandra,
  type TestClient,
} from '../harness/cassandra.ts';
import { DividedWrites } from './divided-writes.ts';
import { askThemselves, assertEachAlone, assertSameRows, type SeenRows, seen } from './oracle.ts';
import { pointsBeside } from './points.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

const cluster = sharedCassandra({ ...askThemselves(3), hints: false, readyMsMax: 400_000 });
const assertPoint = pointsBeside(cluster);
const { all, one, quorum } = types.consistencies;
const service = 'org.apache.cassandra.db:type=StorageService';

let world: CassandraWorld;
before(async () => {
  world = await CassandraWorld.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

/** On all three nodes; nothing but a cut ever flushes or compacts it. */
async function makeTable(client: TestClient, keyspace: string, ...tables: string[]): Promise<void> {
  await client.cql(
    `CREATE KEYSPACE ${keyspace} WITH replication = ` +
      "{'class': 'SimpleStrategy', 'replication_factor': 3}",
  );
  for (const table of tables) {
    await client.cql(
      `CREATE TABLE ${keyspace}.${table} (k int PRIMARY KEY, v text) WITH compaction = ` +
        "{'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}",
    );
  }
}

async function write(
  { client }: TestClient,
  table: string,
  keys: readonly [from: number, to: number],
  consistency: number = all,
): Promise<void> {
  for (let k = keys[0]; k < keys[1]; k++) {
    await client.execute(`INSERT INTO ${table} (k, v) VALUES (?, ?)`, [k, `${table} ${k}`], {
      prepare: true,
      consistency,
    });
  }
}

/** Returns when the first of the nodes that run sees only them. */
async function seesOnly(source: CassandraCluster, ...nodes: readonly number[]): Promise<void> {
  const deadline = Date.now() + 90_000;
  for (;;) {
    const live = (await source.jmx(nodes[0] ?? 1).read(service, 'LiveNodes')) as string[];
    if (live.length === nodes.length) return;
    assert.ok(Date.now() < deadline, `${live} are seen to live`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function bring(source: CassandraCluster, ...nodes: readonly number[]): Promise<void> {
  for (const node of nodes) await source.startNode(node);
  for (const node of nodes) await source.waitCql(node);
  await source.waitRing();
}

/** Of a table on a node, in the order in which they were flushed: full paths of Data.db. */
async function dataFiles(
  source: CassandraCluster,
  node: number,
  keyspace: string,
  table: string,
): Promise<string[]> {
  const parent = join(source.dataFolder(node), keyspace);
  const folder = (await readdir(parent)).find((name) => name.startsWith(`${table}-`)) ?? '';
  const names = (await readdir(join(parent, folder))).filter((name) => /-Data\.db$/.test(name));
  const id = (name: string): number => Number(name.split('-')[1]);
  return names.sort((a, b) => id(a) - id(b)).map((name) => join(parent, folder, name));
}

test('36: a flipped bit, a cut file, a missing one and another digest cost their replica each, are named, and are read once whole', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'bad', 'flipped', 'shortened', 'incomplete', 'other');
  for (const table of ['flipped', 'shortened', 'incomplete', 'other']) {
    await write(client, `bad.${table}`, [0, 50]);
  }
  for (const node of source.nodes) await source.jmx(node).flush('bad');
  const wanted = await seen(client, 'bad');
  const [flipped, shortened, incomplete, other] = await Promise.all([
    dataFiles(source, 2, 'bad', 'flipped').then(([path]) => path ?? ''),
    dataFiles(source, 2, 'bad', 'shortened').then(([path]) => path ?? ''),
    dataFiles(source, 2, 'bad', 'incomplete').then(([path]) => path ?? ''),
    dataFiles(source, 2, 'bad', 'other').then(([path]) => path ?? ''),
  ]);
  const statistics = incomplete.replace('-Data.db', '-Statistics.db');
  const digest = other.replace('-Data.db', '-Digest.crc32');
  const kept = await Promise.all([flipped, shortened, statistics, digest].map(readBytes));
  const [whole, long, stats, sum] = kept;
  assert.ok(whole && long && stats && sum);
  const bent = Buffer.from(whole);
  bent[Math.floor(bent.length / 2)] = (bent[Math.floor(bent.length / 2)] ?? 0) ^ 4;
  await writeFile(flipped, bent);
  await truncate(shortened, Math.floor(long.length / 2));
  await rm(statistics);
  await writeFile(digest, '1');

  const bad = await world.protect('bad', source);
  const poor = await bad.backup();
  assert.equal(poor.grade, 'quorum-safe');
  for (const path of [flipped, shortened, incomplete, other]) {
    const parts = path.split('/');
    const [table, file] = [parts.at(-2) ?? '', (parts.at(-1) ?? '').replace('-Data.db', '')];
    const named = poor.warnings.filter((text) => text.includes(table) && text.includes(file));
    assert.equal(named.length, 1, `${table} ${file}: ${poor.warnings}`);
    assert.ok(named[0]?.includes(source.dataFolder(2)));
  }
  // The damage stays: it costs the next cut as well, though nothing new is in it.
  assert.equal((await bad.backup()).grade, 'quorum-safe');
  await writeFile(flipped, whole);
  await writeFile(shortened, long);
  await writeFile(statistics, stats);
  await writeFile(digest, sum);
  const good = await bad.backup();
  assert.deepEqual([good.grade, good.warnings], ['complete', []]);
  assert.deepEqual([(await bad.backup()).records], [0]);
  await assertPoint(client, bad, poor.point.id, wanted);
});

async function readBytes(path: string): Promise<Buffer> {
  return await readFile(path);
}

test('36: when two of three replicas are damaged there is no point, unless it is asked for', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'worse', 't');
  await write(client, 'worse.t', [0, 30]);
  for (const node of source.nodes) await source.jmx(node).flush('worse');
  const wanted = await seen(client, 'worse');
  for (const node of [1, 3]) {
    const [path = ''] = await dataFiles(source, node, 'worse', 't');
    await truncate(path, 10);
  }
  const worse = await world.protect('worse', source);
  await assert.rejects(worse.backup(), (error) => isCodrError(error, 'partial'));
  const { grade, point, warnings } = await worse.backup({ minGrade: 'best-effort' });
  assert.equal(grade, 'best-effort');
  for (const node of [1, 3]) {
    assert.ok(warnings.some((text) => text.includes(source.dataFolder(node))));
  }
  // The third replica has all of it.
  await assertPoint(client, worse, point.id, wanted);
});

/** Nodes go and come, with cuts and writes meanwhile, the same for whoever asks. */
let divided: Promise<DividedWrites> | undefined;

test('38, 39, 41: a cut without one of three nodes is quorum-safe, without two it is refused, and what only an absent one has comes later', async () => {
  divided ??= nodesGoAndCome();
  await divided;
});

async function nodesGoAndCome(): Promise<DividedWrites> {
  const source = await cluster();
  const away = await world.protect('away', source);
  const writes = new DividedWrites(source, 'split');
  {
    await using client = await connectCql(source);
    await makeTable(client, 'away', 't');
    await write(client, 'away.t', [0, 40]);
    await writes.whole();
    assert.equal((await away.backup()).grade, 'complete');
  }
  await source.stopNode(3);
  await seesOnly(source, 1, 2);
  let safe: string;
  {
    await using client = await connectThrough(source, 1);
    await write(client, 'away.t', [40, 80], quorum);
    await writes.without3();
    const { grade, point, warnings } = await away.backup();
    assert.equal(grade, 'quorum-safe');
    assert.ok(warnings.some((text) => text.includes(source.address(3))));
    safe = point.id;
  }
  await source.stopNode(2);
  await seesOnly(source, 1);
  await using first = await connectThrough(source, 1);
  await write(first, 'away.t', [80, 100], one);
  const count = (await pointIds('away')).length;
  await assert.rejects(
    away.backup(),
    (error) => isCodrError(error, 'partial') && error.exitCode === 3,
  );
  assert.equal((await pointIds('away')).length, count);
  const poor = await away.backup({ minGrade: 'best-effort' });
  assert.equal(poor.grade, 'best-effort');
  assert.ok((await pointIds('away')).includes(poor.point.id));
  // 41: acknowledged at ONE by node 1 alone, which the next cut does not capture.
  await write(first, 'away.t', [100, 120], one);
  await writes.byNode1();
  await source.stopNode(1);
  await bring(source, 2, 3);
  await seesOnly(source, 2, 3);
  await writes.without1();
  const without = await away.backup();
  assert.equal(without.grade, 'quorum-safe');
  await bring(source, 1);
  const whole = await away.backup();
  assert.equal(whole.grade, 'complete');

  await using client = await connectCql(source);
  const everything = await seen(client, 'away');
  assert.equal(everything.get('t')?.length, 120);
  await assertPoint(client, away, safe, below(everything, 80));
  await assertPoint(client, away, without.point.id, below(everything, 100));
  await assertPoint(client, away, whole.point.id, everything);
  return writes;
}

test('12, 15, 21, 43: what each replica alone was told is one, with one copy and with three again, on each replica', async () => {
  divided ??= nodesGoAndCome();
  const [source, writes] = [await cluster(), await divided];
  const split = await world.protect('split', source);
  assert.equal((await split.backup()).grade, 'complete');
  await using client = await connectCql(source);
  // A read at ALL repairs: only after the cut.
  const wanted = await seen(client, 'split');
  writes.assertMerged(wanted);
  const give = async (from: ProtectedCluster, to: string, copies: number): Promise<void> => {
    await client.cql(
      `CREATE KEYSPACE ${to} WITH replication = ` +
        `{'class': 'SimpleStrategy', 'replication_factor': ${copies}}`,
    );
    const { datasets } = await from.restoreTo(source, { renames: [`${from.name}.*=${to}.*`] });
    assert.deepEqual(
      datasets.map(({ proven }) => proven),
      [true, true, true],
    );
    await assertEachAlone(source, to, wanted);
  };
  await give(split, 'thin', 1);
  const thin = await world.protect('thin', source);
  assert.equal((await thin.backup()).grade, 'complete');
  await give(thin, 'thick', 3);
  // Counting goes on, in the same way, by each node.
  for (const keyspace of ['split', 'thin', 'thick']) await writes.countOn(keyspace);
  const more = await seen(client, 'split');
  for (const keyspace of ['thin', 'thick']) {
    assertSameRows(counted(await seen(client, keyspace)), counted(more), keyspace);
  }
  assert.throws(() => assertSameRows(counted(more), counted(wanted)), { code: 'ERR_ASSERTION' });
});

const counted = (rows: SeenRows): SeenRows => new Map([['counts', rows.get('counts') ?? []]]);

async function pointIds(source: string): Promise<string[]> {
  await using node = await world.node();
  return (await node.points({ source })).points.map(({ id }) => id);
}

/** Rows with keys below a number: each key is written but once. */
function below(rows: SeenRows, end: number): SeenRows {
  const own = (rows.get('t') ?? []).filter(({ text }) => {
    const k = /"k": (\d+)/.exec(text)?.[1];
    return k !== undefined && Number(k) < end;
  });
  assert.equal(own.length, end);
  return new Map([['t', own]]);
}
