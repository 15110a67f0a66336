// Real Cassandra clusters for tests: one for each test file. The version is CODR_CASSANDRA_VERSION, the jars
// come from CODR_CASSANDRA_LIB, the cache or Maven (see README.md).
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { Client, type ClientOptions, policies, types } from 'cassandra-driver';
import { endHost } from '../../src/connector/cassandra/session/cql.ts';
import { unmarkLinks } from '../../src/connector/cassandra/session/links-owner.ts';
import { localFiles } from '../../src/connector/cassandra/session/local-files.ts';
import {
  deleteAllLinks,
  listTableFolders,
} from '../../src/connector/cassandra/session/node-files.ts';
import { stagingPrefix } from '../../src/connector/cassandra/target/staging.ts';
import { cassandra41, cassandra50 } from '../../src/node/demo/cassandra-jars.ts';
import { storageService } from '../../src/node/demo/cassandra-jmx.ts';
import { jvmFlags } from '../../src/node/demo/cassandra-jvm.ts';
import {
  type CassandraProgram,
  fetchCassandra,
  findCassandra,
} from '../../src/node/demo/cassandra-program.ts';
import { CassandraCluster, type CassandraOptions } from '../../src/node/demo/cassandra-server.ts';
import { archiveFlags } from './class-archive.ts';

const run = promisify(execFile);

/** Settings of a test's cluster. */
export interface TestClusterOptions extends CassandraOptions {
  /** `5.0.9` or `4.1.10`; before CODR_CASSANDRA_VERSION. */
  readonly version?: string;
}

const builds = [cassandra50, cassandra41];
const dumpBytesMax = 64 * 1024 * 1024;
/**
 * No `fsync`, which guards against the end of a machine, not of a process; no flush of the eleven tables of
 * `system_schema` at each change of a schema, three quarters of its cost.
 */
const cheapFlags = [
  '-Dcassandra.skip_sync=true',
  '-Dcassandra.test.flush_local_schema_changes=false',
];

/**
 * No look at the clock each 2 ms, half of what a node takes that does nothing. Among several nodes it says how fast each
 * replica answers, and so which of them is asked.
 */
const aloneFlags = ['-Dcassandra.approximate_time_precision_ms=50'];

/** `version`, else CODR_CASSANDRA_VERSION (a download), else what the demo would take. */
export async function cassandraProgram(
  version = process.env.CODR_CASSANDRA_VERSION,
): Promise<CassandraProgram> {
  if (!version) return await findCassandra(process.env);
  const build = builds.find((known) => known.version === version);
  if (build) return await fetchCassandra(build, process.env);
  const known = builds.map((one) => one.version).join(', ');
  throw new Error(`no download of Cassandra ${version} is known; there are ${known}`);
}

/** Starts a cluster; `await using` it. */
export async function startCassandra(options: TestClusterOptions = {}): Promise<CassandraCluster> {
  const { version, jvm = [], ...rest } = options;
  const program = await cassandraProgram(version);
  const sooner = await archiveFlags(program, version ? undefined : (own) => rehearse(program, own));
  const isAlone = (rest.nodes ?? 1) === 1 && !rest.bootstrap;
  const cheap = [...cheapFlags, ...(isAlone ? aloneFlags : [])];
  const flags = rest.fast === false ? jvm : [...cheap, ...sooner, ...jvm];
  const cluster = await CassandraCluster.start(program, { ...rest, jvm: flags });
  // A schema would else be on disk before a power cut; rows of other keyspaces are left as they are.
  const { stopNode } = cluster;
  cluster.stopNode = async (node, signal) => {
    if (signal === 'SIGKILL' && rest.fast !== false) await cluster.jmx(node).flush('system_schema');
    await stopNode.call(cluster, node, signal);
  };
  return cluster;
}

async function rehearse(program: CassandraProgram, jvm: readonly string[]): Promise<void> {
  await using cluster = await CassandraCluster.start(program, { jvm });
  await using client = await connectCql(cluster);
  for (const statement of rehearsed) await client.cql(statement);
  await cluster.jmx(1).flush('r', 't');
  await cluster.jmx(1).compact('r', 't');
  await client.cql('DROP KEYSPACE r');
  // The list of classes is whole at the end of a JVM that ends by itself.
  await cluster.stopNode(1);
}

