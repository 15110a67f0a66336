// What do three nodes at RF 3 cost to protect and to give back: bytes stored beside the three copies, a base, an
// idle cut, a cut after 1 % of writes, a fresh base after a major compaction, restores with and without proof, of a
// checkpoint and of ten runs; and of a table of which one node missed 1 % of the rows and as many deletes.
// The floor is a copy of the three nodes' files, which is what a tool that keeps files would store.
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'cassandra-driver';
import { stringify } from 'yaml';
import type { CassandraCluster } from '../src/node/demo/cassandra-server.ts';
import { connectCql, startCassandra, type TestClient } from '../test/harness/cassandra.ts';
import { Chance } from './chance.ts';
import { BenchRepository } from './codr.ts';
import type { Cost } from './measure.ts';
import { type BenchOptions, printRows, type Question, say } from './question.ts';
import { textPool, textPoolBytes } from './table.ts';

export const cassandraQuestion: Question = {
  name: 'cassandra',
  about: 'three nodes at RF 3 beside a copy of their files; to reach: 0.3 of the bytes stored',
  run,
};

const rowBytes = 120;
const textBytes = 86;
const rowsPerPartition = 50;
const insertInto = (table: string): string =>
  `INSERT INTO bench.${table} (k, c, n, w) VALUES (?, ?, ?, ?)`;
const texts = textPool(new Chance(1));
const writerSeconds = 30;
const writersAtOnce = 32;

async function run({ mebibytes }: BenchOptions): Promise<void> {
  await using cluster = await startCassandra({ nodes: 3, heapMiB: 512, fast: false, hints: false });
  await using client = await connectCql(cluster, {
    queryOptions: { consistency: types.consistencies.all },
  });
  await client.cql(
    "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
  );
  await created(client, 'rows');
  const partitions = Math.ceil((mebibytes * 1024 * 1024) / (rowsPerPartition * rowBytes));
  await fill(client, { from: 0, to: partitions, seed: 1 });
  for (const node of cluster.nodes) await cluster.jmx(node).flush('bench');
  await settled(cluster);
  const servers = cluster.nodes.map((node) => cluster.pid(node));
  const config = await configOf(cluster);
  const files = await filesOf(cluster, 'rows');
  const threeCopies = await sizeOf(files);
  const floor = await copied(files);
  await using repository = await BenchRepository.create({ config });
  const costs: { label: string; cost: Cost }[] = [];
  const timed = async (label: string, words: readonly string[]): Promise<number> => {
    const before = await repository.storedBytes();
    costs.push({ label, cost: await repository.run(words, servers) });
    return (await repository.storedBytes()) - before;
  };
  const base = await timed('base of three copies', ['backup', 'bench']);
  const idle = await timed('idle cut', ['backup', 'bench']);
  for (const node of cluster.nodes) await cluster.jmx(node).compact('bench');
  await repository.run(['source', 'rebase', 'bench']);
  const afterCompaction = await timed('fresh base after compaction', ['backup', 'bench']);
  await fill(client, { from: 0, to: Math.ceil(partitions / 100), seed: 2 });
  const little = await timed('cut after 1 % of writes', ['backup', 'bench']);
  await timed('checkpoint', ['checkpoint', 'bench']);
  const restore = (keyspace: string, ...more: string[]): string[] => {
    const to = ['--to', config, '--rename', `bench.*=${keyspace}.*`];
    return ['restore', 'bench', ...to, ...more];
  };
  await timed('restore of it, no proof', restore('b2', '--no-verify'));
  await timed('restore of it, proven', restore('b3'));
  for (let cut = 1; cut <= 10; cut++) {
    await fill(client, { from: 0, to: Math.ceil(partitions / 1000), seed: 2 + cut });
    await repository.run(['backup', 'bench']);
  }
  await timed('restore with ten runs, no proof', restore('b4', '--no-verify'));
  await settled(cluster);
  const alone = await written(client, partitions);
  const [beside] = await Promise.all([
    written(client, partitions),
    timed('cut under a saturating writer', ['backup', 'bench']),
  ]);
  await repository.run(['backup', 'bench']);
  const gapped = await withGaps(cluster, client, Math.ceil(partitions / 4));
  const ofGapped = await timed('cut of a table with gaps', ['backup', 'bench']);
  printRows([floor, ...costs.map(({ label, cost }) => ({ label, ...cost }))], {
    bytes: threeCopies,
  });
  const share = (bytes: number, of = base): string => `${((bytes / of) * 100).toFixed(1)} %`;
  for (const { label, cost } of costs.filter((one) => one.label.startsWith('restore'))) {
    say(`${label}: ${(threeCopies / 3e6 / cost.seconds).toFixed(0)} MB/s of one copy's files`);
  }
  say(
    `three copies ${mb(threeCopies)} MB, stored ${mb(base)} MB = ${share(base, threeCopies)} of them`,
  );
  say(
    `one copy lacks 1 % of rows and deletes: three copies ${mb(gapped)} MB, stored ${mb(ofGapped)} MB = ${share(ofGapped, gapped)} of them`,
  );
  say(
    `writer: ${describe(alone)} alone, ${describe(beside)} in the ${writerSeconds} s in which a cut begins`,
  );
  say(
    `idle cut ${share(idle)}, 1 % of writes ${share(little)}, after compaction ${share(afterCompaction)} of the base`,
  );
}

const mb = (bytes: number): string => (bytes / 1e6).toFixed(1);

interface Filled {
  readonly from: number;
  readonly to: number;
  readonly seed: number;
  readonly table?: string;
  readonly consistency?: number;
}

