// The story of `codr demo`: a real replica set with live writers, a backup that follows it, a delete that
// forgot its filter, the restore to the second before, and two proofs: CODR's own, and one by the server's
// snapshot reads. Everything lies in the folder of the replica set, which goes however the demo ends. The
// story of `codr demo --cassandra` is in `cassandra-demo.ts`.
import type { MongoClient } from 'mongodb';
import { runCassandraDemo } from './cassandra-demo.ts';
import { giveBack, mergeBack, protect, type Stage, strike } from './demo-acts.ts';
import { DemoBackup } from './demo-backup.ts';
import { fillShop, ordersCollection, ShopTraffic, shopDatabase } from './demo-shop.ts';
import { asCount, asMiB, Steps } from './demo-steps.ts';
import type { DemoOptions, DemoResult, TellDemo } from './demo-story.ts';
import { findMongod } from './mongod-program.ts';
import { ReplicaSet } from './mongod-server.ts';

/**
 * Tells the story step by step and resolves with how it ended. Leaves nothing behind unless `keep` and the
 * story came to its end. Errors: `target-unfit` when no server can be had, and whatever CODR itself reports.
 */
export async function runDemo(
  options: DemoOptions,
  tell: TellDemo,
  signal: AbortSignal,
): Promise<DemoResult> {
  if (options.cassandra) return await runCassandraDemo(options, tell, signal);
  const begun = performance.now();
  const steps = new Steps(tell, signal);
  const set = await startServer(options, steps, signal);
  const backup = new DemoBackup(set.folder);
  let isKept = false;
  try {
    const told = await tellStory({ set, backup, steps, signal }, options.records);
    const kept = options.keep ? await placesOf(set, backup) : [];
    isKept = options.keep;
    return { ...told, seconds: (performance.now() - begun) / 1000, kept };
  } finally {
    await backup.stopFollowing().catch(() => {}); // told by the story already
    await (isKept ? set.release() : set.stop());
  }
}

async function startServer(
  { mongod }: DemoOptions,
  steps: Steps,
  signal: AbortSignal,
): Promise<ReplicaSet> {
  const environment = { ...process.env, ...(mongod !== undefined && { CODR_MONGOD: mongod }) };
  const program = await steps.step(
    'A MongoDB server',
    () =>
      findMongod(environment, {
        signal,
        onDownload: (version) => steps.note(`none found: downloading mongod ${version} once`),
      }),
    ({ version, path }) => `mongod ${version} (${path})`,
  );
  return await steps.step(
    'A replica set of one member, for this demo alone',
    () => ReplicaSet.start(program),
    (set) => `it serves ${set.uri}`,
  );
}

async function tellStory(
  stage: Stage,
  records: number,
): Promise<Omit<DemoResult, 'seconds' | 'kept'>> {
  const { set, steps, signal } = stage;
  const client = await set.primaryClient();
  const { customers } = await steps.step(
    'A shop: customers, orders with nested arrays, expiring sessions, a view, indexes',
    () => fillShop(client, records, signal),
    (made) => `${asCount(made.orders)} orders, ${asCount(made.customers)} customers`,
  );
  const traffic = new ShopTraffic(client, customers);
  traffic.start();
  steps.note('the shop is open: three writers insert, change and delete from here on');
  try {
    await protect(stage, traffic);
    const disaster = await strike(stage, client, traffic);
    const told = await giveBack(stage, client, disaster);
    await steps.step(
      'What was lost goes back into orders by $merge; orders sold since stay as they are',
      () => mergeBack(client),
      (count) => `${asCount(count)} orders in the shop`,
    );
    await closeBooks(stage, client, traffic);
    return told;
  } finally {
    await traffic.stop();
  }
}

/** Ends writers and backup, and shows what all of it cost. */
async function closeBooks(
  { backup, steps }: Stage,
  client: MongoClient,
  traffic: ShopTraffic,
): Promise<void> {
  await steps.step(
    'The shop closes',
    async () => {
      await traffic.stop();
      const { dataSize } = await client.db(shopDatabase).command({ dbStats: 1 });
      const result = await backup.stopFollowing();
      return { raw: Number(dataSize), stored: await backup.storedBytes(), result };
    },
    ({ raw, stored, result }) =>
      `${asMiB(stored)} in the repository hold ${asMiB(raw)} of records and ` +
      `${asCount(result?.changes ?? 0)} changes`,
  );
  const { writes, slowestMs } = traffic.counts;
  const slowest = `the slowest took ${Math.round(slowestMs)} ms`;
  steps.note(`${asCount(writes)} writes of the shop, none failed, ${slowest}`);
}

async function placesOf(set: ReplicaSet, backup: DemoBackup): Promise<string[]> {
  return [
    `mongod at ${set.uri} (${shopDatabase}.${ordersCollection})`,
    `CODR_REPO=${backup.repository} CODR_PASSWORD_FILE=${await backup.writePassphrase()}`,
    `to end it: kill ${set.pids.join(' ')}; rm -r ${set.folder}`,
  ];
}
