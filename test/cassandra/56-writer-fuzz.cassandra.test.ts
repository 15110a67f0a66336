// 56: random tables and random operations in several files each; our merge of them, written by our writer. Cassandra
// takes the file, finds it good, and dumps it as it dumps its own major compaction of the same files; compacts it to
// the same again; and says the same rows of it.
//   CODR_SEED=7 repeats what is chosen; CODR_SEEDS=20 runs so many seeds, from CODR_SEED on.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '../../src/base/random.ts';
import { mergeBlocks } from '../../src/connector/cassandra/merge/merge-blocks.ts';
import { readSchema } from '../../src/connector/cassandra/schema/read-schema.ts';
import type { TableSchema } from '../../src/connector/cassandra/schema/table-schema.ts';
import { localFiles } from '../../src/connector/cassandra/session/local-files.ts';
import {
  openSstable as heldFiles,
  listSstables,
  listTableFolders,
  type TableFolder,
} from '../../src/connector/cassandra/session/node-files.ts';
import { openSstable } from '../../src/connector/cassandra/sstable/open-sstable.ts';
import { MemorySink } from '../../src/connector/cassandra/sstable/write-records.fixture.ts';
import { SstableWriter } from '../../src/connector/cassandra/sstable/write-sstable.ts';
import { wholeRange } from '../../src/model/key-range.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { TestSchema } from '../differential/cassandra-schema.ts';
import { StatementMaker } from '../differential/cassandra-statements.ts';
import {
  connectCql,
  sharedCassandra,
  sstableDumpLines,
  type TestClient,
} from '../harness/cassandra.ts';
import { testSeed } from '../harness/seed.ts';
import { sayAll } from './catalogue.ts';
import { assertSameRows, seen } from './oracle.ts';

const cluster = sharedCassandra({ nodes: 1, dcs: ['dc1'] });
const service = 'org.apache.cassandra.db:type=StorageService';
const firstSeed = testSeed(56);
const seeds = Number(process.env.CODR_SEEDS ?? 1);
const roundCount = 4;
const statementsPerRound = 120;
const goneMsMax = 60_000;

for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
  test(`56: what the writer makes of random files is what Cassandra makes of them, seed ${seed}`, async (t) => {
    t.diagnostic(`CODR_SEED=${seed}`);
    const one = await cluster();
    await using client = await connectCql(one);
    const [from, to] = [`fuzz_${seed}`, `fuzz_${seed}_twin`];
    // The same tables: the same chance chooses them.
    for (const keyspace of [from, to]) {
      const schema = new TestSchema(keyspace, new SeededRandom(seed));
      await sayAll(client, [...schema.statements(1)]);
      await one.jmx(1).exec(service, disable, keyspace, []);
      if (keyspace === from) await write(one, client, schema, seed);
    }
    const schemas = await readSchema(
      async (query) => (await client.cql(query)).rows,
      (keyspace) => keyspace === from,
    );
    const tables = schemas.flatMap((keyspace) => keyspace.tables);
    let files = 0;
    const ours = new Map<string, string>();
    for (const schema of tables) {
      const made = await makeFile(one, schema, to);
      files += made.inputs;
      if (made.folder === undefined) continue;
      ours.set(schema.table, await dump(one, made.folder));
      await take(one, to, schema.table, made.folder);
    }
    t.diagnostic(`${tables.length} tables, ${files} files, ${ours.size} written`);
    assert.ok(ours.size > 1, 'hardly anything was written');
    assertSameRows(await seen(client, to), await seen(client, from));
    for (const [table, text] of ours) {
      assertSameDump(text, await compacted(one, from, table), `seed ${seed}, ${table}: ours`);
      const again = await compacted(one, to, table);
      assertSameDump(again, text, `seed ${seed}, ${table}: ours, compacted by Cassandra`);
    }
  });
}

const disable = 'disableAutoCompaction(java.lang.String,[Ljava.lang.String;)';

