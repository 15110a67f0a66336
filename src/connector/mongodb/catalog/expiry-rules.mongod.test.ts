// The oracle is the server's own TTL monitor: what it leaves is what was not said to be expired.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db, Document, MongoClient } from 'mongodb';
import { BSON } from 'mongodb';
import { has } from '../../../../test/harness/capability.ts';
import { connectorContext } from '../../../../test/harness/context.ts';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import type { ReplicaSet } from '../../../node/demo/mongod-server.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { renderKey } from '../key/render-key.ts';
import { mongodbConnector } from '../mongodb-connector.ts';
import { MongodbSession } from '../session/mongodb-session.ts';

let set: ReplicaSet;
let client: MongoClient;
let db: Db;
const signal = new AbortController().signal;
/** Far from every limit in the tests, so that the time of the monitor's pass does not matter. */
const now = Date.now();
const day = 86_400_000;
const [old, young, future] = [new Date(now - 9 * day), new Date(now - 60_000), new Date(8e12)];

before(async () => {
  set = await startReplicaSet({
    parameters: { ttlMonitorSleepSecs: 1, ttlMonitorEnabled: false },
  });
  client = set.clients[0] as MongoClient;
  db = client.db('app');
});
after(async () => {
  await set?.stop();
});

/** Whether each stored document is expired, by its `_id`. */
async function predicted(
  namespace: string,
  stored: string,
  exact = true,
): Promise<Map<string, boolean>> {
  await using session = await MongodbSession.open(set.uri, connectorContext(), signal);
  const { datasets } = await session.survey(signal);
  const entry = datasets.find((one) => one.entry.namespace === namespace)?.entry;
  assert.ok(entry);
  const rule = mongodbConnector.expiry(entry, now);
  assert.ok(rule, `${namespace} has expiry`);
  assert.equal(rule.exact, exact);
  const found = await db.collection(stored).find({}, { raw: true }).toArray();
  return new Map(
    (found as unknown as Uint8Array[]).map((value) => {
      const record = { key: keyOfDocument(value), value };
      return [mongodbConnector.renderKey(entry, record), rule.isExpired(record)];
    }),
  );
}

async function left(stored: string): Promise<string[]> {
  const found = await db.collection(stored).find({}, { raw: true }).toArray();
  return (found as unknown as Uint8Array[]).map((value) => renderKey(value)).sort();
}

async function passes(): Promise<number> {
  return Number((await db.command({ serverStatus: 1 })).metrics.ttl.passes);
}

/** Lets the monitor go over everything once; two passes, since one may be under way. */
async function monitorPasses(): Promise<void> {
  const set = (ttlMonitorEnabled: boolean): Promise<Document> =>
    client.db('admin').command({ setParameter: 1, ttlMonitorEnabled });
  await set(true);
  const first = await passes();
  while ((await passes()) < first + 2) await sleep(50);
  await set(false);
}

test('what is said to be expired is what the server deletes', async (t) => {
  const dates = [
    ...[{ at: old }, { at: young }, { at: future }, { at: 'old' }, { at: null }, {}, { at: 5 }],
    ...[{ at: [] }, { at: [young, old] }, { at: [young, future] }, { at: [[old]] }],
    ...[{ at: ['x', old] }, { at: { x: old } }, { at: new Date(-1e12) }],
    ...[{ a: { b: old } }, { a: { b: young } }, { a: [{ b: young }, { b: old }] }],
    ...[{ a: [{ b: young }] }, { a: { b: [old] } }, { a: [[{ b: old }]] }, { a: [old] }],
    ...[{ a: [5, { b: [young, old] }] }, { a: { c: old } }, { 'a.b': old }, { n: [old] }],
    ...[{ n: [young, old] }, { n: { '0': old } }, { größe: old }],
  ];
  await db
    .collection<Document>('dates')
    .insertMany(dates.map((each, i) => ({ _id: i as never, ...each })));
  await db.collection('dates').createIndexes(
    ['at', 'a.b', 'n.0', 'größe'].map((field) => ({
      key: { [field]: 1 },
      expireAfterSeconds: 86_400,
    })),
  );
  await db.collection('dates').createIndex({ other: 1 });
  const clusters = await has(t, 'clustered collections');
  if (clusters) {
    const clusteredIndex = { key: { _id: 1 }, unique: true };
    await db.createCollection('clustered', { clusteredIndex, expireAfterSeconds: 86_400 });
    const ids = [old, young, future, 'old', 5];
    await db
      .collection<Document>('clustered')
      .insertMany(ids.map((_id) => ({ _id: _id as never })));
  }
  await db.createCollection('series', {
    timeseries: { timeField: 't', granularity: 'hours' },
    expireAfterSeconds: 86_400,
  });
  // A bucket of this granularity spans 30 days, and goes only when all of that is too old.
  const times = [70, 20, 0].map((days) => ({ t: new Date(now - days * day) }));
  for (const row of times) await db.collection('series').insertOne(row);

  const collections = new Map([
    ['dates', 'dates'],
    ['series', 'system.buckets.series'],
  ]);
  if (clusters) collections.set('clustered', 'clustered');
  const expected = new Map<string, string[]>();
  for (const [name, stored] of collections) {
    const verdicts = [...(await predicted(`app.${name}`, stored))];
    assert.ok(verdicts.some(([, gone]) => gone) && verdicts.some(([, gone]) => !gone), name);
    const kept = verdicts.filter(([, gone]) => !gone).map(([id]) => id);
    expected.set(stored, kept.sort());
  }
  await monitorPasses();
  for (const [stored, kept] of expected) assert.deepEqual(await left(stored), kept, stored);
});

test('of an index with a filter more are said to be expired than the server deletes, never fewer', async () => {
  const rows = [
    ...[{ at: old, done: true }, { at: old, done: false }, { at: young, done: true }, { at: old }],
    ...[
      { at: future, done: true },
      { at: [young, old], done: true },
    ],
  ];
  const some = db.collection<Document>('some');
  await some.insertMany(rows.map((each, i) => ({ _id: i as never, ...each })));
  const partialFilterExpression = { done: true };
  await some.createIndex({ at: 1 }, { expireAfterSeconds: 86_400, partialFilterExpression });
  const verdicts = [...(await predicted('app.some', 'some', false))];
  await monitorPasses();
  const kept = await left('some');
  const gone = verdicts.filter(([id]) => !kept.includes(id));
  assert.ok(gone.length > 0 && gone.every(([, isExpired]) => isExpired), String(gone));
  assert.ok(verdicts.filter(([, isExpired]) => isExpired).length > gone.length, 'a bound');
});

test('a collection without expiry has none to tell', () => {
  const body = BSON.serialize({
    type: 'collection',
    options: {},
    indexes: [{ v: 2, key: { a: 1 }, name: 'a_1' }],
  });
  const entry = { dataset: 'd' as never, namespace: 'a.b', role: 'data', kind: 'collection', body };
  assert.equal(mongodbConnector.expiry(entry as never, 0), undefined);
});
