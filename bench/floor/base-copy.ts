// A base copy of one table from the SSTables of three nodes, as `codr backup` takes it when the server's part is done:
// read, merged, cut into leaves, sealed, stored and committed. Prints what it took, start of the program left out.
// Usage: node bench/floor/base-copy.ts FILES REPOSITORY WORKERS; FILES has a folder with nb-1 for each node.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/base/log.ts';
import { alone } from '../../src/cluster/work-pool.ts';
import { cassandraConnector } from '../../src/connector/cassandra/cassandra-connector.ts';
import { CassandraCut } from '../../src/connector/cassandra/session/cut-reader.ts';
import { firstState } from '../../src/connector/cassandra/session/cut-state.ts';
import { localFiles } from '../../src/connector/cassandra/session/local-files.ts';
import { MergePool } from '../../src/connector/cassandra/session/merge-pool.ts';
import type { TakenCut } from '../../src/connector/cassandra/session/take-cut.ts';
import type { SourceSession } from '../../src/connector/connector.ts';
import { takeCut } from '../../src/engine/capture/cut-backup.ts';
import { ProgressMeter } from '../../src/engine/progress.ts';
import type { SourceContext } from '../../src/engine/source-context.ts';
import { everything } from '../../src/model/namespace.ts';
import { SealingPool } from '../../src/node/sealing-pool.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemRandom } from '../../src/node/system-random.ts';
import { TemporarySpill } from '../../src/node/temporary-spill.ts';
import { createRepository, openRepository } from '../../src/repository/keys/repository-config.ts';
import { Repository } from '../../src/repository/repository.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { prepareStore } from '../../src/storage/all.ts';
import { listedSstable } from '../sstable-files.ts';
import { benchTable } from '../table.ts';

const [files, folder, workersText] = process.argv.slice(2) as [string, string, string];
const workers = Number(workersText);
const memoryBytesMax = 512 * 1024 * 1024;
const signal = new AbortController().signal;
const outside = {
  clock: systemClock,
  random: systemRandom,
  spill: new TemporarySpill(folder),
  log: silentLogger,
};

const store = await prepareStore(`file://${folder}`, outside, signal);
const credential = { kind: 'passphrase', passphrase: 'a passphrase' } as const;
await createRepository(store, credential, { random: systemRandom, cut: cutParameterSet });
const opened = await openRepository(store, credential);
const sealer = new SealingPool({
  idKey: opened.unlocked.keys.id,
  level: 1,
  workers: Math.max(1, workers),
});
const place = { ...outside, store, sealer, memoryBytesMax, writer: 'bench' };
const repository = await Repository.open(place, opened);
// No threads but the sealing ones: `WORKERS` is 0 then.
const pool = workers > 0 ? new MergePool(workers) : undefined;
const taken = await takenCut();
const context = await sourceContext(repository);
const startSeconds = performance.now() / 1000;
const before = process.cpuUsage();
const mainBefore = process.threadCpuUsage();
const { point } = await takeCut(
  context,
  {
    session: session(taken),
    claim: { check: () => {}, release: async () => {} },
    meter: new ProgressMeter(systemClock),
    minGrade: 'complete',
  },
  signal,
);
const { user, system } = process.cpuUsage(before);
const main = process.threadCpuUsage(mainBefore);
process.stdout.write(
  `${JSON.stringify({
    seconds: performance.now() / 1000 - startSeconds,
    cpuSeconds: (user + system) / 1e6,
    userSeconds: user / 1e6,
    mainCpuSeconds: (main.user + main.system) / 1e6,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    storedBytes: [...taken.tables.values()][0]?.sstables.reduce((sum, f) => sum + f.dataBytes, 0),
    records: point.records,
    bytes: point.bytes,
  })}\n`,
);
await pool?.[Symbol.asyncDispose]();
await sealer[Symbol.asyncDispose]();
await repository.close();

/** Three nodes, each with all of the table. */
async function takenCut(): Promise<TakenCut> {
  const hosts = (await readdir(files)).sort();
  const nodes = hosts.map((hostId, i) => ({
    ...{ hostId, address: hostId, nativeAddress: hostId, datacenter: 'dc1', rack: 'r1' },
    tokens: [String(BigInt(i - 1) * 2n ** 62n)],
  }));
  const ring = {
    ...{ clusterName: 'bench', partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner' },
    ...{ nodes, schemaVersions: ['1'], version: '5.0.9', up: hosts },
  };
  const sstables = await Promise.all(
    hosts.map((hostId) => listedSstable({ folder: join(files, hostId), number: 1 }, hostId)),
  );
  const keyspace = {
    ...{ name: benchTable.keyspace, durableWrites: true, types: [], tables: [benchTable] },
    replication: { class: 'SimpleStrategy', replication_factor: String(hosts.length) },
    ...{ views: [], indexes: [], triggers: [], withoutLinks: [] },
    ddl: { keyspace: '', types: [], functions: [], tables: {}, indexes: {}, views: {} },
  };
  return {
    ...{ beginMs: Date.now(), endMs: Date.now(), ring, schema: [keyspace], coveredCount: 0 },
    notes: [],
    tables: new Map([[benchTable.id, { schema: benchTable, sstables, truncatedSince: false }]]),
    nodes: hosts.map((hostId) => ({ hostId, address: hostId, captured: true })),
    grades: new Map(),
    nextState: firstState,
    release: async () => {},
  };
}

function session(cut: TakenCut): SourceSession {
  const identity = { id: 'bench', version: '5.0.9', streams: [] };
  const sorting = { memoryBytesMax, spill: outside.spill };
  const options = { taken: cut, before: undefined, state: firstState, datacenters: [], sorting };
  const open = async () =>
    new CassandraCut({ ...options, filesOf: () => localFiles, pool, log: silentLogger });
  return { identity, cut: open } as unknown as SourceSession;
}

async function sourceContext(of: Repository): Promise<SourceContext> {
  const limits = {
    workers: Math.max(1, workers),
    segmentBytes: 64 << 20,
    tickBytesMax: 1 << 20,
    memoryBytesMax,
  };
  const probe = { self: { host: 'bench', pid: 1, started: 1 }, isAlive: () => true };
  return {
    name: 'bench',
    world: {
      ...outside,
      limits,
      probe: probe as never,
      runJob: async () => {},
      sharing: alone(limits.workers),
    },
    repository: of,
    lineage: await of.openLineage('bench'),
    connector: cassandraConnector,
    config: async () => ({ kind: 'cassandra', uri: 'cassandra:bench' }),
    scope: everything,
  };
}
