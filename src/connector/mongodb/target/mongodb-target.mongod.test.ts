import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, Double, type ObjectId, Timestamp } from 'mongodb';
import { has, lacks } from '../../../../test/harness/capability.ts';
import { connectorContext } from '../../../../test/harness/context.ts';
import { everything } from '../../../model/namespace.ts';
import type { DataRecord } from '../../../model/record.ts';
import type { TargetItem, TargetOptions } from '../../restore-target.ts';
import { MongodbSession } from '../session/mongodb-session.ts';
import { MongodbTarget } from './mongodb-target.ts';
import {
  all,
  defaults,
  hashes,
  itemsOf,
  optionsOf,
  restore,
  restorer,
  root,
  session,
  set,
  shape,
  signal,
  sourceRecords,
} from './target-fixture.ts';

test('collections of every kind come back with bytes, options, indexes and views', async (t) => {
  const images = await has(t, 'images of changes for change streams');
  const db = root.db('app');
  await db.createCollection('plain', {
    validator: { a: { $type: 'number' } },
    ...(images && { changeStreamPreAndPostImages: { enabled: true } }),
  });
  const plain = Array.from({ length: 1000 }, (_, i) => ({ a: new Double(i), s: `x${i}` }));
  await db.collection('plain').insertMany(plain);
  await db.command({ insert: 'plain', documents: [{ a: 'bad' }], bypassDocumentValidation: true });
  await db.collection('plain').createIndexes([
    { key: { a: 1, s: -1 }, name: 'a_s', unique: true },
    { key: { s: 'text' }, name: 'words' },
    { key: { s: 'hashed' }, name: 'hash', hidden: true },
    {
      key: { '1': 1, '0': -1 } as never,
      name: 'numbers',
      partialFilterExpression: { a: { $gt: 1 } },
    },
  ]);
  const clustered = { clusteredIndex: { key: { _id: 1 }, unique: true } };
  const clusters = await has(t, 'clustered collections');
  await db.createCollection('clustered', clusters ? clustered : {});
  await db.collection('clustered').insertMany([{ v: 1 }, { v: 2 }]);
  await db.createCollection('collated', { collation: { locale: 'en', strength: 2 } });
  const ids = ['b', 'A', 'c', 'B1'].map((_id) => ({ _id: _id as unknown as ObjectId }));
  await db.collection('collated').insertMany(ids);
  await db
    .collection('collated')
    .createIndexes([
      { key: { inherited: 1 } },
      { key: { plain: 1 }, collation: { locale: 'simple' } },
      { key: { words: 'text' }, collation: { locale: 'simple' } },
    ]);
  await db.createCollection('ring', { capped: true, size: 100_000, max: 50 });
  for (let i = 60; i > 0; i--) {
    await db.collection('ring').insertOne({ _id: i as unknown as ObjectId });
  }
  await db.createCollection('weather', { timeseries: { timeField: 't', metaField: 'm' } });
  const at = new Date('2026-01-01T00:00:00Z');
  await db.collection('weather').insertMany([1, 2].map((v) => ({ t: at, m: v, v })));
  await db.createCollection('small', {
    viewOn: 'plain',
    pipeline: [{ $match: { a: { $lt: 5 } } }],
  });
  await db.createCollection('smaller', { viewOn: 'small', pipeline: [{ $limit: 1 }] });
  await db.createCollection('empty');

  const { changed } = await restore(optionsOf('app', 'copy'));

  assert.equal(changed, 0);
  const views = ({ 'system.views': _, ...rest }: Record<string, string>): unknown => rest;
  assert.deepEqual(views(await hashes(root.db('copy'))), views(await hashes(db)));
  assert.deepEqual(await shape(root.db('copy')), await shape(db));
  assert.equal(await root.db('copy').collection('smaller').countDocuments(), 1);
  const names = (await root.db('admin').admin().listDatabases()).databases.map(({ name }) => name);
  assert.ok(!names.includes('codr_restore'), 'the marker is gone');
});

