import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mongod } from '../../../test/harness/get-mongod.ts';
import { startReplicaSet } from '../../../test/harness/mongod.ts';
import { runDemo } from './demo.ts';
import { clusterSecond, fingerprint, indexesOf } from './demo-oracle.ts';
import type { DemoEvent } from './demo-story.ts';

const scratch = mkdtempSync(join(tmpdir(), 'codr-demo-test-'));
const systemFolder = process.env.TMPDIR;

before(() => {
  process.env.TMPDIR = scratch;
});

after(() => {
  if (systemFolder === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = systemFolder;
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs the demo and interrupts it at the first event that `at` accepts. */
async function interruptedAt(at: (event: DemoEvent) => boolean): Promise<unknown> {
  const { path } = await mongod();
  const stop = new AbortController();
  const tell = (event: DemoEvent): void => {
    if (at(event)) stop.abort(new Error('stopped by the test'));
  };
  return await runDemo({ records: 200, keep: true, mongod: path }, tell, stop.signal);
}

test('a demo that is interrupted while a backup follows leaves no server and no file', async () => {
  const growing = (event: DemoEvent): boolean =>
    event.kind === 'step' && event.title.includes('interval grows');
  await assert.rejects(interruptedAt(growing), /stopped by the test/);
  assert.deepEqual(readdirSync(scratch), []);
});

test('a demo that is interrupted while its server starts leaves no server and no file', async () => {
  const starting = (event: DemoEvent): boolean =>
    event.kind === 'step' && event.title.includes('replica set of one member');
  await assert.rejects(interruptedAt(starting), /stopped by the test/);
  assert.deepEqual(readdirSync(scratch), []);
});

test('the witness tells one changed value, and an earlier second still shows the old one', async () => {
  await using set = await startReplicaSet();
  const client = await set.primaryClient();
  const [database, collection] = ['shop', 'orders'];
  const orders = client.db(database).collection<{ _id: number; count: number }>(collection);
  await orders.insertMany([1, 2, 3].map((_id) => ({ _id, count: 1 })));
  const before = await fingerprint(client, { database, collection });
  const second = await clusterSecond(client);
  while ((await clusterSecond(client)) === second) {
    await client.db('other').collection('ticks').insertOne({});
  }
  await orders.updateOne({ _id: 2 }, { $set: { count: 2 } });
  const changed = await fingerprint(client, { database, collection });
  assert.equal(changed.records, before.records);
  assert.notEqual(changed.md5, before.md5);
  assert.deepEqual(await fingerprint(client, { database, collection, second }), before);
});

test('the witness tells an index whose options differ', async () => {
  await using set = await startReplicaSet();
  const client = await set.primaryClient();
  const db = client.db('shop');
  await db.collection('a').createIndex({ x: 1 }, { sparse: true });
  await db.collection('b').createIndex({ x: 1 });
  const [a, b] = await Promise.all(
    ['a', 'b'].map((collection) => indexesOf(client, { database: 'shop', collection })),
  );
  assert.notDeepEqual(a, b);
});
