// 37, 45 to 48, 54: what a server does with its files between cuts and during them (compaction, truncates, restarts,
// imports, links switched off or removed) neither loses a row nor stores it twice.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { types } from 'cassandra-driver';
import { isCodrError } from '../../src/base/error.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { connectCql, sharedCassandra, type TestClient } from '../harness/cassandra.ts';
import { assertSameRows, type SeenRows, seen } from './oracle.ts';
import { pointsBeside } from './points.ts';
import { CassandraWorld } from './world.ts';

const cluster = sharedCassandra({ nodes: 1, incrementalBackups: false, readyMsMax: 400_000 });
const assertPoint = pointsBeside(cluster);
const service = 'org.apache.cassandra.db:type=StorageService';

let world: CassandraWorld;
before(async () => {
  world = await CassandraWorld.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

async function makeTable(client: TestClient, keyspace: string): Promise<void> {
  await client.cql(
    `CREATE KEYSPACE ${keyspace} WITH replication = ` +
      "{'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql(`CREATE TABLE ${keyspace}.t (k int PRIMARY KEY, v text)`);
}

async function write(
  { client }: TestClient,
  keyspace: string,
  keys: readonly [from: number, to: number],
  value: (k: number) => string = (k) => `v${k}`,
): Promise<void> {
  const query = `INSERT INTO ${keyspace}.t (k, v) VALUES (?, ?)`;
  const parameters = Array.from({ length: keys[1] - keys[0] }, (_, i) => [
    keys[0] + i,
    value(keys[0] + i),
  ]);
  const wait = { prepare: true, consistency: types.consistencies.one, isIdempotent: true };
  for (let i = 0; i < parameters.length; i += 32) {
    const some = parameters.slice(i, i + 32);
    await Promise.all(some.map((one) => client.execute(query, one, wait)));
  }
}

/** Writes rows from a key on, beside `work` done over and over, until told to stop; gives the key after the last. */
function writeOn(
  client: TestClient,
  keyspace: string,
  from: number,
  work: () => Promise<void> = async () => {},
): () => Promise<number> {
  let going = true;
  const done = (async () => {
    let k = from;
    for (; going; k += 32) await Promise.all([work(), write(client, keyspace, [k, k + 32])]);
    return k;
  })();
  return async () => {
    going = false;
    return await done;
  };
}

/** Of the table `t`, our path. */
async function tableFolder(source: CassandraCluster, keyspace: string): Promise<string> {
  const parent = join(source.dataFolder(1), keyspace);
  const [name = ''] = (await readdir(parent)).filter((one) => one.startsWith('t-'));
  return join(parent, name);
}

async function dataFiles(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => /-Data\.db$/.test(name)).sort();
}

/** Restarts the node between two clients: one that lives through it may go on to reconnect when it is closed. */
async function restart(
  source: CassandraCluster,
  client: TestClient,
  yaml: readonly string[] = [],
): Promise<TestClient> {
  await client[Symbol.asyncDispose]();
  await source.stopNode(1);
  await source.startNode(1, yaml);
  await source.waitCql(1);
  await source.waitRing();
  return await connectCql(source);
}

const newest = ['storage_compatibility_mode: NONE', 'uuid_sstable_identifiers_enabled: true'];

test('45: cuts while it is written and compacted all the time hold what was acknowledged, each row once', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'racing');
  await write(client, 'racing', [0, 500]);
  const racing = await world.protect('racing', source);
  await racing.backup();
  const stop = writeOn(client, 'racing', 500, async () => {
    await source.jmx(1).flush('racing', 't');
    await source.jmx(1).compact('racing', 't');
  });
  let records = 500;
  const points: string[] = [];
  for (let i = 0; i < 4; i++) {
    const result = await racing.backup();
    records += result.records;
    points.push(result.point.id);
  }
  const count = await stop();
  const last = await racing.backup();
  records += last.records;
  const wanted = await seen(client, 'racing');
  assert.equal(wanted.get('t')?.length, count);
  await assertPoint(client, racing, last.point.id, wanted);
  // What compaction made of captured rows is read again once in a while, when a cut meets it half-way; all of it
  // at each cut would be 3.7 times.
  assert.ok(records < count * 3, `${records} records read for ${count} rows`);
  // A cut amid the race holds rows without a gap up to where it was taken.
  const to = 'racing_amid';
  const renames = [`racing.*=${to}.*`];
  await racing.restoreTo(source, { at: points[1] ?? '', renames });
  const { rows } = await client.cql(`SELECT k FROM ${to}.t`);
  const keys = rows.map((row) => Number(row.k)).sort((a, b) => a - b);
  assert.ok(keys.length >= 500 && keys.length <= count);
  assert.ok((keys.at(-1) ?? 0) < keys.length + 32, 'an acknowledged row is missing');
});

