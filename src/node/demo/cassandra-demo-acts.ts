// The acts of the Cassandra demo: a node that misses writes, cuts that store three copies once, disaster, restore
// and proof on every replica alone. Each tells its steps as it goes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, types } from 'cassandra-driver';
import { stringify } from 'yaml';
import type { BackupResult } from '../../api/codr-api.ts';
import { type CassandraShop, shopKeyspace, truncatedTable } from './cassandra-demo-shop.ts';
import {
  countRepairs,
  differingTables,
  type SeenKeyspace,
  seeKeyspace,
  seeReplica,
  sstableBytes,
} from './cassandra-demo-witness.ts';
import { storageService } from './cassandra-jmx.ts';
import type { CassandraCluster } from './cassandra-server.ts';
import { type DemoBackup, demoSource } from './demo-backup.ts';
import { asCount, type Steps } from './demo-steps.ts';
import type { DemoResult } from './demo-story.ts';

/** What every act needs. */
export interface CassandraStage {
  readonly cluster: CassandraCluster;
  readonly client: Client;
  readonly shop: CassandraShop;
  readonly backup: DemoBackup;
  readonly steps: Steps;
  readonly signal: AbortSignal;
}

/** The node that is killed. */
const lostNode = 3;
const besideKeyspace = 'shop_before';
const everything = `${shopKeyspace}.*`;
const pollMs = 100;
const patienceMs = 300_000;

/** SIGKILL, and writes and deletes that only two of three replicas get. */
export async function loseNode(stage: CassandraStage): Promise<void> {
  const { cluster, shop, steps, signal } = stage;
  await steps.step(
    `Power cut: SIGKILL to node ${lostNode}, and the others notice`,
    async () => {
      await cluster.stopNode(lostNode, 'SIGKILL');
      await othersSee(stage, (live) => !live.includes(cluster.address(lostNode)));
    },
    () => `${cluster.address(lostNode)} is down for both others`,
  );
  await steps.step(
    'The shop goes on at QUORUM: new orders, changes, and deletes of cells, rows, ranges, partitions',
    () => shop.tradeAndDelete(signal),
    ({ rows, deletes }) =>
      `${asCount(rows)} writes and ${asCount(deletes)} deletes that node ${lostNode} has missed`,
  );
}

/** The node comes back on its old data; what it says by itself is not what the others say. */
export async function returnNode(stage: CassandraStage): Promise<void> {
  const { cluster, steps } = stage;
  await steps.step(
    `Node ${lostNode} starts again; nobody hands it hints, nobody runs a repair`,
    async () => {
      await cluster.startNode(lostNode);
      await cluster.waitCql(lostNode);
      await othersSee(stage, (live) => live.includes(cluster.address(lostNode)));
    },
    () => 'the ring is whole again',
  );
  await steps.step(
    'What single replicas say (CL ONE, each node asks itself)',
    async () => ({
      whole: await seeReplica(cluster, 1, shopKeyspace),
      stale: await seeReplica(cluster, lostNode, shopKeyspace),
    }),
    ({ whole, stale }) =>
      `node 1 says ${asCount(whole.rows)} rows, node ${lostNode} says ${asCount(stale.rows)}: ` +
      `${differingTables(whole, stale).join(', ')} differ`,
  );
}

/** The source file, and the first cut: three copies become one. */
export async function protect(stage: CassandraStage): Promise<void> {
  const { cluster, backup, steps, signal } = stage;
  const config = await writeConfig(cluster);
  await steps.step(
    `codr init; codr source add ${demoSource} --config ${config} --include '${everything}'`,
    () => backup.prepare({ config }, signal, [everything]),
    (findings) => {
      const faults = findings.filter(({ level }) => level === 'error');
      const what =
        faults.length === 0 ? 'none is an error' : faults.map((one) => one.message).join('; ');
      return `${findings.length} findings about the source, ${what}`;
    },
  );
  await steps.step(
    `codr backup ${demoSource}: a cut of all three nodes; no repair before it`,
    async () => {
      const result = await backup.once(signal);
      return { result, bytes: await sstableBytes(cluster, shopKeyspace) };
    },
    ({ result, bytes }) => {
      const ratio = (result.bytesStored / bytes).toFixed(2);
      return (
        `${nameOf(result)}, grade ${result.grade}: ${asKiB(bytes)} of SSTables on three nodes, ` +
        `${asKiB(result.bytesStored)} stored: ${ratio} of it`
      );
    },
  );
}

/** More writes, and a second cut that stores them alone. */
export async function tradeOn({ shop, backup, steps, signal }: CassandraStage): Promise<void> {
  await steps.step(
    'The shop goes on, then another cut',
    async () => ({ ...(await shop.trade(0.3, signal)), result: await backup.once(signal) }),
    ({ rows, result }) =>
      `${asCount(rows)} writes; ${nameOf(result)}, grade ${result.grade}: ` +
      `${asKiB(result.bytesStored)} more stored`,
  );
}

/** What the demo knows of its disaster. */
export interface CassandraDisaster {
  readonly atMs: number;
  readonly before: SeenKeyspace;
}