test('names in the way are conflicts, and with drop the point replaces them and removes others', async () => {
  const db = root.db('shop');
  await db.collection('orders').insertMany([{ v: 1 }, { v: 2 }]);
  const other = root.db('shop2');
  await other.collection('orders').insertOne({ v: 99 });
  await other.collection('extra').insertOne({ v: 99 });
  const options = optionsOf('shop', 'shop2');
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  const { conflicts } = await target.plan(await itemsOf(options), options, signal);
  assert.deepEqual(conflicts, ['shop2.orders']);

  const { plan, finish } = await restore({ ...options, drop: true });

  assert.deepEqual([...plan.dropped].sort(), ['shop2.extra', 'shop2.orders']);
  assert.deepEqual([...finish.dropped].sort(), ['shop2.extra', 'shop2.orders']);
  assert.deepEqual(await hashes(other), await hashes(db));
});

test('without drop nothing that is there is replaced, not even by a view', async () => {
  const db = root.db('views');
  await db.collection('a').insertOne({ v: 1 });
  await db.createCollection('seen', { viewOn: 'a', pipeline: [] });
  await root.db('views2').collection('seen').insertOne({ v: 'mine' });
  const { finish } = await restore(optionsOf('views', 'views2'));
  assert.deepEqual(finish.skipped, [
    { namespace: 'views2.seen', reason: 'the view is not restored, the name is taken' },
  ]);
  assert.equal(await root.db('views2').collection('seen').countDocuments({ v: 'mine' }), 1);
});

test('a name that was taken after the plan is refused', async () => {
  const options = optionsOf('views', 'views3');
  const items = await itemsOf(options);
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan(items, options, signal);
  await target.begin(signal);
  await root.db('views3').collection('a').insertOne({ v: 'mine' });
  const item = items.find(({ entry }) => entry.role === 'data') as TargetItem;
  await assert.rejects(target.create(item, signal), { code: 'target-not-empty' });
  assert.equal(await root.db('views3').collection('a').countDocuments(), 1);
  await target.finish([], signal);
});

test('a collection with an option that the server does not know is named, with the way out', async () => {
  await root.db('newer').collection('a').insertOne({ v: 1 });
  const options = optionsOf('newer', 'older');
  const [{ entry, namespace }] = (await itemsOf(options)) as [TargetItem];
  const body = BSON.deserialize(entry.body);
  body.options = { ...body.options, optionOfTomorrow: true };
  const item = { entry: { ...entry, body: BSON.serialize(body) }, namespace };
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan([item], options, signal);
  await target.begin(signal);
  await assert.rejects(target.create(item, signal), {
    code: 'target-unfit',
    message: /^older\.a cannot be made: .*optionOfTomorrow/,
    remedy: 'take a server as new as the source, or leave out: --exclude newer.a',
  });
  await target.finish([], signal);
});

test('until the finish a restore with drop leaves what it will replace as it is', async () => {
  await root.db('live').collection('a').insertOne({ v: 'new' });
  const options = optionsOf('live', 'live', { drop: true });
  const items = await itemsOf(options);
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan(items, options, signal);
  await target.begin(signal);
  const item = items[0] as TargetItem;
  await target.create(item, signal);
  await target.load(item, sourceRecords(item), signal);
  assert.equal(await root.db('live').collection('a').countDocuments({ v: 'new' }), 1);
  await target.finish(items, signal);
  assert.equal(await root.db('live').collection('a').countDocuments(), 1);
});

test('expired records stay until the proof is done, then expiry begins, unless it is held', async () => {
  const db = root.db('ttl');
  await root.db('admin').command({ setParameter: 1, ttlMonitorEnabled: false });
  await db.collection('a').insertMany([{ at: new Date(0) }, { at: new Date(8e12) }]);
  await db.collection('a').createIndex({ at: 1 }, { expireAfterSeconds: 10 });
  const kept = await restore(optionsOf('ttl', 'ttl2'));
  assert.deepEqual(kept.finish.warnings, ['ttl2.a: expiry by index at_1 has begun']);
  assert.deepEqual(await shape(root.db('ttl2')), await shape(db));
  const held = await restore(optionsOf('ttl', 'ttl3', { ttl: 'hold' }));
  assert.match(held.plan.warnings.join(), /ttl3\.a: expiry \(at_1\) is held/);
  assert.equal((await root.db('ttl3').collection('a').indexes()).length, 1);
  await root.db('admin').command({ setParameter: 1, ttlMonitorEnabled: true });
});