test('45: links that somebody removes while cuts run are never a silent loss', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'vanish');
  await write(client, 'vanish', [0, 100]);
  const vanish = await world.protect('vanish', source);
  await vanish.backup();
  const folder = await tableFolder(source, 'vanish');
  let going = true;
  const removing = (async () => {
    while (going) {
      for (const name of await dataFiles(join(folder, 'backups'))) {
        await rm(join(folder, 'backups', name), { force: true });
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  for (let i = 1; i <= 4; i++) {
    await write(client, 'vanish', [i * 100, i * 100 + 100]);
    await source.jmx(1).flush('vanish', 't');
    if (i > 2) await source.jmx(1).compact('vanish', 't');
    await vanish.backup().catch((error: unknown) => {
      assert.ok(isCodrError(error, 'partial'), String(error));
    });
  }
  going = false;
  await removing;
  const { point, grade } = await vanish.backup();
  assert.equal(grade, 'complete');
  await assertPoint(client, vanish, point.id, await seen(client, 'vanish'));
});

test('47: files that a restore imported are captured like any other, and store next to nothing', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'goods');
  await write(client, 'goods', [0, 6000], () => randomBytes(300).toString('base64'));
  const goods = await world.protect('goods', source, { include: ['goods.*', 'goods2.*'] });
  const base = await goods.backup();
  assert.ok(base.bytesStored > 1_500_000);
  const wanted = await seen(client, 'goods');
  await goods.restoreTo(source, { renames: ['goods.*=goods2.*'] });
  const links = await dataFiles(join(await tableFolder(source, 'goods2'), 'backups'));
  assert.ok(links.length > 0, 'the import made no links');
  const again = await goods.backup();
  assert.deepEqual([again.datasets, again.records], [2, 6000]);
  const share = again.bytesStored / base.bytesStored;
  assert.ok(share <= 0.01, `${again.bytesStored} of ${base.bytesStored} bytes`);
  const idle = await goods.backup();
  assert.equal(idle.records, 0);
  const renames = ['goods2.*=goods3.*'];
  await goods.restoreTo(source, { at: again.point.id, include: ['goods2.*'], renames });
  assertSameRows(await seen(client, 'goods3'), wanted);
});

test('48: a truncate between cuts, and two of them, end what was before, for the later points alone', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'cleared');
  const cleared = await world.protect('cleared', source);
  const wanted: [id: string, rows: SeenRows][] = [];
  const cut = async (): Promise<void> => {
    const rows = await seen(client, 'cleared');
    wanted.push([(await cleared.backup()).point.id, rows]);
  };
  await write(client, 'cleared', [0, 100]);
  await cut();
  await client.cql('TRUNCATE cleared.t');
  await cut();
  await write(client, 'cleared', [50, 70]);
  await cut();
  await write(client, 'cleared', [200, 250]);
  await source.jmx(1).flush('cleared', 't');
  await client.cql('TRUNCATE cleared.t');
  await write(client, 'cleared', [300, 350]);
  await client.cql('TRUNCATE cleared.t');
  await write(client, 'cleared', [10, 20]);
  await cut();
  await write(client, 'cleared', [20, 30]);
  await cut();
  assert.deepEqual(
    wanted.map(([, rows]) => rows.get('t')?.length),
    [100, 0, 20, 10, 20],
  );
  for (const [id, rows] of wanted) await assertPoint(client, cleared, id, rows);
});

test('48: a truncate with writes running ends what was before it and nothing after', async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'busy');
  await write(client, 'busy', [0, 300]);
  const busy = await world.protect('busy', source);
  const first = await busy.backup();
  const before = await seen(client, 'busy');
  const stop = writeOn(client, 'busy', 1000);
  await client.cql('TRUNCATE busy.t');
  await busy.backup();
  await client.cql('TRUNCATE busy.t');
  await Promise.all([busy.backup(), client.cql('SELECT k FROM busy.t LIMIT 1')]);
  await stop();
  const last = await busy.backup();
  const wanted = await seen(client, 'busy');
  assert.ok((wanted.get('t')?.length ?? 0) > 0);
  await assertPoint(client, busy, last.point.id, wanted);
  await assertPoint(client, busy, first.point.id, before);
});

test('rows flushed and compacted while links were off, by the switch or after a restart, are in the next cut', async () => {
  const source = await cluster();
  const client = await connectCql(source);
  await makeTable(client, 'unlinked');
  await write(client, 'unlinked', [0, 50]);
  const unlinked = await world.protect('unlinked', source);
  await unlinked.backup();
  const jmx = source.jmx(1);
  await jmx.write(service, 'IncrementalBackupsEnabled', false);
  await write(client, 'unlinked', [40, 100]);
  await jmx.flush('unlinked', 't');
  await jmx.compact('unlinked', 't');
  await jmx.write(service, 'IncrementalBackupsEnabled', true);
  const second = await unlinked.backup();
  const wanted = await seen(client, 'unlinked');
  assert.equal(second.grade, 'complete');
  // Its yaml says that links are off.
  await using again = await restart(source, client);
  assert.equal(await jmx.read(service, 'IncrementalBackupsEnabled'), false);
  await write(again, 'unlinked', [90, 150]);
  await jmx.flush('unlinked', 't');
  await jmx.compact('unlinked', 't');
  await write(again, 'unlinked', [150, 160]);
  const third = await unlinked.backup();
  assert.equal(await jmx.read(service, 'IncrementalBackupsEnabled'), true);
  assert.equal(third.grade, 'complete');
  const later = await seen(again, 'unlinked');
  assert.equal(later.get('t')?.length, 160);
  await assertPoint(again, unlinked, second.point.id, wanted);
  await assertPoint(again, unlinked, third.point.id, later);
});

