// A real node takes the files of a restored table as its compaction strategy would have made them, and deletions
// that are kept hide what comes later.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { assertSameRows, seen } from '../../../../test/cassandra/oracle.ts';
import { CassandraWorld } from '../../../../test/cassandra/world.ts';
import { connectCql, sharedNode, type TestClient } from '../../../../test/harness/cassandra.ts';
import type { RecordStream } from '../../../model/record.ts';
import { type BlockStream, batchOf, blockOf } from '../../../model/record-block.ts';
import type { CassandraCluster } from '../../../node/demo/cassandra-server.ts';
import { liveForm } from '../merge/live-form.ts';
import { tableBodyOf } from '../schema/table-body.ts';
import { localFiles } from '../session/local-files.ts';
import {
  type ListedSstable,
  listSstables,
  listTableFolders,
  openSstable as openFiles,
} from '../session/node-files.ts';
import { readStatistics } from '../sstable/statistics.ts';
import { windowOf } from './file-layout.ts';
import type { SstableTarget } from './sstable-target.ts';
import { Captured, live, openTarget, optionsOf, signal } from './target-world.fixture.ts';

const cluster = sharedNode();
const hourMicros = 3_600_000_000;
const base = Math.floor(1_700_000_000_000_000 / hourMicros) * hourMicros;

