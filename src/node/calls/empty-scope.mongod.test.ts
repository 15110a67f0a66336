// A scope that means nothing of the source is said at every step; one that means something is not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, World } from '../../../test/mongodb/world.ts';

let world: World;
before(async () => {
  world = await World.open();
  const shop = world.client.db('shop');
  await shop.collection('orders').insertOne({ v: 1 });
  await shop.createCollection('seen', { viewOn: 'orders', pipeline: [] });
  const user = { createUser: 'ann', pwd: 'p', roles: [] };
  await world.client.db('admin').command(user);
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** The warnings of `source add`, `source check` and `backup`. */
async function warningsFor(name: string, include: string[], exclude: string[] = []) {
  await using node = await world.node();
  const request = { source: name, uri: world.source.uri, include, exclude };
  const added = await node.addSource(request, call());
  const checked = await node.checkSource({ source: name }, call());
  const backedUp = await node.backup({ source: name, follow: false, rpoSeconds: 1 }, call());
  const [add, check] = [added, checked].map(({ findings }) =>
    findings.filter(({ level }) => level === 'warning'),
  );
  return { add, check, backup: backedUp.warnings };
}

test('a scope that means nothing is a warning of source add, source check and backup', async () => {
  for (const [name, include, exclude] of [
    ['typo', ['shp.*'], []],
    ['excluded', [], ['*']],
  ] as const) {
    const { add, check, backup } = await warningsFor(name, [...include], [...exclude]);
    const message = 'nothing that the source holds is in scope: a backup would hold no data';
    const remedy = 'see --include and --exclude; databases with data: shop';
    assert.deepEqual(add, [{ level: 'warning', message, remedy }]);
    assert.deepEqual(check, add);
    assert.match(backup.join(), /nothing that the source holds is in scope.*source show/);
  }
});

test('of a scope with two includes the one that is misspelt is named', async () => {
  const { add, check, backup } = await warningsFor('half', ['shop.orders', 'shop.oders']);
  const message = 'nothing that the source holds is called shop.oders';
  assert.deepEqual(
    add?.map((finding) => finding.message),
    [message],
  );
  assert.deepEqual(check, add);
  assert.match(backup.join(), /^the scope names shop\.oders, and nothing is called so; see/);
});

test('a scope that means a collection or a view is none', async () => {
  for (const [name, include] of [
    ['one', ['shop.orders']],
    ['view', ['shop.seen']],
    ['users', ['shop.orders', 'admin.system.users']],
  ] as const) {
    const none = { add: [], check: [], backup: [] };
    assert.deepEqual(await warningsFor(name, [...include]), none);
  }
});

test('a database alone is refused where patterns are taken', async () => {
  await using node = await world.node();
  const refusal = { code: 'usage', object: 'shop' };
  const added = { source: 'bare', uri: world.source.uri, include: ['shop'], exclude: [] };
  await assert.rejects(node.addSource(added, call()), refusal);
});
