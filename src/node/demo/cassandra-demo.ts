// The story of `codr demo --cassandra`: three real nodes that keep three copies, one of which misses writes and
// deletes while it is down and is never repaired; cuts that store the copies once; a disaster; the restore into a
// new keyspace, and two proofs: CODR's own, and every replica alone against what the cluster said at ALL before.
// Everything lies in the cluster's folder, which goes however the demo ends.
import type { Client } from 'cassandra-driver';
import {
  type CassandraStage,
  giveBack,
  loseNode,
  protect,
  returnNode,
  strike,
  tradeOn,
} from './cassandra-demo-acts.ts';
import { CassandraShop, connectShop, shopDataCentre } from './cassandra-demo-shop.ts';
import { findCassandra } from './cassandra-program.ts';
import { CassandraCluster } from './cassandra-server.ts';
import { DemoBackup } from './demo-backup.ts';
import { asCount, Steps } from './demo-steps.ts';
import type { DemoOptions, DemoResult, TellDemo } from './demo-story.ts';

const nodes = 3;
/** Three starts at once on a machine that has other work. */
const readyMsMax = 600_000;

/** A node asks itself first; and a busy machine is no reason for a write to fail. */
const settings = [
  'dynamic_snitch: false',
  'write_request_timeout: 30000ms',
  'counter_write_request_timeout: 30000ms',
  'read_request_timeout: 30000ms',
  'range_request_timeout: 30000ms',
  'truncate_request_timeout: 60000ms',
];

/**
 * Tells the story and resolves with how it ended. Leaves nothing behind unless `keep` and the story came to
 * its end. Errors: `target-unfit` when Cassandra or Java cannot be had, and whatever CODR itself reports.
 */
export async function runCassandraDemo(
  options: DemoOptions,
  tell: TellDemo,
  signal: AbortSignal,
): Promise<DemoResult> {
  const begun = performance.now();
  const steps = new Steps(tell, signal);
  const cluster = await startCluster(steps, signal);
  let isKept = false;
  try {
    const backup = new DemoBackup(cluster.folder);
    const told = await tellStory({ cluster, backup, steps, signal }, options.records);
    const kept = options.keep ? await placesOf(cluster, backup) : [];
    isKept = options.keep;
    return { ...told, seconds: (performance.now() - begun) / 1000, kept };
  } finally {
    if (isKept) cluster.release();
    else await cluster[Symbol.asyncDispose]();
  }
}

async function startCluster(steps: Steps, signal: AbortSignal): Promise<CassandraCluster> {
  const program = await steps.step(
    'Apache Cassandra',
    () =>
      findCassandra(process.env, {
        signal,
        onDownload: (version) => steps.note(`none found: downloading Cassandra ${version} once`),
      }),
    ({ version, lib }) => `Cassandra ${version} (${lib})`,
  );
  return await steps.step(
    'Three nodes for this demo alone, with hinted handoff off: who is down misses writes',
    () =>
      CassandraCluster.start(program, {
        ...{ nodes, hints: false, yaml: settings, readyMsMax },
        // Named data centres also choose GossipingPropertyFileSnitch.
        dcs: Array.from({ length: nodes }, () => shopDataCentre),
      }),
    ({ contactPoints }) => `they serve ${contactPoints.join(', ')}`,
  );
}

async function tellStory(
  stage: Omit<CassandraStage, 'client' | 'shop'>,
  records: number,
): Promise<Omit<DemoResult, 'seconds' | 'kept'>> {
  const { cluster, steps, signal } = stage;
  const client: Client = await connectShop(cluster);
  try {
    const shop = new CassandraShop(client);
    await steps.step(
      'A shop, 3 copies: wide partitions, static columns, lists, sets, counters, rows that expire',
      () => shop.fill(records, signal),
      ({ rows }) => `${asCount(rows)} rows in 4 tables`,
    );
    const whole = { ...stage, client, shop };
    await loseNode(whole);
    await returnNode(whole);
    await protect(whole);
    await tradeOn(whole);
    const disaster = await strike(whole);
    return await giveBack(whole, disaster);
  } finally {
    await client.shutdown();
  }
}

async function placesOf(cluster: CassandraCluster, backup: DemoBackup): Promise<string[]> {
  return [
    `Cassandra at ${cluster.contactPoints.join(', ')}`,
    `CODR_REPO=${backup.repository} CODR_PASSWORD_FILE=${await backup.writePassphrase()}`,
    `to end it: kill ${cluster.pids.join(' ')}; rm -r ${cluster.folder}`,
  ];
}
