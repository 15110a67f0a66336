// A table whose files, as the server made them, are large enough to be read in parts by threads: every row is in the cut.
// A checkpoint of it that is lost costs no point, since what it was folded of is there still.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { types } from 'cassandra-driver';
import { connectCql, sharedNode, type TestClient } from '../harness/cassandra.ts';
import { oneReplica } from './catalogue.ts';
import { type SeenRows, seen } from './oracle.ts';
import { pointsBeside } from './points.ts';
import { CassandraWorld, call } from './world.ts';

const cluster = sharedNode();
const assertPoint = pointsBeside(cluster);
const rowsInBatch = 40;
/** From there on tables are read in parts. */
const largeBytes = 8 * 1024 * 1024;

let world: CassandraWorld;
before(async () => {
  world = await CassandraWorld.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

/** Partitions of rows of 1 KiB that nothing compresses. */
async function fill({ client }: TestClient, from: number, to: number): Promise<void> {
  const query = 'INSERT INTO big.t (k, c, v) VALUES (?, ?, ?)';
  const options = { prepare: true, consistency: types.consistencies.one, logged: false };
  for (let k = from; k < to; k++) {
    const batch = Array.from({ length: rowsInBatch }, (_, c) => ({
      query,
      params: [k, c, randomBytes(1024)],
    }));
    await client.batch(batch, options);
  }
}

/** Threads that this process starts while `work` runs. */
async function threadsOf(work: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const counted = (): void => {
    count += 1;
  };
  diagnostics.subscribe('worker_threads', counted);
  try {
    await work();
  } finally {
    diagnostics.unsubscribe('worker_threads', counted);
  }
  return count;
}

async function filesBelow(folder: string): Promise<Map<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(
    await Promise.all(paths.map(async (path) => [path, (await stat(path)).size] as const)),
  );
}

test("parts of a table of the server's own files are merged in threads, and a checkpoint that is lost costs no point", async () => {
  const source = await cluster();
  await using client = await connectCql(source);
  await client.cql(`CREATE KEYSPACE big WITH replication = ${oneReplica}`);
  await client.cql(
    'CREATE TABLE big.t (k int, c int, v blob, PRIMARY KEY (k, c)) WITH compaction = ' +
      "{'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}",
  );
  const big = await world.protect('big', source);
  await fill(client, 0, 1);
  const few = await threadsOf(() => big.backup());
  await fill(client, 0, 180);
  await source.jmx(1).flush('big', 't');
  // Files that lie over one another in part, with deletions of rows, of ranges and of partitions.
  await fill(client, 100, 260);
  for (let k = 0; k < 200; k += 9) {
    await client.cql(`DELETE FROM big.t WHERE k = ${k} AND c = 7`);
    await client.cql(`DELETE FROM big.t WHERE k = ${k + 1} AND c > 10 AND c < 20`);
    await client.cql(`DELETE FROM big.t WHERE k = ${k + 2}`);
  }
  await source.jmx(1).flush('big', 't');
  const data = await filesBelow(join(source.dataFolder(1), 'big'));
  const sizes = [...data].filter(([path]) => /t-[^/]*\/[^/]*-Data\.db$/.test(path));
  assert.ok(sizes.reduce((sum, [, size]) => sum + size, 0) > largeBytes, String(sizes));

  const points: [id: string, rows: SeenRows][] = [];
  const cut = async (): Promise<void> => {
    const { grade, point } = await big.backup();
    assert.equal(grade, 'complete');
    points.push([point.id, await seen(client, 'big')]);
  };
  const many = await threadsOf(cut);
  assert.ok(many > few, `${many} threads for a large table, ${few} for a small one`);
  await fill(client, 250, 262);
  await cut();
  const packs = join(world.folder, 'repository', 'packs');
  const known = await filesBelow(packs);
  await using node = await world.node();
  await node.checkpoint({ source: 'big', to: 'latest' }, call());
  const folded = [...(await filesBelow(packs))].filter(([path]) => !known.has(path));
  assert.ok(folded.length > 0, 'the checkpoint stored something of its own');
  await fill(client, 5, 8);
  await cut();
  for (const [path] of folded) await rm(path);

  const looked = await node.check({ readDataPercent: 0, repair: true }, call());
  assert.ok(
    looked.problems.some(({ affected }) => affected.some((name) => name.includes('big.t'))),
  );
  const { problems } = await node.check({ readDataPercent: 100, repair: false }, call());
  assert.deepEqual(problems, []);
  for (const [id, rows] of points) await assertPoint(client, big, id, rows);
});