test('an empty timestamp is mended where the rights allow, and named where not', async () => {
  const empty = new Timestamp({ t: 0, i: 0 });
  const db = root.db('stamps');
  await db.collection('a').insertMany([{ v: 1, ts: new Timestamp({ t: 1, i: 1 }), 'a.b': 1 }]);
  await db.collection('a').updateOne({}, { $set: { ts: empty } });
  const admin = root.db('admin');
  const roles = ['restore', 'backup', 'readWriteAnyDatabase'];
  await admin.command({ createUser: 'mender', pwd: 'p', roles });
  const mended = await restore(optionsOf('stamps', 'stamps2'), { user: 'mender', password: 'p' });
  assert.equal(mended.changed, 0);
  assert.deepEqual(await hashes(root.db('stamps2')), await hashes(db));
  const left = await restore(optionsOf('stamps', 'stamps3'));
  assert.equal(left.changed, (await lacks('inserts that keep empty timestamps')) ? 1 : 0);
});

test('users and roles come back on request, and the restoring user survives', async () => {
  const admin = root.db('admin');
  await admin.command({ createRole: 'clerk', privileges: [], roles: ['backup'] });
  await admin.command({ createUser: 'zed', pwd: 'zed', roles: ['clerk'] });
  const options: TargetOptions = {
    ...defaults,
    renames: [],
    usersAndRoles: true,
    scope: { include: ['admin.system.*'], exclude: [] },
  };
  const items = await itemsOf(options);
  const records = new Map<string, DataRecord[]>();
  for (const item of items) records.set(item.entry.kind, await all(sourceRecords(item)));
  await admin.command({ dropUser: 'zed' });
  await admin.command({ dropRole: 'clerk' });
  // Other than at the point; one that is the same would not be worth a word.
  await admin.command({ updateUser: restorer.user, customData: { changed: true } });
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan(items, options, signal);
  await target.begin(signal);
  for (const item of items) {
    const result = await target.define(item, records.get(item.entry.kind) ?? [], signal);
    if (item.entry.kind !== 'users') continue;
    assert.deepEqual(
      result.skipped.map(({ namespace }) => namespace),
      ['admin.restorer'],
    );
  }
  await target.finish(items, signal);
  const { users } = await admin.command({ usersInfo: 'zed' });
  assert.deepEqual(users[0].roles, [{ role: 'clerk', db: 'admin' }]);
});

test('the roles of the manual pass the check of a source, fewer name what is missing', async () => {
  const levels = async (from: MongodbSession): Promise<string[]> =>
    (await from.check(everything, signal))
      .filter(({ level }) => level === 'error')
      .map(({ message }) => message);
  assert.deepEqual(await levels(session), []);
  await root.db('admin').command({ createUser: 'few', pwd: 'p', roles: ['clusterMonitor'] });
  const uri = set.uriAs({ user: 'few', password: 'p' });
  await using few = await MongodbSession.open(uri, connectorContext(), signal);
  const missing = (await levels(few)).join('; ');
  assert.match(missing, /the source refuses the action find on database admin/);
  assert.match(missing, /the action appendOplogNote on database admin/);
});

test('missing rights are named before anything is written', async () => {
  await root.db('admin').command({ createUser: 'half', pwd: 'p', roles: ['restore'] });
  const options = optionsOf('shop', 'shop9');
  const items = await itemsOf(options);
  const uri = set.uriAs({ user: 'half', password: 'p' });
  await using target = await MongodbTarget.open(uri, connectorContext(), signal);
  await assert.rejects(target.plan(items, options, signal), {
    code: 'target-rights',
    message: 'admin.half may not: find on shop9, listIndexes on shop9',
  });
});

test('a document that an earlier try brought in is fine, another under its _id is refused', async () => {
  await root
    .db('twice')
    .collection('a')
    .insertMany([{ v: 1 }, { v: 2 }]);
  const options = optionsOf('twice', 'twice2');
  const items = await itemsOf(options);
  const item = items[0] as TargetItem;
  await using target = await MongodbTarget.open(set.uriAs(restorer), connectorContext(), signal);
  await target.plan(items, options, signal);
  await target.begin(signal);
  await target.create(item, signal);
  await target.load(item, sourceRecords(item), signal);
  assert.equal((await target.load(item, sourceRecords(item), signal)).records, 2);
  await root
    .db('twice2')
    .collection('a')
    .updateOne({ v: 2 }, { $set: { v: 3 } });
  await assert.rejects(target.load(item, sourceRecords(item), signal), { code: 'target-unfit' });
  await target.finish([], signal);
});