test("54: Cassandra's own keyspaces are no part of a source that includes everything", async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await makeTable(client, 'ours');
  const everything = await world.protect('everything', source, { include: [] });
  const { point } = await everything.backup();
  await using node = await world.node();
  const { datasets } = await node.listDatasets({ source: 'everything', at: point.id });
  const names = datasets.map(({ namespace }) => namespace);
  assert.ok(names.includes('ours.t'));
  assert.deepEqual(
    names.filter((name) => name.startsWith('system')),
    [],
  );
});

test('46, 37: a name used again after a truncate and a restart is another file; nb, oa and da with both kinds of ids merge', async () => {
  const source = await cluster();
  const client = await connectCql(source);
  await makeTable(client, 'formats');
  const formats = await world.protect('formats', source);
  await write(client, 'formats', [0, 60], (k) => `old ${k}`);
  const first = await formats.backup();
  const before = await seen(client, 'formats');
  const folder = await tableFolder(source, 'formats');
  const names = await dataFiles(folder);
  await client.cql('TRUNCATE formats.t');
  // The number of a file is the highest that is there plus one: a restart begins anew.
  const second = await restart(source, client);
  await write(second, 'formats', [0, 60], (k) => `new ${k}`);
  await source.jmx(1).flush('formats', 't');
  assert.deepEqual(await dataFiles(folder), names);
  const reused = await formats.backup();
  assert.equal(reused.records, 60);
  const nb = await seen(second, 'formats');

  const third = await restart(source, second, newest);
  await write(third, 'formats', [30, 90], (k) => `oa ${k}`);
  await third.cql('DELETE FROM formats.t WHERE k = 5');
  await source.jmx(1).flush('formats', 't');
  await using fourth = await restart(source, third, [
    ...newest,
    'sstable: { selected_format: bti }',
  ]);
  await write(fourth, 'formats', [80, 120], (k) => `da ${k}`);
  await fourth.cql('DELETE FROM formats.t WHERE k = 35');
  await source.jmx(1).flush('formats', 't');
  const versions = (await dataFiles(folder)).map((name) => name.slice(0, 2));
  assert.deepEqual([...new Set(versions)].sort(), ['da', 'nb', 'oa']);
  const mixed = await formats.backup();
  assert.equal(mixed.grade, 'complete');
  const wanted = await seen(fourth, 'formats');
  assert.equal(wanted.get('t')?.length, 118);
  await assertPoint(fourth, formats, mixed.point.id, wanted);
  await assertPoint(fourth, formats, reused.point.id, nb);
  await assertPoint(fourth, formats, first.point.id, before);
});

// The last one of the cluster: what lies in the second directory would be missed without it.
test('files of a node with several data directories are captured from all, and a directory nobody named is refused', async () => {
  const source = await cluster();
  const client = await connectCql(source);
  await makeTable(client, 'spread');
  const first = await world.protect('spread', source);
  await first.backup();
  const folders = [source.dataFolder(1), join(source.nodeFolder(1), 'more-data')];
  const yaml = [...newest, `data_file_directories: [${folders.join(', ')}]`];
  await using again = await restart(source, client, yaml);
  await write(again, 'spread', [0, 500]);
  await assert.rejects(first.backup(), /also keeps data in .*more-data/);

  const control = { jolokia: source.httpUrl(1) };
  const nodes = { [source.address(1)]: { dataDirectories: folders, control } };
  const both = { include: ['spread.*'], settings: { nodes } };
  const named = await world.protect('spread-named', source, both);
  const filesIn = async (subfolder: string): Promise<number[]> =>
    await Promise.all(
      folders.map(async (folder) => {
        const [table = ''] = await readdir(join(folder, 'spread'));
        return (await dataFiles(join(folder, 'spread', table, subfolder))).length;
      }),
    );
  assert.equal((await named.backup()).records, 500);
  assert.ok(
    (await filesIn('.')).every((count) => count > 0),
    'the server uses both',
  );
  await write(again, 'spread', [500, 1_000]);
  await source.jmx(1).flush('spread');
  await source.jmx(1).compact('spread');
  assert.ok((await filesIn('backups')).every((count) => count > 0));
  assert.equal((await named.backup()).records, 500);
  assert.deepEqual(await filesIn('backups'), [0, 0]);
  const wanted = await seen(again, 'spread');
  assert.equal(wanted.get('t')?.length, 1_000);
  const to = await world.configFile('spread-target', source, { nodes });
  const { datasets } = await named.restore({ to, renames: ['spread.*=spread_again.*'] });
  assert.ok(datasets.every(({ proven }) => proven));
  assertSameRows(await seen(again, 'spread_again'), wanted);
});