async function prepared(client: TestClient, keyspace: string, tables: readonly string[]) {
  await client.cql(
    `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
  for (const table of tables) await client.cql(table);
}

async function filesOf(there: CassandraCluster, keyspace: string): Promise<ListedSstable[]> {
  const folders = await listTableFolders({
    files: localFiles,
    dataDirectories: [there.dataFolder(1)],
  });
  const own = folders.filter((folder) => folder.keyspace === keyspace);
  const listed = await Promise.all(own.map((folder) => listSstables('h', folder, '.')));
  return listed.flatMap(({ complete }) => complete);
}

async function compactions({ cql }: TestClient, keyspace: string): Promise<number> {
  const { rows } = await cql('SELECT keyspace_name FROM system.compaction_history');
  return rows.filter((row) => row.keyspace_name === keyspace).length;
}

test('no file of a restored table in windows spans two, and the server leaves them as they are', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const twcs =
    "{'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': 1}";
  await prepared(client, 'ticks', [
    `CREATE TABLE ticks.t (k int, c int, s int static, v int, w text, m map<int, int>, PRIMARY KEY (k, c)) WITH compaction = ${twcs} AND gc_grace_seconds = 864000`,
  ]);
  for (let hour = 0; hour < 40; hour++) {
    const at = base + hour * hourMicros;
    for (const k of [1, 2, 3]) {
      await client.cql(
        `INSERT INTO ticks.t (k, c, v) VALUES (${k}, ${hour}, 1) USING TIMESTAMP ${at}`,
      );
    }
    // Rows and collections with cells of many windows.
    await client.cql(
      `UPDATE ticks.t USING TIMESTAMP ${at + 5} SET w = 'w${hour}', m[${hour}] = 1, s = ${hour} WHERE k = 1 AND c = ${hour % 7}`,
    );
  }
  await using world = await CassandraWorld.open();
  const source = await world.protect('ticks', there);
  await source.backup();
  const { datasets } = await source.restoreTo(there, { renames: ['ticks.*=ticks2.*'] });
  assert.deepEqual(
    datasets.map(({ proven }) => proven),
    [true],
  );
  assertSameRows(await seen(client, 'ticks2'), await seen(client, 'ticks'));
  const files = await filesOf(there, 'ticks2');
  assert.equal(files.length, 40);
  const windows = new Set<number>();
  for (const file of files) {
    await using opened = openFiles(file, () => localFiles);
    const { minTimestamp, maxTimestamp } = (await readStatistics(opened)).stats;
    const [first, last] = [minTimestamp, maxTimestamp].map((at) =>
      windowOf(Number(at >> 32n), Number(at & 0xffff_ffffn), hourMicros),
    );
    assert.equal(first, last, file.name);
    windows.add(last as number);
  }
  assert.equal(windows.size, 40);
  assert.equal(await compactions(client, 'ticks2'), 0);
});

test('files of a restored table in levels stay in the level that they were written for', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const lcs = "{'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': 1}";
  await prepared(client, 'steps', [
    `CREATE TABLE steps.t (k int PRIMARY KEY, v blob) WITH compaction = ${lcs} AND compression = {'enabled': false}`,
  ]);
  const value = '00'.repeat(16_000);
  for (let k = 0; k < 300; k++) {
    await client.cql(`INSERT INTO steps.t (k, v) VALUES (${k}, 0x${value})`);
  }
  await using world = await CassandraWorld.open();
  // Other tests of this node may have left theirs.
  const before = new Set(await readdir(there.dataFolder(1)));
  const source = await world.protect('steps', there);
  await source.backup();
  await source.restoreTo(there, { renames: ['steps.*=steps2.*'] });
  const levels = await Promise.all(
    (await filesOf(there, 'steps2')).map(async (file) => {
      await using opened = openFiles(file, () => localFiles);
      return (await readStatistics(opened)).stats.level;
    }),
  );
  assert.deepEqual(levels, [1, 1, 1, 1, 1]);
  const left = await readdir(there.dataFolder(1));
  assert.deepEqual(
    left.filter((name) => /^codr_try|^codr-/.test(name) && !before.has(name)),
    [],
  );
  assert.equal(await compactions(client, 'steps2'), 0);
  assertSameRows(await seen(client, 'steps2'), await seen(client, 'steps'));
});

test('kept deletions hide older data that comes later, after a compaction too, and are proven', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const columns = 'k int, c int, v int, m map<int, int>, PRIMARY KEY (k, c)';
  await prepared(client, 'graves', [
    `CREATE TABLE graves.t (${columns})`,
    `CREATE TABLE graves.short (${columns}) WITH gc_grace_seconds = 0`,
  ]);
  for (const table of ['t', 'short']) {
    const into = `INSERT INTO graves.${table} (k, c, v) VALUES`;
    for (const k of [1, 2, 3, 4]) {
      for (const c of [1, 2, 3]) await client.cql(`${into} (${k}, ${c}, 1) USING TIMESTAMP 1000`);
    }
    for (const what of ['k = 1', 'k = 2 AND c = 1', 'k = 3 AND c >= 2']) {
      await client.cql(`DELETE FROM graves.${table} USING TIMESTAMP 2000 WHERE ${what}`);
    }
    await client.cql(`DELETE v FROM graves.${table} USING TIMESTAMP 2000 WHERE k = 4 AND c = 1`);
    await client.cql(`${into} (4, 9, 9) USING TIMESTAMP 1500 AND TTL 1`);
  }
  await using world = await CassandraWorld.open();
  const source = await world.protect('graves', there);
  await source.backup();
  const keep = { renames: ['graves.*=kept.*'], tombstones: 'keep' } as const;
  const { datasets, warnings } = await source.restoreTo(there, keep);
  assert.deepEqual(
    datasets.map(({ proven }) => proven),
    [true, true],
  );
  assert.match(warnings.join(), /older than gc_grace_seconds may go/);
  await source.restoreTo(there, { renames: ['graves.*=lived.*'] });
  await there.jmx(1).compact('kept', 't');
  const again = async (keyspace: string): Promise<string[]> => {
    for (const k of [1, 2, 3, 4]) {
      for (const c of [1, 2, 3]) {
        await client.cql(
          `INSERT INTO ${keyspace}.t (k, c, v) VALUES (${k}, ${c}, 7) USING TIMESTAMP 1900`,
        );
      }
    }
    const { rows } = await client.cql(`SELECT k, c, v FROM ${keyspace}.t`);
    return rows.map((row) => `${row.k} ${row.c} ${row.v}`).sort();
  };
  // What was deleted at 2000 stays so where deletions were kept, and comes back where they were not.
  const stays = ['2 2 7', '2 3 7', '3 1 7', '4 1 null', '4 2 7', '4 3 7'];
  assert.deepEqual(await again('kept'), stays);
  assert.equal((await again('lived')).length, 12);
});

test('expiries that an earlier run had to cut are told by the run that ends', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await prepared(client, 'far', [
    'CREATE TABLE far.first (k int PRIMARY KEY, v text)',
    'CREATE TABLE far.second (k int PRIMARY KEY, v text)',
  ]);
  await client.cql("INSERT INTO far.first (k, v) VALUES (1, 'x') USING TTL 90000");
  await client.cql("INSERT INTO far.second (k, v) VALUES (1, 'x') USING TTL 90000");
  await using captured = await Captured.of(there, 'far');
  const options = optionsOf('far', 'farther');
  const items = captured.items('farther');
  const [first, second] = items;
  assert.ok(first && second);
  const loaded = async (item: typeof first, target: SstableTarget, years: number) => {
    await target.create(item, signal);
    const { schema } = tableBodyOf(item.entry);
    const ttl = { rebaseSeconds: years * 365 * 86_400 };
    const moved = async function* (): RecordStream {
      const nowSeconds = Math.floor(Date.now() / 1000);
      const blocks = async function* (): BlockStream {
        for await (const batch of live(item.dataset, Date.now())) yield blockOf(batch);
      };
      for await (const block of liveForm(blocks(), { schema, nowSeconds, ttl })) {
        yield batchOf(block);
      }
    };
    await target.load(item, moved(), signal);
    await target.index(item, signal);
    const { namespace } = item;
    const finished = { namespace, root: '', records: 1, bytes: 9, proven: false };
    await target.done(item, { ...finished, changedByTarget: [] }, signal);
  };
  {
    await using target = await openTarget(there);
    await target.plan(items, options, signal);
    await target.begin(signal);
    await loaded(first, target, 15);
  }
  await using target = await openTarget(there);
  const { finished } = await target.plan(items, options, signal);
  assert.deepEqual(
    finished.map(({ namespace }) => namespace),
    ['farther.first'],
  );
  await target.begin(signal);
  await loaded(second, target, 0);
  const { skipped } = await target.finish(items, signal);
  assert.deepEqual(
    skipped.map(({ namespace }) => namespace),
    ['expiry'],
  );
  assert.match(skipped[0]?.reason ?? '', /^2 expiries after 2038 were cut/);
});
