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

test('two datasets that would get one name are refused, whatever the target holds', async () => {
  const message = /shop\.customers and shop\.orders would both be called shop\.customers/;
  const refusal = { code: 'usage', object: 'shop.customers', message };
  await assertRefused({ renames: ['shop.orders=shop.customers'] }, refusal);
  await assertRefused({ renames: ['shop.orders=shop.customers'], drop: true }, refusal);
  await assertRefused({ renames: ['shop.orders=x.y', 'shop.customers=x.y'] }, { code: 'usage' });
  // A view would take the place of the collection that was just restored.
  await assertRefused({ renames: ['shop.seen=shop.orders'], drop: true }, { code: 'usage' });
});

test('names that the server or CODR keeps are refused as targets of a rename', async () => {
  const startup = await target('local').collection('startup_log').countDocuments();
  for (const to of [
    ...['local.startup_log', 'config.x', 'admin.system.users', 'admin.system.js', 'codr_restore.x'],
    ...['shop.system.views', 'shop.system.profile', 'x.codr_restore_0123456789abcdef'],
  ]) {
    const choice = { include: ['shop.customers'], renames: [`shop.customers=${to}`] };
    await assertRefused(
      { ...choice, drop: true },
      { code: 'usage', object: to, message: /for itself/ },
    );
    await assertRefused(
      { include: ['shop.seen'], renames: [`shop.seen=${to}`] },
      { code: 'usage' },
    );
  }
  await assertRefused({ renames: ['shop.*=local.*'] }, { code: 'usage' });
  assert.equal(await target('local').collection('startup_log').countDocuments(), startup);
});

test('names that no server takes are refused before any work', async () => {
  const odd = ['/', '\\', ' ', '"', '$', '*', '<', '>', ':', '|', '?', '\0'].map((c) => `a${c}b.x`);
  const long = 'x'.repeat(251);
  for (const to of [
    ...odd,
    ...['shop.', 'shop.a$b', 'shop.a\0b', 'shop..x', '.x', `shop.${long}`, `${'d'.repeat(64)}.x`],
  ]) {
    const choice = { include: ['shop.customers'], renames: [`shop.customers=${to}`] };
    await assertRefused(choice, { code: 'usage', object: to });
  }
  const renames = [`shop.*=${'d'.repeat(63)}.${'x'.repeat(185)}.*`];
  await assertRefused({ renames }, { code: 'usage', message: /255 bytes/ });
});

test('the longest names that a server takes pass', async () => {
  const database = 'd'.repeat(63);
  const to = `${database}.${'é'.repeat(95)}x`;
  await using node = await world.node();
  const choice = { include: ['shop.weather'], renames: [`shop.weather=${to}`] };
  assert.equal((await node.restore(requestOf(choice), call())).datasets[0]?.to, to);
  await target(database).dropDatabase();
});

test('a database that differs from another in upper and lower case alone is refused', async () => {
  await target('shop').collection('mine').insertOne({});
  const choice = { include: ['shop.orders'] };
  const message = /a server with a database shop takes none called SHOP/;
  await assertRefused({ ...choice, renames: ['shop.orders=SHOP.x'] }, { code: 'usage', message });
  await target('shop').dropDatabase();
  const renames = ['shop.orders=Both.x', 'shop.customers=both.x'];
  await assertRefused({ renames }, { code: 'usage', message: /Both|both/ });
  await target('SHOP').collection('mine').insertOne({});
  await assertRefused(choice, { code: 'target-unfit' });
  await target('SHOP').dropDatabase();
});
