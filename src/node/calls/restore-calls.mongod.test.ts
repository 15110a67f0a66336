// Restores through the API, as a user asks for them: names, filters, renames, expiry, users, one record.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Db, type Document, Timestamp } from 'mongodb';
import { lacks } from '../../../test/harness/capability.ts';
import { call, type RestoreChoice, World } from '../../../test/mongodb/world.ts';
import type { RestorePlan, RestoreRequest, RestoreResult } from '../../api/codr-api.ts';

let world: World;
let source: Db;
/** The source's own hour. */
const now = Date.now();
const hour = 3_600_000;

before(async () => {
  const parameters = { ttlMonitorEnabled: false };
  world = await World.open({
    source: { auth: true, parameters },
    target: { auth: true, parameters },
  });
  source = world.client.db('app');
  await source.collection<Row>('people').insertMany([
    { _id: 1 as never, name: 'one', seen: new Date(now - 2 * hour) },
    { _id: 2 as never, name: 'two', seen: [new Date(now), new Date(now - 2 * hour)] },
    { _id: 3 as never, name: 'three', seen: new Date(now + 9 * hour) },
    { _id: 4 as never, name: 'four', seen: 'never' },
  ]);
  await source.collection('people').createIndex({ seen: 1 }, { expireAfterSeconds: 3600 });
  await source.collection<Row>('orders').insertMany([{ _id: 1 as never, person: 1 }]);
  await source.createCollection('adults', {
    viewOn: 'people',
    pipeline: [
      { $lookup: { from: 'orders', localField: '_id', foreignField: 'person', as: 'orders' } },
      { $match: { orders: { $ne: [] } } },
    ],
  });
  for (const name of ['weather', 'tides']) {
    const timeseries = { timeField: 't', metaField: 'm', granularity: 'minutes' } as const;
    await source.createCollection(name, { timeseries, expireAfterSeconds: 86_400 * 30 });
    const days = [1, 2, 100, 200];
    const row = (day: number): Document => ({ t: new Date(now - day * 24 * hour), m: 1, v: day });
    await source.collection(name).insertMany(days.map(row));
  }
  const admin = world.client.db('admin');
  await admin.command({ createRole: 'clerk', privileges: [], roles: ['backup'] });
  await admin.command({ createUser: 'zed', pwd: 'zed', roles: ['clerk'] });
  await source.collection<Row>('stamps').insertOne({ _id: 'the one' as never, ts: 1 });
  // An update keeps the empty timestamp that an insert replaces.
  await source.collection('stamps').updateOne({}, { $set: { ts: new Timestamp({ t: 0, i: 0 }) } });
  await (await world.protect('all', { include: [] })).backup();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

function requestOf(choice: RestoreChoice): RestoreRequest {
  return {
    ...{ source: 'all', to: world.target.uri, at: 'latest', include: [], exclude: [], renames: [] },
    ...{ drop: false, ttl: 'keep', verify: true },
    ...choice,
  };
}

async function restore(choice: RestoreChoice): Promise<RestoreResult> {
  await using node = await world.node();
  return await node.restore(requestOf(choice), call());
}

async function plan(choice: RestoreChoice): Promise<RestorePlan> {
  await using node = await world.node();
  return await node.planRestore(requestOf(choice), call());
}

/** Keys of any type. */
type Row = Document & { _id: never };

const targetDb = (name: string): Db => world.targetClient.db(name);

async function optionsOf(db: Db, name: string): Promise<Document | undefined> {
  const [listed] = (await db.listCollections({ name }).toArray()) as Document[];
  return listed?.options;
}

async function userNames(): Promise<string[]> {
  const { users } = await targetDb('admin').command({ usersInfo: 1 });
  return users.map(({ user }: { user: string }) => user).sort();
}

test('a time series is listed, restored and renamed under the name that users know', async () => {
  await using node = await world.node();
  const { datasets } = await node.listDatasets({ source: 'all', at: 'latest' });
  const names = datasets.map(({ namespace }) => namespace);
  assert.deepEqual(
    names.filter((name) => name.includes('system.buckets')),
    [],
  );
  const series = datasets.filter(({ kind }) => kind === 'timeseries');
  assert.deepEqual(
    series.map(({ namespace, records }) => [namespace, records > 0]),
    [
      ['app.tides', true],
      ['app.weather', true],
    ],
  );

  const renames = ['app.weather=series.before'];
  const result = await restore({ include: ['app.weather'], renames });
  assert.deepEqual(
    result.datasets.map(({ from, to, proven }) => [from, to, proven]),
    [['app.weather', 'series.before', true]],
  );
  const rows = (db: Db, name: string) => db.collection(name).find().sort({ t: 1 }).toArray();
  assert.deepEqual(await rows(targetDb('series'), 'before'), await rows(source, 'weather'));
  const options = await optionsOf(source, 'weather');
  assert.deepEqual(await optionsOf(targetDb('series'), 'before'), options);
  assert.equal(options?.expireAfterSeconds, 86_400 * 30);
  assert.deepEqual(await optionsOf(targetDb('series'), 'tides'), undefined);

  const { conflicts } = await plan({ include: ['app.weather'], renames });
  assert.deepEqual(conflicts, ['series.before']);
  assert.deepEqual(result.warnings.slice(-1), ['series.before: expiry after 2592000 s has begun']);
  const again = await restore({ include: ['app.weather'], renames, drop: true });
  assert.deepEqual(again.dropped, ['series.before']);
  assert.ok((await rows(targetDb('series'), 'before')).length > 0);
  await assert.rejects(restore({ include: ['app.weather'], exclude: ['app.weather'] }), {
    code: 'namespace-unknown',
  });
});

test('the plan says how many records expire at once, and what keeps them', async () => {
  const choice = { include: ['app.*'], renames: ['app.*=ttl.*'] };
  const planned = await plan(choice);
  const expiring = planned.datasets.map((one) => [one.to, one.expiring]).sort();
  assert.deepEqual(expiring, [
    ['ttl.orders', undefined],
    ['ttl.people', 2],
    ['ttl.stamps', undefined],
    ['ttl.tides', 2],
    ['ttl.weather', 2],
  ]);
  const { bytes, bytesPerSecond, seconds } = planned.estimate;
  assert.equal(Math.round(bytes / seconds), bytesPerSecond);
  assert.ok(bytes > 0 && planned.datasets.every(({ ranges }) => ranges === 1));
  const warning =
    'ttl.people: 2 records are past their expiry and go as soon as it begins; ' +
    '--ttl hold keeps them: indexes and options that expire are then not made';
  assert.ok(planned.warnings.includes(warning), planned.warnings.join('\n'));
  assert.deepEqual(
    (await plan({ ...choice, ttl: 'hold' })).datasets.filter((one) => one.expiring !== undefined),
    [],
  );
  const result = await restore(choice);
  assert.deepEqual(
    result.warnings.filter((text) => text === warning),
    [warning],
  );
});

test('a filter of a TTL index makes the count a bound, and the plan says so', async () => {
  await source.collection('people').dropIndex('seen_1');
  const partialFilterExpression = { name: 'one' };
  const options = { expireAfterSeconds: 3600, partialFilterExpression };
  await source.collection('people').createIndex({ seen: 1 }, options);
  await using node = await world.node();
  await node.backup({ source: 'all', follow: false, rpoSeconds: 1 }, call());
  const { datasets, warnings } = await plan({ include: ['app.people'], renames: ['app.*=ttl2.*'] });
  assert.deepEqual(
    datasets.map(({ expiring, expiringExact }) => [expiring, expiringExact]),
    [[2, false]],
  );
  assert.ok(
    warnings.some((text) => text.startsWith('ttl2.people: at most 2 records are past')),
    warnings.join('\n'),
  );
  await source.collection('people').dropIndex('seen_1');
  await source.collection('people').createIndex({ seen: 1 }, { expireAfterSeconds: 3600 });
  await node.backup({ source: 'all', follow: false, rpoSeconds: 1 }, call());
});

test('held expiry keeps every record, and what was not made is named', async () => {
  const { warnings, skipped } = await restore({
    include: ['app.*'],
    renames: ['app.*=held.*'],
    ttl: 'hold',
  });
  const held = targetDb('held');
  assert.equal(await held.collection('people').countDocuments(), 4);
  assert.deepEqual(
    (await held.collection('people').indexes()).map(({ name }) => name),
    ['_id_'],
  );
  assert.equal((await optionsOf(held, 'weather'))?.expireAfterSeconds, undefined);
  assert.deepEqual([...warnings].sort(), [
    'held.people: expiry (seen_1) is held: make it when you want it',
    'held.tides: expiry (expireAfterSeconds of the collection) is held: make it when you want it',
    'held.weather: expiry (expireAfterSeconds of the collection) is held: make it when you want it',
  ]);
  assert.deepEqual(skipped, []);
});

test('one view alone comes back by its own name', async () => {
  await targetDb('app').collection('people').insertOne({ name: 'mine' });
  const { datasets, definitions, skipped } = await restore({ include: ['app.adults'] });
  assert.deepEqual([datasets, skipped], [[], []]);
  assert.deepEqual(definitions, [{ kind: 'views', name: 'app.adults' }]);
  assert.equal((await optionsOf(targetDb('app'), 'adults'))?.viewOn, 'people');
  assert.equal(await targetDb('app').collection('people').countDocuments(), 1);
  const again = await restore({ include: ['app.adults'] });
  assert.deepEqual(again.skipped, [
    { namespace: 'app.adults', reason: 'the view is not restored, the name is taken' },
  ]);
  assert.deepEqual(again.definitions, []);
  await targetDb('app').dropDatabase();
});

test('a view without the collections is left out by its own name', async () => {
  await restore({ include: ['app.orders', 'app.ad*'], exclude: ['app.adults'] });
  const names = (await targetDb('app').listCollections().toArray()).map(({ name }) => name);
  assert.deepEqual(names, ['orders']);
  await targetDb('app').dropDatabase();
});

test('a renamed collection is followed by the views that stand on it or look it up', async () => {
  const renames = ['app.people=app.persons', 'app.orders=app.orders_before'];
  await restore({ include: ['app.people', 'app.orders', 'app.adults'], renames, ttl: 'hold' });
  const app = targetDb('app');
  const view = await optionsOf(app, 'adults');
  assert.equal(view?.viewOn, 'persons');
  assert.equal(view?.pipeline[0].$lookup.from, 'orders_before');
  assert.deepEqual(
    (await app.collection<Row>('adults').find().toArray()).map(({ _id }) => _id),
    [1],
  );
  await app.dropDatabase();
});

test('a filter that matches nothing is refused, also where views might have been meant', async () => {
  for (const pattern of ['app.nothing', 'nothing.*']) {
    const refusal = { code: 'namespace-unknown', object: pattern };
    await assert.rejects(plan({ include: [pattern] }), refusal);
    await assert.rejects(restore({ include: ['app.people', pattern] }), refusal);
  }
  const nothing = { code: 'namespace-unknown', message: /the excludes leave nothing/ };
  await assert.rejects(plan({ exclude: ['*'] }), nothing);
  await assert.rejects(restore({ include: ['*'], exclude: ['admin.*', 'app.*'] }), nothing);
  const collections = ['people', 'orders', 'weather', 'tides', 'stamps'];
  const viewsAlone = await plan({ exclude: collections.map((name) => `app.${name}`) });
  assert.deepEqual(viewsAlone.datasets, []);
});

test('a plain full restore leaves users and roles alone, and says so', async () => {
  const before = await userNames();
  const result = await restore({ drop: true });
  assert.deepEqual(result.skipped, []);
  assert.ok(
    result.warnings.includes(
      'admin.system.users: users are left as they are; --include admin.system.users restores them',
    ),
    result.warnings.join('\n'),
  );
  assert.deepEqual(await userNames(), before);
  await restore({ include: ['*'], drop: true });
  assert.deepEqual(await userNames(), before);
});

test('the plan names views, users and roles that would be made, what is left out, and what goes', async () => {
  const app = targetDb('app');
  await app.dropDatabase();
  await app.collection('people').insertOne({ mine: true });
  await app.createCollection('adults', { viewOn: 'people', pipeline: [] });
  await app.createCollection('extra', { viewOn: 'people', pipeline: [] });
  const taken = { namespace: 'app.adults', reason: 'the view is not restored, the name is taken' };
  const beside = await plan({ include: ['app.adults'] });
  assert.deepEqual([beside.definitions, beside.skipped], [[], [taken]]);
  const dropping = await plan({ include: ['app.*'], drop: true });
  assert.deepEqual(dropping.definitions, [{ kind: 'views', name: 'app.adults' }]);
  assert.deepEqual(dropping.dropped.toSorted(), ['app.adults', 'app.extra', 'app.people']);
  const apart = await plan({ include: ['app.*'], renames: ['app.people=other.people'] });
  assert.match(apart.skipped.map(({ reason }) => reason).join(), /taken/);
  await app.dropDatabase();
  const split = await plan({ include: ['app.*'], renames: ['app.people=other.people'] });
  assert.match(split.skipped.map(({ reason }) => reason).join(), /need one database/);
  const restored = await restore({ include: ['app.*'], renames: ['app.*=planned.*'] });
  assert.deepEqual(restored.skipped, []);

  const admin = targetDb('admin');
  await admin.command({ createUser: 'gone', pwd: 'p', roles: [] });
  const named = ['admin.system.users', 'admin.system.roles'];
  const users = await plan({ include: named });
  assert.deepEqual(
    users.definitions.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    [
      { kind: 'roles', name: 'admin.clerk' },
      { kind: 'users', name: 'admin.zed' },
    ],
  );
  assert.deepEqual(
    users.skipped.map(({ namespace }) => namespace),
    ['admin.root'],
  );
  const { warnings } = await plan({ include: named, drop: true });
  assert.ok(
    warnings.includes('--drop removes admin.gone from the users of the target'),
    warnings.join('\n'),
  );
  assert.deepEqual((await plan({})).definitions, [{ kind: 'views', name: 'app.adults' }]);
  assert.deepEqual(await userNames(), ['gone', 'root']);
  await admin.command({ dropUser: 'gone' });
  await targetDb('planned').dropDatabase();
});

test('users and roles come back when they are named, and the restoring user survives', async () => {
  const first = await restore({ include: ['admin.system.roles'] });
  assert.deepEqual(first.definitions, [{ kind: 'roles', name: 'admin.clerk' }]);
  assert.deepEqual(await userNames(), ['root']);
  const { roles } = await targetDb('admin').command({ rolesInfo: 'clerk' });
  assert.equal(roles.length, 1);
  const { definitions, skipped } = await restore({ include: ['admin.system.users'] });
  assert.deepEqual(definitions, [{ kind: 'users', name: 'admin.zed' }]);
  assert.deepEqual(
    skipped.map(({ namespace }) => namespace),
    ['admin.root'],
  );
  assert.deepEqual(await userNames(), ['root', 'zed']);
  const { users } = await targetDb('admin').command({ usersInfo: 'zed' });
  assert.deepEqual(users[0].roles, [{ role: 'clerk', db: 'admin' }]);
  await targetDb('admin').command({ dropUser: 'zed' });
});

test('the restoring user is left out only where the point has him otherwise', async () => {
  const choice = { include: ['admin.system.*'], to: world.source.uri };
  const { definitions, skipped } = await restore(choice);
  assert.deepEqual(skipped, []);
  assert.deepEqual(definitions.map(({ kind, name }) => `${kind} ${name}`).sort(), [
    'roles admin.clerk',
    'users admin.root',
    'users admin.zed',
  ]);
  const admin = world.client.db('admin');
  await admin.command({ updateUser: 'root', customData: { changed: true } });
  assert.deepEqual((await restore(choice)).skipped, [
    { namespace: 'admin.root', reason: 'the user who restores stays as it is' },
  ]);
});

test('a record that the target rewrites by itself is named by a key that finds it', async () => {
  const admin = targetDb('admin');
  await admin.command({ createUser: 'restorer', pwd: 'p', roles: ['restore', 'backup'] });
  const { changedByTarget } = await restore({
    to: world.target.uriAs({ user: 'restorer', password: 'p' }),
    include: ['app.stamps'],
    renames: ['app.stamps=rewritten.stamps'],
  });
  const rewrites = await lacks('inserts that keep empty timestamps');
  const named = [{ namespace: 'rewritten.stamps', key: '"the one"' }];
  assert.deepEqual(changedByTarget, rewrites ? named : []);
  await using node = await world.node();
  const wanted = { source: 'all', namespace: 'app.stamps', at: 'latest', history: false };
  const { value } = await node.getRecord({ ...wanted, key: '"the one"' });
  assert.deepEqual(JSON.parse(value ?? '').ts, { $timestamp: { t: 0, i: 0 } });
  await admin.command({ dropUser: 'restorer' });
});