async function created({ cql }: TestClient, table: string): Promise<void> {
  await cql(`CREATE TABLE bench.${table} (k bigint, c int, n int, w text, PRIMARY KEY (k, c))`);
}

/** Of a table one node misses 1 % of the rows and as many deletes; gives the bytes of the three copies. */
async function withGaps(
  cluster: CassandraCluster,
  client: TestClient,
  partitions: number,
): Promise<number> {
  const table = 'gaps';
  const consistency = types.consistencies.quorum;
  await created(client, table);
  const missed = Math.ceil(partitions / 100);
  await fill(client, { from: 0, to: partitions - missed, seed: 1, table });
  for (const node of cluster.nodes) await cluster.jmx(node).flush('bench');
  await cluster.stopNode(3);
  await fill(client, { from: partitions - missed, to: partitions, seed: 2, table, consistency });
  for (let k = 0; k < missed; k++) {
    const key = [types.Long.fromNumber(k)];
    const query = `DELETE FROM bench.${table} WHERE k = ?`;
    await client.client.execute(query, key, { prepare: true, consistency });
  }
  await cluster.startNode(3);
  await cluster.waitCql(3);
  await cluster.waitRing();
  for (const node of cluster.nodes) await cluster.jmx(node).flush('bench');
  await settled(cluster);
  return await sizeOf(await filesOf(cluster, table));
}

/** Rows of the shape of 120 bytes of the other questions. */
async function fill(
  { client }: TestClient,
  { from, to, seed, table = 'rows', consistency = types.consistencies.all }: Filled,
): Promise<void> {
  const query = insertInto(table);
  const chance = new Chance(seed);
  let running: Promise<unknown>[] = [];
  for (let k = from; k < to; k++) {
    const batch = Array.from({ length: rowsPerPartition }, (_, c) => {
      const at = chance.below(textPoolBytes - textBytes);
      const w = texts.toString('latin1', at, at + textBytes);
      return { query, params: [types.Long.fromNumber(k), c, at, w] };
    });
    running.push(client.batch(batch, { prepare: true, logged: false, consistency }));
    if (running.length < 16) continue;
    await Promise.all(running);
    running = [];
  }
  await Promise.all(running);
}

/** Until no node compacts: files stay as they are then. */
async function settled(cluster: CassandraCluster): Promise<void> {
  const pending = 'org.apache.cassandra.metrics:type=Compaction,name=PendingTasks';
  const counts = async (): Promise<unknown[]> =>
    await Promise.all(cluster.nodes.map((node) => cluster.jmx(node).read(pending, 'Value')));
  for (let calm = 0; calm < 3; ) {
    await sleep(1000);
    calm = (await counts()).every((count) => count === 0) ? calm + 1 : 0;
  }
}

interface Written {
  readonly perSecond: number;
  readonly p99Ms: number;
}

const describe = ({ perSecond, p99Ms }: Written): string =>
  `${perSecond.toFixed(0)} rows/s, p99 ${p99Ms.toFixed(1)} ms`;

/** As many rows as the servers take, some at a time. */
async function written({ client }: TestClient, partitions: number): Promise<Written> {
  const latencies: number[] = [];
  const end = performance.now() + writerSeconds * 1000;
  const lane = async (number: number): Promise<void> => {
    for (let i = number; performance.now() < end; i += writersAtOnce) {
      const start = performance.now();
      const key = types.Long.fromNumber(i % partitions);
      const row = [key, rowsPerPartition + (i % 7), i, 'w'.repeat(textBytes)];
      await client.execute(insertInto('rows'), row, { prepare: true });
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: writersAtOnce }, (_, i) => lane(i)));
  latencies.sort((a, b) => a - b);
  const p99Ms = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
  return { perSecond: latencies.length / writerSeconds, p99Ms };
}

async function filesOf(cluster: CassandraCluster, name: string): Promise<string[]> {
  const found: string[] = [];
  for (const node of cluster.nodes) {
    const folder = join(cluster.dataFolder(node), 'bench');
    for (const table of await readdir(folder)) {
      if (!table.startsWith(`${name}-`)) continue;
      for (const name of await readdir(join(folder, table))) {
        if (/-(?:big|bti)-/.test(name)) found.push(join(folder, table, name));
      }
    }
  }
  return found;
}

async function sizeOf(files: readonly string[]): Promise<number> {
  let sum = 0;
  for (const file of files) sum += (await stat(file)).size;
  return sum;
}

/** What a tool costs that keeps the files as they are. */
async function copied(files: readonly string[]): Promise<Cost & { readonly label: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-bench-copy-'));
  try {
    const start = performance.now();
    for (const [i, file] of files.entries()) await copyFile(file, join(folder, String(i)));
    const seconds = (performance.now() - start) / 1000;
    const nothing = { cpuSeconds: 0, serverCpuSeconds: 0, peakBytes: 0, stdout: '' };
    return { label: 'copy of the files of all nodes', seconds, ...nothing };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A source file of a cluster; gives its path. */
export async function configOf(cluster: CassandraCluster): Promise<string> {
  const folder = join(cluster.folder, 'bench');
  await mkdir(folder, { recursive: true });
  const nodes = Object.fromEntries(
    cluster.nodes.map((node) => [
      cluster.address(node),
      { dataDirectories: [cluster.dataFolder(node)], control: { jolokia: cluster.httpUrl(node) } },
    ]),
  );
  const path = join(folder, 'source.yaml');
  await writeFile(
    path,
    stringify({ kind: 'cassandra', contactPoints: cluster.contactPoints, nodes }),
  );
  return path;
}