/** A little of what tests do, for the classes that it takes. */
const rehearsed = [
  "CREATE KEYSPACE r WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  'CREATE TYPE r.u (a int, b text)',
  'CREATE TABLE r.t (k int, c int, v text, s text static, l list<text>, u u, PRIMARY KEY (k, c))',
  'CREATE INDEX t_v ON r.t (v)',
  "INSERT INTO r.t (k, c, v, s, l, u) VALUES (1, 1, 'v', 's', ['l'], {a: 1}) USING TTL 9000",
  'DELETE FROM r.t WHERE k = 1 AND c > 3 AND c < 5',
  'SELECT k, writetime(v), ttl(v) FROM r.t',
];

/**
 * One cluster for all tests of a file, started at the first call of the function that this gives and ended
 * after the last test. Call it at the file's top level. Files of one process that ask for the same share a
 * cluster, one after the other: each finds it without what the one before has made.
 */
export function sharedCassandra(options: TestClusterOptions = {}): () => Promise<CassandraCluster> {
  const key = JSON.stringify(Object.entries({ ...plain, ...options, readyMsMax: 0 }).sort());
  const shared = sharedByOptions.get(key) ?? new SharedCluster(options);
  sharedByOptions.set(key, shared);
  const file = Symbol();
  return () => shared.forFile(file);
}

/** A cluster of one node with what any file of `one-node.group.ts` wants. */
export function sharedNode(): () => Promise<CassandraCluster> {
  const yaml = ['sasi_indexes_enabled: true', 'user_defined_functions_enabled: true'];
  return sharedCassandra({ jmx: true, cdc: true, yaml });
}

const sharedByOptions = new Map<string, SharedCluster>();
/** What unset options mean, for options that tests say nevertheless. */
const plain: TestClusterOptions = { nodes: 1, hints: true, incrementalBackups: false };

class SharedCluster {
  readonly #options: TestClusterOptions;
  #cluster: Promise<CassandraCluster> | undefined;
  #file: symbol | undefined;

  constructor(options: TestClusterOptions) {
    this.#options = options;
    after(async () => {
      const cluster = await this.#cluster?.catch(() => undefined);
      await cluster?.[Symbol.asyncDispose]();
    });
  }

