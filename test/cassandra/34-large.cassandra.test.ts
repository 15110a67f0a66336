// 34: one wide partition, larger than the heap that CODR gets, large cells, and many partitions of one row: a backup
// and a restore end, in bounded memory. CODR_LARGE_MIB says how large the partition is; where it does, one cell has 16 MiB,
// and there are a million partitions.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { types } from 'cassandra-driver';
import { forEachLimit } from '../../src/base/async.ts';
import { connectCql, sharedCassandra, type TestClient } from '../harness/cassandra.ts';
import { oneReplica } from './catalogue.ts';
import { CassandraWorld } from './world.ts';

const isFull = process.env.CODR_LARGE_MIB !== undefined;
/** A cell is at most half a segment of the commit log. */
const roomy = ['commitlog_segment_size: 64MiB', 'native_transport_max_frame_size: 64MiB'];
const cluster = sharedCassandra({ nodes: 1, ...(isFull ? { heapMiB: 1024, yaml: roomy } : {}) });
const mainFile = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const partitionMiB = Number(process.env.CODR_LARGE_MIB ?? 200);
const heapMiB = 128;
const residentBytesMax = 2 ** 30;
const cellBytes = 64 * 1024;
const largeCellBytes = isFull ? 16 * 2 ** 20 : 1_900_000;
const singles = isFull ? 1_000_000 : 20_000;
const singlesInBatch = 100;
const atOnce = 32;

test('34 a partition larger than the heap, large cells and many small partitions take bounded memory', async (t) => {
  const one = await cluster();
  await using client = await connectCql(one);
  await client.cql(`CREATE KEYSPACE large WITH replication = ${oneReplica}`);
  await client.cql('CREATE TABLE large.wide (k int, c int, v blob, PRIMARY KEY (k, c))');
  await client.cql('CREATE TABLE large.singles (k int PRIMARY KEY, v text)');
  const rows = Math.ceil((partitionMiB * 2 ** 20) / cellBytes);
  await fill(client, 'INSERT INTO large.wide (k, c, v) VALUES (1, ?, ?)', rows, (c) => [
    c,
    randomBytes(c === 0 ? largeCellBytes : cellBytes),
  ]);
  await fillSingles(client);
  await using world = await CassandraWorld.open();
  await world.protect('large', one);
  const to = await world.configFile('target-large', one);
  const backup = await codr(world, 'backup', 'large');
  const restore = await codr(world, 'restore', 'large', '--to', to, '--rename', 'large.*=back.*');
  for (const [what, { peak, seconds }] of Object.entries({ backup, restore })) {
    const memory = `at most ${Math.round(peak / 2 ** 20)} MiB, ${seconds.toFixed(1)} s`;
    t.diagnostic(`${what} of ${partitionMiB} MiB and ${singles} rows: ${memory}`);
    assert.ok(peak > 0 && peak < residentBytesMax, `${what} took ${peak} bytes`);
  }
  assert.equal(await countOf(client, 'back.singles', 5000), singles);
  assert.equal(await countOf(client, 'back.wide', 64), rows);
  const first = await client.cql('SELECT v FROM back.wide WHERE k = 1 AND c = 0');
  const own = await client.cql('SELECT v FROM large.wide WHERE k = 1 AND c = 0');
  assert.deepEqual(first.first()?.v, own.first()?.v);
  assert.equal(own.first()?.v.length, largeCellBytes);
});

/** The server holds a page with all its cells. */
async function countOf({ client }: TestClient, table: string, fetchSize: number): Promise<number> {
  const query = `SELECT * FROM ${table}`;
  const pages = await client.execute(query, [], { fetchSize, autoPage: false });
  let count = 0;
  for await (const _ of pages as AsyncIterable<types.Row>) count++;
  return count;
}

async function fillSingles({ client }: TestClient): Promise<void> {
  const query = 'INSERT INTO large.singles (k, v) VALUES (?, ?)';
  const options = { prepare: true, logged: false, consistency: types.consistencies.one };
  const firsts = Array.from({ length: singles / singlesInBatch }, (_, i) => i * singlesInBatch);
  await forEachLimit(firsts, 8, async (first) => {
    const batch = Array.from({ length: singlesInBatch }, (_, i) => ({
      query,
      params: [first + i, `value ${first + i}`],
    }));
    await client.batch(batch, options);
  });
}

async function fill(
  { client }: TestClient,
  query: string,
  count: number,
  parameters: (i: number) => unknown[],
): Promise<void> {
  const options = { prepare: true, consistency: types.consistencies.one };
  for (let from = 0; from < count; from += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - from) }, (_, i) => from + i);
    await Promise.all(some.map((i) => client.execute(query, parameters(i), options)));
  }
}

/** Runs the program with little heap to a good end; gives the most memory that it had, and how long it took. */
async function codr(
  world: CassandraWorld,
  ...args: string[]
): Promise<{ peak: number; seconds: number }> {
  const begun = performance.now();
  const heap = `--max-old-space-size=${heapMiB}`;
  const child = spawn(process.execPath, [heap, mainFile, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...{ CODR_REPO: join(world.folder, 'repository'), CODR_PASSWORD: 'a passphrase' },
      ...{ CODR_TEMP_DIR: world.folder, NODE_OPTIONS: '' },
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const closed = once(child, 'close');
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, 1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0));
    await sleep(50);
  }
  await closed;
  assert.equal(child.exitCode, 0, `codr ${args.join(' ')}: ${said}`);
  return { peak, seconds: (performance.now() - begun) / 1000 };
}