/** What the cluster says at ALL; then the release with the bug, and its rollback script. */
export async function strike({
  client,
  shop,
  steps,
  signal,
}: CassandraStage): Promise<CassandraDisaster> {
  // Only now: a SELECT at ALL repairs what it reads, and the cuts were to see the replicas as they were.
  const before = await steps.step(
    'A witness without CODR: SELECT at ALL, every row and the write times of its columns',
    () => seeKeyspace(client, shopKeyspace, types.consistencies.all),
    (seen) => `${asCount(seen.rows)} rows, MD5 ${digestOf(seen)}`,
  );
  await steps.step(
    'More orders, after the last cut',
    () => shop.trade(0.2, signal),
    ({ rows }) => `${asCount(rows)} writes`,
  );
  const atMs = await steps.step(
    `The disaster: a release sets every price to 0, and its rollback truncates ${truncatedTable}`,
    async () => {
      const now = Date.now();
      await shop.spoilPrices(signal);
      await client.execute(`TRUNCATE ${shopKeyspace}.${truncatedTable}`, [], { prepare: false });
      return now;
    },
    () => 'no tombstone, no snapshot: the orders are gone from all three nodes',
  );
  return { atMs, before };
}

/** The restore beside the live keyspace, and both proofs. */
export async function giveBack(
  stage: CassandraStage,
  { atMs, before }: CassandraDisaster,
): Promise<Omit<DemoResult, 'seconds' | 'kept'>> {
  const { cluster, backup, steps, signal } = stage;
  const begun = performance.now();
  const to = configPath(cluster);
  const beside = `${besideKeyspace}.*`;
  const restored = await steps.step(
    `codr restore ${demoSource} --to ${to} --at latest --rename '${everything}=${beside}'`,
    () => backup.restore({ to, at: 'latest', from: everything, beside }, signal),
    ({ datasets, at }) =>
      `${datasets.length} tables as of ${at.wall}: SSTables for each replica, imported live; ` +
      `read back: ${datasets.map(({ root }) => `${root.slice(0, 8)}…`).join(' ')} again`,
  );
  const restoreSeconds = (performance.now() - begun) / 1000;
  const isEqual = await proveReplicas(stage, before);
  const { datasets } = restored;
  return {
    proven: datasets.length > 0 && datasets.every(({ proven }) => proven) && isEqual,
    restoredTo: restored.at.wall,
    disasterAt: new Date(atMs).toISOString(),
    records: before.rows,
    restoreSeconds,
  };
}

/** The second proof: every replica of the new keyspace alone says what the cluster said at ALL. */
async function proveReplicas(
  { cluster, client, steps }: CassandraStage,
  before: SeenKeyspace,
): Promise<boolean> {
  let isEqual = true;
  for (const node of cluster.nodes) {
    await steps.step(
      `The second proof, without CODR: node ${node} alone, against the witness`,
      async () => {
        const seen = await seeReplica(cluster, node, besideKeyspace);
        const differing = differingTables(seen, before);
        isEqual &&= differing.length === 0 && seen.rows === before.rows && seen.otherReads === 0;
        return { seen, differing };
      },
      ({ seen, differing }) => {
        const asked = `${seen.ownReads} reads by it, ${seen.otherReads} by the others`;
        if (differing.length > 0) return `${differing.join(', ')} differ (${asked})`;
        return `${asCount(seen.rows)} rows, MD5 ${digestOf(seen)} again (${asked})`;
      },
    );
  }
  const repairs = await countRepairs(client);
  steps.note(`repairs in system_distributed.repair_history: ${repairs}`);
  return isEqual && repairs === 0;
}

/** The file that a user would write: nodes, where their files lie, and how they are told to flush. */
async function writeConfig(cluster: CassandraCluster): Promise<string> {
  const nodes = cluster.nodes.map((node) => [
    cluster.address(node),
    { dataDirectories: [cluster.dataFolder(node)], control: { jolokia: cluster.httpUrl(node) } },
  ]);
  const path = configPath(cluster);
  const { contactPoints } = cluster;
  const config = { kind: 'cassandra', contactPoints, nodes: Object.fromEntries(nodes) };
  await writeFile(path, stringify(config));
  return path;
}

const configPath = (cluster: CassandraCluster): string => join(cluster.folder, 'cluster.yaml');

/** Waits until all other nodes hold the right nodes for alive. */
async function othersSee(
  { cluster, signal }: CassandraStage,
  isRight: (live: readonly string[]) => boolean,
): Promise<void> {
  const others = cluster.nodes.filter((node) => node !== lostNode);
  const end = performance.now() + patienceMs;
  for (;;) {
    signal.throwIfAborted();
    const asked = others.map((node) => cluster.jmx(node).read(storageService, 'LiveNodes'));
    if ((await Promise.all(asked)).every((live) => isRight(live as string[]))) return;
    if (performance.now() > end) throw new Error(`node ${lostNode} is not seen as it is`);
    // An abort ends the pause; the head of the loop throws its reason.
    await sleep(pollMs, undefined, { signal }).catch(() => {});
  }
}

const asKiB = (bytes: number): string => `${asCount(Math.ceil(bytes / 1024))} KiB`;
const nameOf = ({ point }: BackupResult): string => `point ${point.id} of ${point.wall}`;

/** The tables' digests in one line of text. */
const digestOf = ({ md5 }: SeenKeyspace): string =>
  [...md5.values()].map((one) => one.slice(0, 8)).join('-');
