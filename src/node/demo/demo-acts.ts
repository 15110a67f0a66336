// The acts of the demo: protection, disaster, restore and proof. Each tells its steps as it goes.
import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import { type DemoBackup, demoSource } from './demo-backup.ts';
import { clusterSecond, type Fingerprint, fingerprint, indexesOf } from './demo-oracle.ts';
import { ordersCollection, type ShopTraffic, shopDatabase } from './demo-shop.ts';
import { asCount, asMiB, type Steps } from './demo-steps.ts';
import type { DemoResult } from './demo-story.ts';
import type { ReplicaSet } from './mongod-server.ts';

/** What every act needs. */
export interface Stage {
  readonly set: ReplicaSet;
  readonly backup: DemoBackup;
  readonly steps: Steps;
  readonly signal: AbortSignal;
}

const besideCollection = 'orders_before';
const ordersNamespace = `${shopDatabase}.${ordersCollection}`;
const besideNamespace = `${shopDatabase}.${besideCollection}`;
const live = { database: shopDatabase, collection: ordersCollection };
const beside = { database: shopDatabase, collection: besideCollection };

const rpoSeconds = 1;
/** Looks at the points, a second apart, before the disaster. */
const looks = 3;
/** How long the shop goes on between the disaster and the restore. */
const aftermathMs = 2000;

/** Base copy and log, until the restorable interval has grown for a while. */
export async function protect(
  { set, backup, steps, signal }: Stage,
  traffic: ShopTraffic,
): Promise<void> {
  await steps.step(
    'An encrypted repository, and the replica set as its source (codr init, codr source add)',
    () => backup.prepare({ uri: set.uri }, signal),
    (findings) => {
      const faults = findings.filter(({ level }) => level === 'error');
      const what =
        faults.length === 0 ? 'none is an error' : faults.map((one) => one.message).join('; ');
      return `${findings.length} findings about the source, ${what}`;
    },
  );
  await steps.step(
    `In the background: codr backup ${demoSource} --follow --rpo ${rpoSeconds}s`,
    () => backup.follow(rpoSeconds, signal),
    ({ wall }) => `the base copy is whole; every moment from ${timeOfDay(wall)} on can be restored`,
  );
  await steps.step(
    'The restorable interval grows (codr points)',
    async () => {
      for (let look = 0; ; look++) {
        const { to } = await backup.restorable(signal);
        if (look === looks) return to;
        const writes = asCount(traffic.counts.writes);
        steps.note(`up to ${timeOfDay(to.wall)} (${to.time}); the shop made ${writes} writes`);
        await sleep(1000, undefined, { signal });
      }
    },
    ({ wall, time }) => `up to ${timeOfDay(wall)} (${time})`,
  );
}

/** What the demo knows of its disaster. */
export interface Disaster {
  readonly atMs: number;
  /** Cluster time in whole seconds: all of this second lies before the delete. */
  readonly secondBefore: number;
  readonly before: Fingerprint;
  readonly indexes: readonly string[];
}

/** The delete; and what the server itself says was there in the second before it. */
export async function strike(
  { steps, signal }: Stage,
  client: MongoClient,
  traffic: ShopTraffic,
): Promise<Disaster> {
  const indexes = await indexesOf(client, live);
  const { atMs, secondBefore } = await steps.step(
    'The disaster: db.orders.deleteMany({}), the filter was forgotten',
    async () => {
      const second = (await clusterSecond(client)) - 1;
      const now = Date.now();
      const orders = client.db(shopDatabase).collection(ordersCollection);
      const { deletedCount } = await orders.deleteMany({});
      return { atMs: now, secondBefore: second, deletedCount };
    },
    ({ atMs, deletedCount }) =>
      `${asCount(deletedCount)} orders are gone since ${timeOfDay(atMs)}; the shop goes on selling`,
  );
  const before = await steps.step(
    'A witness without CODR: the server reads its own snapshot of the second before',
    () => fingerprint(client, { ...live, second: secondBefore }),
    ({ records, md5 }) =>
      `${asCount(records)} orders at the end of ${timeOfDay(secondBefore * 1000)}, MD5 ${md5}`,
  );
  const { writes } = traffic.counts;
  await sleep(aftermathMs, undefined, { signal });
  steps.note(`${asCount(traffic.counts.writes - writes)} more writes of the shop meanwhile`);
  return { atMs, secondBefore, before, indexes };
}

/** The restore beside the live collection, and both proofs. */
export async function giveBack(
  { set, backup, steps, signal }: Stage,
  client: MongoClient,
  { atMs, secondBefore, before, indexes }: Disaster,
): Promise<Omit<DemoResult, 'seconds' | 'kept'>> {
  const at = new Date(secondBefore * 1000).toISOString().replace('.000', '');
  await backup.reaches(secondBefore, signal);
  const begun = performance.now();
  const restored = await steps.step(
    `codr restore ${demoSource} --at ${at} --include ${ordersNamespace} ` +
      `--rename ${ordersNamespace}=${besideNamespace}`,
    async () => {
      const what = { to: set.uri, at, from: ordersNamespace, beside: besideNamespace };
      const { datasets } = await backup.restore(what, signal);
      if (datasets.length !== 1 || !datasets[0]) throw new Error('not one collection came back');
      return datasets[0];
    },
    ({ records, bytes, root, proven }) =>
      `${asCount(records)} orders, ${asMiB(bytes)}; ` +
      (proven ? `read back: the root is ${root.slice(0, 16)}… again` : 'not proven'),
  );
  const restoreSeconds = (performance.now() - begun) / 1000;
  const isEqual = await steps.step(
    'The second proof, without CODR: the restored collection against the snapshot',
    async () => {
      const after = await fingerprint(client, beside);
      const sameIndexes = String(await indexesOf(client, beside)) === String(indexes);
      return after.records === before.records && after.md5 === before.md5 && sameIndexes;
    },
    (equal) =>
      equal ? `MD5 ${before.md5} again, and the same ${indexes.length} indexes` : 'they differ',
  );
  return {
    proven: restored.proven && isEqual,
    restoredTo: at,
    disasterAt: new Date(atMs).toISOString(),
    records: restored.records,
    restoreSeconds,
  };
}

/** Puts back what is missing in the live collection; resolves with its count. */
export async function mergeBack(client: MongoClient): Promise<number> {
  const db = client.db(shopDatabase);
  const merge = { into: ordersCollection, on: '_id', whenMatched: 'keepExisting' } as const;
  await db
    .collection(besideCollection)
    .aggregate([{ $merge: merge }])
    .toArray();
  return await db.collection(ordersCollection).countDocuments();
}

/** `13:05:00` in UTC. */
function timeOfDay(moment: string | number): string {
  return new Date(moment).toISOString().slice(11, 19);
}
