// Numbers 35 to 39 of the acceptance list: indexes, options, views and capped collections as of a moment.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Document, MongoClient } from 'mongodb';
import { has } from '../harness/capability.ts';
import { fill, rows } from './disturb.ts';
import { failPoint, type Mark, World } from './world.ts';

let world: World;
let client: MongoClient;
before(async () => {
  world = await World.open();
  client = world.client;
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

async function targetIndexes(namespace: string): Promise<string[]> {
  const [database = '', name = ''] = namespace.split('.');
  const indexes = await world.targetClient.db(database).collection(name).listIndexes().toArray();
  return indexes.map((index) => index.name).sort();
}

test('35: an index that was still being built, was given up or was dropped is not there', async () => {
  await fill(client, 'n35.a', rows(200));
  const a = client.db('n35').collection('a');
  const one = await world.protect('n35');
  const marks: Mark[] = [];
  await one.following(async () => {
    await failPoint(client, 'hangAfterStartingIndexBuild', 'alwaysOn');
    const building = a.createIndex({ n: 1 }, { name: 'n' });
    await untilBuilding('n35.a');
    await a.insertOne({ n: 99 });
    const during = await world.now();
    await failPoint(client, 'hangAfterStartingIndexBuild', 'off');
    await building;
    marks.push(await one.mark());
    await assert.rejects(a.createIndex({ twice: 1 }, { name: 'twice', unique: true }));
    marks.push(await one.mark());
    await a.dropIndex('n');
    marks.push(await one.mark());
    await a.createIndexes([{ key: { x: 1 } }, { key: { y: -1 }, sparse: true }]);
    marks.push(await one.mark());
    await a.dropIndexes();
    marks.push(await one.mark());
    await one.covers(await world.now());
    await one.restoreAt(during);
    assert.deepEqual(await targetIndexes('n35.a'), ['_id_']);
    const held = world.targetClient.db('n35').collection('a');
    assert.equal(await held.countDocuments({ n: 99 }), 1);
  });
  for (const mark of marks) await one.assertEqualAt(mark);
});

async function untilBuilding(ns: string): Promise<void> {
  for (;;) {
    const { inprog } = await client.db('admin').command({ currentOp: true, ns });
    if (inprog.some((op: Document) => /index build/i.test(op.msg ?? op.desc ?? ''))) return;
    const log = client.db('local').collection('oplog.rs');
    if (await log.findOne({ ns: ns.replace(/\..*/, '.$cmd'), 'o.startIndexBuild': 'a' })) return;
  }
}

test('36: every option that collMod changes has the value of its moment', async (t) => {
  const unique = await has(t, 'indexes that collMod makes unique');
  const images = await has(t, 'images of changes for change streams');
  const resizes = await has(t, 'capped collections that collMod resizes');
  const db = client.db('n36');
  await db.createCollection('a', { validator: { n: { $gte: 0 } } });
  await fill(client, 'n36.a', rows(30));
  await db.collection('a').createIndex({ at: 1 }, { name: 'ttl', expireAfterSeconds: 100_000 });
  await db.collection('a').createIndex({ text: 1 }, { name: 'text' });
  await db.createCollection('capped', { capped: true, size: 4096 });
  await db.createCollection('view', { viewOn: 'a', pipeline: [] });
  const one = await world.protect('n36');
  const marks: Mark[] = [];
  const changes: Document[] = [
    { collMod: 'a', index: { name: 'ttl', expireAfterSeconds: 200_000 } },
    { collMod: 'a', index: { name: 'text', hidden: true } },
    { collMod: 'a', index: { name: 'text', hidden: false } },
    ...[{ prepareUnique: true }, { unique: true }]
      .filter(() => unique)
      .map((change) => ({ collMod: 'a', index: { name: 'text', ...change } })),
    { collMod: 'a', validator: { n: { $lt: 1000 } }, validationLevel: 'moderate' },
    { collMod: 'a', validationAction: 'warn' },
    ...(images ? [{ collMod: 'a', changeStreamPreAndPostImages: { enabled: true } }] : []),
    ...(resizes ? [{ collMod: 'capped', cappedSize: 8192, cappedMax: 10 }] : []),
    { collMod: 'view', viewOn: 'a', pipeline: [{ $match: { n: 3 } }] },
    { collMod: 'a', validator: {}, validationLevel: 'off' },
  ];
  await one.following(async () => {
    marks.push(await one.mark());
    for (const change of changes) {
      await db.command(change);
      marks.push(await one.mark());
    }
  });
  for (const mark of marks) await one.assertEqualAt(mark);
});

test('37: every kind of index comes back with all its options, from the survey and from the log', async () => {
  const specs: Document[] = [
    {
      key: { text: 'text', other: 'text' },
      name: 'text',
      weights: { text: 5 },
      default_language: 'german',
    },
    { key: { place: '2dsphere' }, name: 'sphere' },
    { key: { flat: '2d' }, name: 'flat', min: -50, max: 50, bits: 20 },
    { key: { n: 'hashed', text: 1 }, name: 'hashed' },
    { key: { '$**': 1 }, name: 'wildcard', wildcardProjection: { deep: 1, _id: 1 } },
    { key: { 'deep.$**': 1 }, name: 'wildcard below' },
    { key: { n: 1 }, name: 'partial', partialFilterExpression: { n: { $gt: 5 } } },
    { key: { sparse: -1 }, name: 'sparse', sparse: true },
    {
      key: { text: 1 },
      name: 'collated',
      collation: { locale: 'sv', strength: 2, caseLevel: true },
    },
    { key: { hidden: 1 }, name: 'hidden', hidden: true },
    { key: { at: 1 }, name: 'expiry', expireAfterSeconds: 1_000_000 },
    { key: { text: 1, n: -1 }, name: 'unique', unique: true },
  ];
  const documents = rows(50).map((row, i) => ({
    ...row,
    place: { type: 'Point', coordinates: [i, i / 2] },
    flat: [i % 40, -i % 40],
    deep: { er: [i, `deep ${i}`] },
    at: new Date(4e12),
  }));
  for (const name of ['early', 'late']) await fill(client, `n37.${name}`, documents);
  for (const spec of specs) {
    await client.db('n37').command({ createIndexes: 'early', indexes: [spec] });
  }
  const one = await world.protect('n37');
  await one.backup();
  await client.db('n37').command({ createIndexes: 'late', indexes: specs });
  await fill(client, 'n37.born', documents);
  for (const spec of specs) {
    await client.db('n37').command({ createIndexes: 'born', indexes: [spec] });
  }
  const mark = await one.mark();
  await one.backup();
  await one.assertEqualAt(mark);
  for (const name of ['early', 'late', 'born']) {
    assert.equal((await targetIndexes(`n37.${name}`)).length, specs.length + 1);
  }
});

test('38: views on views come back in order, and a name that was a view may be a collection later', async () => {
  const db = client.db('n38');
  await fill(client, 'n38.a', rows(40));
  const match = (n: number): Document[] => [{ $match: { n: { $gte: n } } }];
  await db.createCollection('z', { viewOn: 'a', pipeline: match(1) });
  await db.createCollection('m', { viewOn: 'z', pipeline: match(2) });
  await db.createCollection('b', { viewOn: 'm', pipeline: match(3) });
  await db.createCollection('dangling', { viewOn: 'nowhere', pipeline: [] });
  const one = await world.protect('n38');
  const marks: Mark[] = [];
  await one.following(async () => {
    marks.push(await one.mark());
    await db.collection('m').drop();
    await fill(client, 'n38.m', rows(7));
    marks.push(await one.mark());
    await db.collection('m').drop();
    await db.createCollection('m', { viewOn: 'a', pipeline: [] });
    marks.push(await one.mark());
    await db.collection('a').drop();
    await db.createCollection('a', { viewOn: 'other', pipeline: match(5) });
    marks.push(await one.mark());
  });
  // Back and forth, so that views replace collections in the target and collections views.
  for (const mark of [...marks, ...marks.toReversed()]) await one.assertEqualAt(mark);
});

test('39: a collection that is made capped, copied as capped or emptied is what it was at each moment', async () => {
  const db = client.db('n39');
  await fill(client, 'n39.a', rows(100));
  await fill(client, 'n39.b', rows(100));
  const one = await world.protect('n39');
  const marks: Mark[] = [];
  await one.following(async () => {
    marks.push(await one.mark());
    await db.command({ convertToCapped: 'a', size: 4096 });
    marks.push(await one.mark());
    await fill(client, 'n39.a', rows(80, 60, 1000));
    marks.push(await one.mark());
    await db.command({ cloneCollectionAsCapped: 'b', toCollection: 'clone', size: 8192 });
    await fill(client, 'n39.clone', rows(10, 30, 5000));
    marks.push(await one.mark());
    await db.command({ emptycapped: 'a' });
    marks.push(await one.mark());
    await fill(client, 'n39.a', rows(3, 30, 7000));
    marks.push(await one.mark());
  });
  for (const mark of marks) await one.assertEqualAt(mark);
});