  async forFile(file: symbol): Promise<CassandraCluster> {
    if (this.#file !== file) {
      const before = this.#cluster;
      const { incrementalBackups = false } = this.#options;
      this.#cluster = before
        ? before.then((cluster) => asItWas(cluster, incrementalBackups))
        : startCassandra(this.#options);
      this.#file = file;
    }
    return await (this.#cluster as Promise<CassandraCluster>);
  }
}

/** Without keyspaces of tests, links and what unfinished restores left, and with the switch as configured. */
async function asItWas(cluster: CassandraCluster, links: boolean): Promise<CassandraCluster> {
  await using client = await connectCql(cluster);
  const { rows } = await client.cql('SELECT keyspace_name FROM system_schema.keyspaces');
  const names = rows.map((row) => String(row.keyspace_name));
  for (const name of names.filter((name) => !/^system($|_)/.test(name))) {
    await client.cql(`DROP KEYSPACE IF EXISTS "${name}"`);
  }
  for (const node of cluster.nodes) {
    await cluster.jmx(node).write(storageService, 'IncrementalBackupsEnabled', links);
    const place = { files: localFiles, dataDirectories: [cluster.dataFolder(node)] };
    for (const folder of await listTableFolders(place)) await deleteAllLinks(folder);
    await unmarkLinks(place);
    for (const name of await readdir(cluster.dataFolder(node))) {
      if (!name.startsWith(stagingPrefix)) continue;
      await rm(join(cluster.dataFolder(node), name), { recursive: true });
    }
  }
  return cluster;
}

/** A connected client that is closed at the end of its scope. */
export interface TestClient extends AsyncDisposable {
  readonly client: Client;
  /** Runs one statement at consistency ALL unless the options say otherwise. */
  cql(statement: string, parameters?: readonly unknown[]): Promise<types.ResultSet>;
}

/** Connects to all nodes of the cluster. 64-bit integers come as `types.Long`. */
export async function connectCql(
  cluster: CassandraCluster,
  options: Partial<ClientOptions> = {},
): Promise<TestClient> {
  const client = new Client({
    contactPoints: [...cluster.contactPoints],
    localDataCenter: cluster.dataCentre,
    queryOptions: { consistency: types.consistencies.all, prepare: false },
    // Changes of a schema take seconds on three nodes of a busy machine.
    socketOptions: { readTimeout: 60_000 },
    protocolOptions: { maxSchemaAgreementWaitSeconds: 60 },
    ...options,
  });
  client.on('hostRemove', endHost);
  await client.connect();
  return {
    client,
    cql: async (statement, parameters = []) =>
      await client.execute(statement, [...parameters], { prepare: parameters.length > 0 }),
    [Symbol.asyncDispose]: async () => await client.shutdown(),
  };
}

/** A client of one node, whose writes at ONE it takes itself. */
export async function connectThrough(cluster: CassandraCluster, node: number): Promise<TestClient> {
  const address = `${cluster.address(node)}:${cluster.cqlPort}`;
  // A contact point alone is only the first node that is asked.
  const { AllowListPolicy, RoundRobinPolicy } = policies.loadBalancing;
  return await connectCql(cluster, {
    contactPoints: [address],
    policies: { loadBalancing: new AllowListPolicy(new RoundRobinPolicy(), [address]) },
  });
}

/**
 * What Cassandra's own `sstabledump` says of a Data.db file, the oracle of readers: JSON text, a line for each
 * partition, raw timestamps.
 */
export async function sstableDumpLines(
  program: CassandraProgram,
  dataFile: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-sstabledump-'));
  try {
    const yaml = join(folder, 'cassandra.yaml');
    await writeFile(yaml, toolYaml(program, folder));
    await writeFile(join(folder, 'logback.xml'), '<configuration/>\n');
    const { stdout } = await run(
      program.java,
      [
        ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
        ...(await jvmFlags(program)),
        ...(await archiveFlags(program)),
        ...[`-Dcassandra.config=file://${yaml}`, `-Dcassandra.storagedir=${folder}`],
        ...['-cp', `${program.lib}/*:${folder}`],
        ...['org.apache.cassandra.tools.SSTableExport', dataFile, '-t', '-l'],
      ],
      { maxBuffer: dumpBytesMax, cwd: folder },
    ).catch((error: { stderr?: string }) => {
      const said = error.stderr?.split('\n').find((line) => line.includes('xception'));
      throw new Error(`sstabledump of ${dataFile} failed: ${said ?? error}`, { cause: error });
    });
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Its partitions, parsed: numbers beyond 2^53 lose digits. */
export async function sstableDump(
  program: CassandraProgram,
  dataFile: string,
): Promise<readonly unknown[]> {
  const lines = (await sstableDumpLines(program, dataFile)).trim();
  return lines === '' ? [] : lines.split('\n').map((line) => JSON.parse(line) as unknown);
}

/** What the tools of Cassandra want to be told even when they only read a file. */
function toolYaml({ version }: CassandraProgram, folder: string): string {
  return [
    'partitioner: org.apache.cassandra.dht.Murmur3Partitioner',
    // Unless told so, 5.0 refuses to look at its own newer formats.
    ...(version.startsWith('4.') ? [] : ['storage_compatibility_mode: NONE']),
    'commitlog_sync: periodic',
    'commitlog_sync_period: 1000ms',
    'endpoint_snitch: SimpleSnitch',
    'listen_address: 127.0.0.1',
    'seed_provider:',
    '  - class_name: org.apache.cassandra.locator.SimpleSeedProvider',
    '    parameters: [{ seeds: "127.0.0.1" }]',
    ...['data', 'commitlog', 'hints', 'saved_caches', 'cdc_raw'].map((name) =>
      name === 'data'
        ? `data_file_directories: [${folder}/data]`
        : `${name}_directory: ${folder}/${name}`,
    ),
    '',
  ].join('\n');
}
