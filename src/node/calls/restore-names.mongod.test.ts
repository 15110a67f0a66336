// What a restore refuses for its names, on real servers: before any work, in the plan as in the restore.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Db } from 'mongodb';
import { call, type RestoreChoice, World } from '../../../test/mongodb/world.ts';
import type { RestoreRequest } from '../../api/codr-api.ts';

let world: World;
let target: (name: string) => Db;

before(async () => {
  world = await World.open();
  target = (name) => world.targetClient.db(name);
  const shop = world.client.db('shop');
  await shop.collection('orders').insertMany([{ v: 1 }, { v: 2 }]);
  await shop.collection('customers').insertOne({ v: 3 });
  await shop.createCollection('seen', { viewOn: 'orders', pipeline: [] });
  await shop.createCollection('weather', { timeseries: { timeField: 't' } });
  await (await world.protect('shop')).backup();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

function requestOf(choice: RestoreChoice): RestoreRequest {
  return {
    ...{ source: 'shop', to: world.target.uri, at: 'latest', include: [], exclude: [] },
    ...{ renames: [], drop: false, ttl: 'keep', verify: true },
    ...choice,
  };
}

interface Refusal {
  readonly code: string;
  readonly object?: string;
  readonly message?: RegExp;
  readonly remedy?: string;
}

/** Refused by the plan and by the restore, and nothing but the given databases is in the target. */
async function assertRefused(choice: RestoreChoice, refusal: Refusal): Promise<void> {
  await using node = await world.node();
  const before = await databases();
  await assert.rejects(node.planRestore(requestOf(choice), call()), refusal);
  await assert.rejects(node.restore(requestOf(choice), call()), refusal);
  assert.deepEqual(await databases(), before);
}

async function databases(): Promise<string[]> {
  const { databases: listed } = await world.targetClient.db('admin').admin().listDatabases();
  return listed.map(({ name }) => name).sort();
}

test('a rename that fits nothing of the scope is refused, and live data under --drop stays', async () => {
  await target('shop').collection('orders').insertOne({ v: 'live' });
  const choice = { include: ['shop.orders'], drop: true };
  const code = 'namespace-unknown';
  await assertRefused(
    { ...choice, renames: ['shop.Orders=shop.orders_before'] },
    { code, object: 'shop.Orders', remedy: 'there is to rename: shop.orders' },
  );
  await assertRefused({ ...choice, renames: ['shp.*=old.*'] }, { code, object: 'shp.*' });
  // It is there at the point, and not in scope.
  await assertRefused({ ...choice, renames: ['shop.seen=shop.saw'] }, { code });
  await assertRefused(
    { renames: ['shop.sen=shop.saw'] },
    { code, remedy: 'there is to rename: shop.customers, shop.orders, shop.seen, shop.weather' },
  );
  assert.equal(await target('shop').collection('orders').countDocuments({ v: 'live' }), 1);
  await target('shop').dropDatabase();
});

test('a rename of a view alone fits', async () => {
  await using node = await world.node();
  const choice = { include: ['shop.seen'], renames: ['shop.seen=shop.saw'] };
  await node.restore(requestOf(choice), call());
  const listed = await target('shop').listCollections({ name: 'saw' }).toArray();
  assert.equal(listed.length, 1);
  await target('shop').dropDatabase();
});

test('two renames of one name are refused', async () => {
  const renames = ['shop.orders=m.b', 'shop.orders=m.c'];
  await assertRefused(
    { renames },
    { code: 'usage', message: /shop\.orders=m\.c.*shop\.orders=m\.b/ },
  );
});
