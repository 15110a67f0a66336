// A cluster that gives and takes: tables of one keyspace are captured by a cut, and restored under another name
// as the engine would do it.
import assert from 'node:assert/strict';
import { silentLogger } from '../../../base/log.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { wholeRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { type BlockStream, batchOf, blockOf } from '../../../model/record-block.ts';
import type { CassandraCluster } from '../../../node/demo/cassandra-server.ts';
import { systemClock } from '../../../node/system-clock.ts';
import { systemRandom } from '../../../node/system-random.ts';
import type { ConnectorContext } from '../../connector.ts';
import type { CutDataset } from '../../cut-dataset.ts';
import type {
  FinishResult,
  SpotReads,
  TargetItem,
  TargetOptions,
  TargetPlan,
} from '../../restore-target.ts';
import { liveAt } from '../fold-range.ts';
import { tableBodyOf } from '../schema/table-body.ts';
import { parseCassandraConfig } from '../session/cassandra-config.ts';
import { openCql } from '../session/cql.ts';
import { CassandraCut } from '../session/cut-reader.ts';
import { firstState } from '../session/cut-state.ts';
import { localFiles } from '../session/local-files.ts';
import { openControl } from '../session/open-control.ts';
import { readRing } from '../session/ring.ts';
import { takeCut } from '../session/take-cut.ts';
import { SstableTarget } from './sstable-target.ts';

export const { signal } = new AbortController();
const spill = new MemorySpill();
const memoryBytesMax = 64 * 1024 * 1024;
let cuts = 0;

/** The configuration of all nodes, or of those named. */
export function configOfCluster(cluster: CassandraCluster, nodes = cluster.nodes) {
  return parseCassandraConfig({
    contactPoints: [...cluster.contactPoints],
    nodes: Object.fromEntries(
      nodes.map((i) => [
        cluster.address(i),
        { dataDirectories: [cluster.dataFolder(i)], control: { jolokia: cluster.httpUrl(i) } },
      ]),
    ),
  });
}

/** Tables of a keyspace as they are now, with all that a cut holds of them. */
export class Captured implements AsyncDisposable {
  readonly datasets: readonly CutDataset[];
  readonly #close: () => Promise<void>;

  private constructor(datasets: readonly CutDataset[], close: () => Promise<void>) {
    this.datasets = datasets;
    this.#close = close;
  }

  static async of(cluster: CassandraCluster, keyspace: string): Promise<Captured> {
    const cql = await openCql(configOfCluster(cluster), signal);
    cuts += 1;
    const taken = await takeCut({
      ...{
        cql,
        datacenters: [],
        ownsBackups: true,
        linkLimit: { share: 1 },
        pendingCompactionsMax: 1_000,
        state: firstState,
        clock: systemClock,
      },
      nodes: cluster.nodes.map((i) => ({
        address: cluster.address(i),
        control: openControl(cluster.address(i), { jolokia: cluster.httpUrl(i) }),
        files: localFiles,
        dataDirectories: [cluster.dataFolder(i)],
      })),
      scope: (name) => name === keyspace,
      owner: keyspace,
      id: String(cuts),
      ...{ log: silentLogger, signal },
    });
    const cut = new CassandraCut({
      ...{ taken, before: undefined, state: firstState, datacenters: [], log: silentLogger },
      filesOf: () => localFiles,
      sorting: { spill, memoryBytesMax },
    });
    return new Captured(cut.datasets, async () => {
      await cut[Symbol.asyncDispose]();
      await cql[Symbol.asyncDispose]();
    });
  }

  items(keyspace: string): (TargetItem & { readonly dataset: CutDataset })[] {
    return this.datasets.map((dataset) => {
      const { entry } = dataset;
      const { table } = tableBodyOf(entry).schema;
      return { entry, namespace: `${keyspace}.${table}`, dataset };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}

export async function openTarget(
  cluster: CassandraCluster,
  nodes = cluster.nodes,
  more: Partial<Pick<ConnectorContext, 'clock' | 'log'>> & { readonly groupBytes?: number } = {},
): Promise<SstableTarget> {
  const config = configOfCluster(cluster, nodes);
  const cql = await openCql(config, signal, 'target');
  const ring = await readRing(cql, [], signal);
  const { groupBytes, ...context } = more;
  const opened = { config, cql, ring, ...(groupBytes !== undefined && { groupBytes }) };
  return new SstableTarget(opened, {
    ...{ clock: systemClock, random: systemRandom, log: silentLogger, spill, memoryBytesMax },
    ...{ workers: 2, ...context },
  } as never);
}

export function optionsOf(
  from: string,
  to: string,
  more: Partial<TargetOptions> = {},
): TargetOptions {
  return {
    operation: `restore-${to}`,
    moment: '0001',
    renames: [{ from: `${from}.*`, to: `${to}.*` }],
    defined: [],
    scope: { include: [`${from}.*`], exclude: [] },
    drop: false,
    ttl: 'keep',
    usersAndRoles: false,
    ...more,
  };
}

/** Live records of a dataset at a moment. */
export async function* live(dataset: CutDataset, nowMs: number): RecordStream {
  const { schema } = tableBodyOf(dataset.entry);
  for await (const block of liveAt(blocks(dataset.records(signal)), schema, nowMs)) {
    yield batchOf(block);
  }
}

/** All calls of a restore in their order; every table is proven. */
export async function restoreAll(
  cluster: CassandraCluster,
  captured: Captured,
  options: TargetOptions,
  to: string,
): Promise<{ readonly plan: TargetPlan; readonly finish: FinishResult; readonly records: number }> {
  await using target = await openTarget(cluster);
  await target.unfinished(options.operation, signal);
  const items = captured.items(to);
  const plan = await target.plan(items, options, signal);
  assert.deepEqual(plan.conflicts, []);
  await target.begin(signal);
  let records = 0;
  for (const item of items) {
    if (plan.finished.some(({ namespace }) => namespace === item.namespace)) continue;
    await target.create(item, signal);
    await target.load(item, live(item.dataset, systemClock.now()), signal);
    await target.index(item, signal);
    records += await proven(target, item);
    await target.done(
      item,
      {
        ...{ namespace: item.namespace, root: 'aa', records: 0, bytes: 0, proven: true },
        changedByTarget: [],
      },
      signal,
    );
  }
  return { plan, finish: await target.finish(items, signal), records };
}

/** Reads back and compares byte for byte, then asks each replica; gives the number of records. */
export async function proven(
  target: SstableTarget,
  item: TargetItem & { readonly dataset: CutDataset },
): Promise<number> {
  return (await provenReads(target, item)).records;
}

/** `meanwhile`: between the look at the files and the reads. */
export async function provenReads(
  target: SstableTarget,
  item: TargetItem & { readonly dataset: CutDataset },
  meanwhile: () => Promise<void> = async () => {},
): Promise<{ readonly records: number; readonly reads: SpotReads }> {
  const { nowMs } = await target.freeze(item, signal);
  const wanted = await texts(target.watch(item, live(item.dataset, nowMs)));
  assert.deepEqual(await texts(target.readBack(item, wholeRange, signal)), wanted);
  await meanwhile();
  return { records: wanted.length, reads: await target.spotReads(item, signal) };
}

export async function texts(records: RecordStream): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of records) {
    for (const { key, value } of batch) {
      found.push(`${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`);
    }
  }
  return found;
}

async function* blocks(records: RecordStream): BlockStream {
  for await (const batch of records) if (batch.length > 0) yield blockOf(batch);
}