/** Some files of each table. */
async function write(
  one: CassandraCluster,
  client: TestClient,
  schema: TestSchema,
  seed: number,
): Promise<void> {
  const maker = new StatementMaker(schema, new SeededRandom(seed + 1));
  let written = 0;
  for (let round = 0; round < roundCount; round++) {
    for (let i = 0; i < statementsPerRound; i++) {
      // What expires while the test runs would be one thing in one file and another in the next.
      const statement = maker.next().replace(/TTL [12]\b/g, 'TTL 50000');
      const isDone = await client.cql(statement).then(
        () => true,
        (error: Error) => {
          if (/[Ll]ist index|list which is null/.test(error.message)) return false;
          throw new Error(`CODR_SEED=${seed}: ${statement}: ${error.message}`, { cause: error });
        },
      );
      if (isDone) written++;
    }
    await one.jmx(1).flush(schema.keyspace);
  }
  assert.ok(written > (roundCount * statementsPerRound) / 2, `${written} statements`);
}

async function folderOf(
  one: CassandraCluster,
  keyspace: string,
  table: string,
): Promise<TableFolder> {
  const all = await listTableFolders({ files: localFiles, dataDirectories: [one.dataFolder(1)] });
  const found = all.find((folder) => folder.keyspace === keyspace && folder.table === table);
  assert.ok(found, `${keyspace}.${table} has a folder`);
  return found;
}

/** All files of a table merged into one for another keyspace; no folder when there is no row in them. */
async function makeFile(
  one: CassandraCluster,
  schema: TableSchema,
  keyspace: string,
): Promise<{ readonly inputs: number; readonly folder?: string }> {
  const table = await folderOf(one, schema.keyspace, schema.table);
  const { complete } = await listSstables('host', table, '');
  await using held = new AsyncDisposableStack();
  const { signal } = new AbortController();
  const inputs = [];
  for (const listed of complete) {
    const sstable = await openSstable(held.use(heldFiles(listed, () => localFiles)));
    inputs.push(sstable.records(wholeRange, signal));
  }
  const sink = new MemorySink();
  const writer = new SstableWriter({ schema, keyspace, compression: 'lz4' }, sink);
  const clusteringCount = schema.clustering.length;
  for await (const block of mergeBlocks(inputs, { signal, clusteringCount })) {
    await writer.write(block);
  }
  const { partitions } = await writer.finish();
  if (partitions === 0) return { inputs: complete.length };
  const folder = join(await mkdtemp(join(one.folder, 'fuzz-')), keyspace, schema.table);
  await mkdir(folder, { recursive: true });
  for (const name of sink.names) {
    await writeFile(join(folder, `nb-1-big-${name}`), sink.bytes(name));
  }
  return { inputs: complete.length, folder };
}

/** Imported with all checks, and verified once more. */
async function take(
  one: CassandraCluster,
  keyspace: string,
  table: string,
  folder: string,
): Promise<void> {
  const jmx = one.jmx(1);
  const refused = await jmx.importTables(keyspace, table, [folder], { extendedVerify: true });
  assert.deepEqual(refused, [], await one.logTail(1));
  assert.deepEqual(await dataFiles(folder), [], 'the server took it');
  assert.ok(await jmx.verify(keyspace, table), await one.logTail(1));
}

/** What Cassandra makes of a table's files, dumped. */
async function compacted(one: CassandraCluster, keyspace: string, table: string): Promise<string> {
  await one.jmx(1).compact(keyspace, table);
  const { folder } = await folderOf(one, keyspace, table);
  // What was compacted is removed a while after the compaction has ended.
  const end = Date.now() + goneMsMax;
  while ((await dataFiles(folder)).length > 1 && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return await dump(one, folder);
}

async function dataFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('-Data.db'));
}

/** The one file in a folder; where things lie in it is its own. */
async function dump(one: CassandraCluster, folder: string): Promise<string> {
  const [name, ...others] = await dataFiles(folder);
  assert.ok(name !== undefined && others.length === 0, `one file in ${folder}`);
  const text = await sstableDumpLines(one.program, join(folder, name));
  return text.replaceAll(/"position" ?: ?\d+/g, '"position":0');
}

function assertSameDump(actual: string, wanted: string, what: string): void {
  const [mine, theirs] = [actual, wanted].map((text) => text.trim().split('\n'));
  for (const [i, line] of (theirs ?? []).entries()) assert.equal(mine?.[i], line, what);
  assert.equal(mine?.length, theirs?.length, what);
}
