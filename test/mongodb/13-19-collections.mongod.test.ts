// Numbers 13 to 19 of the acceptance list: what collections may be.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document } from 'mongodb';
import { has, lacks } from '../harness/capability.ts';
import { rawDocuments } from './oracle.ts';
import { type Mark, timed, World } from './world.ts';

const skip = await lacks('clustered collections');

let world: World;
before(async () => {
  const parameters = { ttlMonitorSleepSecs: 1 };
  world = await World.open({
    source: { parameters: { ...parameters, timeseriesBucketMaxCount: 4 } },
    target: { parameters },
    segmentBytes: 8 << 10,
  });
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

const waitMsMax = 20_000;

/** Asks until the answer is yes: for what a server does in its own time. */
async function eventually(what: string, ask: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + waitMsMax;
  while (!(await ask())) {
    assert.ok(performance.now() < end, `${what}, within ${waitMsMax} ms`);
    await sleep(100);
  }
}

test('13: collections with a collation are read whole, whatever the case of their ids', async () => {
  const database = world.client.db('thirteen');
  const coarse = await database.createCollection<Document>('coarse', {
    collation: { locale: 'en', strength: 2 },
  });
  const fine = await database.createCollection<Document>('fine', {
    collation: { locale: 'en', strength: 3, caseLevel: true },
  });
  const names = Array.from({ length: 60 }, (_, i) => `${i % 2 ? 'Name' : 'name'} ${i}`);
  const pad = 'x'.repeat(500);
  await coarse.insertMany(names.map((_id) => ({ _id: _id as never, pad })));
  await fine.insertMany(
    names
      .flatMap((name) => [name.toLowerCase(), name.toUpperCase(), `ä${name}`])
      .map((_id) => ({
        _id: _id as never,
        pad,
      })),
  );
  await coarse.createIndex({ pad: 1 });
  await fine.createIndex({ pad: 1 }, { collation: { locale: 'de', strength: 1 } });
  await coarse.createIndex({ other: 1 }, { collation: { locale: 'simple' } });
  await coarse.createIndex({ words: 'text' }, { collation: { locale: 'simple' } });
  const thirteen = await world.protect('thirteen');
  const marks: Mark[] = [];
  await thirteen.following(async () => {
    marks.push(await thirteen.mark());
    // Found by another case than it was written in.
    const found = await coarse.updateOne({ _id: 'NAME 3' as never }, { $set: { found: true } });
    assert.equal(found.modifiedCount, 1);
    await coarse.deleteOne({ _id: 'NAME 5' as never });
    await coarse.insertOne({ _id: 'NAME 5' as never, in: 'capitals' });
    await coarse.deleteOne({ _id: 'NAME 7' as never });
    await fine.updateMany({ _id: { $in: ['name 1', 'NAME 2'] as never[] } }, { $set: { n: 1 } });
    await fine.deleteOne({ _id: 'NAME 4' as never });
    marks.push(await thirteen.mark());
  });
  for (const mark of marks) await thirteen.assertEqualAt(mark);
});

test('14: a capped collection that wraps while it is copied has its members in their order', async (t) => {
  const { client } = world;
  const database = client.db('fourteen');
  const capped = await database.createCollection<Document>('capped', {
    capped: true,
    size: 64 << 10,
    max: 100,
  });
  await database.createCollection('other', { capped: true, size: 4096 });
  // Otherwise updates leave each document as long as it was.
  const fixed = (await has(t, 'updates that change sizes in capped collections'))
    ? {}
    : { seen: 0 };
  let n = 0;
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      // Ids that do not ascend: only the order of insertion tells the order.
      const _id = ((n * 7919) % 100_003) as never;
      await capped.insertOne({ _id, n, pad: 'x'.repeat(400), ...fixed });
      if (n % 5 === 0) await capped.updateOne({ n: n - 3 }, { $inc: { seen: 1 } });
      if (n % 9 === 0) await database.collection<Document>('other').insertOne({ n });
      n++;
    }
  };
  await write(150);
  const fourteen = await world.protect('fourteen');
  const marks: Mark[] = [];
  await fourteen.following(
    async () => {
      await write(500);
      await fourteen.covers(await world.now());
      marks.push(await fourteen.mark());
      await write(130);
      marks.push(await fourteen.mark());
    },
    { start: 'at once' },
  );
  await write(40);
  await fourteen.backup();
  marks.push(await fourteen.mark());
  await fourteen.backup();
  assert.equal(marks[0]!.seen.get('fourteen.capped')!.documents!.length, 100);
  for (const mark of marks) await fourteen.assertEqualAt(mark);
});

test('15: what had expired but was there is restored, and expiry begins when all is proven', async () => {
  const { client, targetClient } = world;
  const expiry = (enabled: boolean): Promise<Document> =>
    client.db('admin').command({ setParameter: 1, ttlMonitorEnabled: enabled });
  await expiry(false);
  const a = client.db('fifteen').collection<Document>('a');
  const [past, future] = [new Date(0), new Date('2100-01-01')];
  const rows = (from: number): Document[] =>
    Array.from({ length: 100 }, (_, i) => ({
      _id: from + i,
      at: i % 2 ? past : future,
      pad: 'x'.repeat(200),
    }));
  await a.insertMany(rows(0));
  await a.createIndex({ at: 1 }, { expireAfterSeconds: 60 });
  const fifteen = await world.protect('fifteen');
  const marks: Mark[] = [];
  await fifteen.following(
    async () => {
      await expiry(true);
      await eventually('the server removes what expired', async () => {
        return (await a.countDocuments({ at: past })) === 0;
      });
      await expiry(false);
      await a.insertMany(rows(1000));
      await fifteen.covers(await world.now());
      marks.push(await fifteen.mark());
      await expiry(true);
      await eventually('the server removes what expired', async () => {
        return (await a.countDocuments({ at: past })) === 0;
      });
      marks.push(await fifteen.mark());
    },
    { start: 'at once' },
  );
  const [expired, gone] = marks as [Mark, Mark];
  const documents = expired.seen.get('fifteen.a')!.documents!;
  assert.equal(documents.length, 150);

  const held = await fifteen.restoreAt(expired.at, { ttl: 'hold' });
  const there = await rawDocuments(targetClient, 'fifteen', 'a');
  assert.deepEqual(there.map(String).sort(), documents.map(String).sort());
  const heldIndexes = await targetClient.db('fifteen').collection('a').indexes();
  assert.deepEqual(
    heldIndexes.map(({ name }) => name),
    ['_id_'],
  );
  assert.match(held.warnings.join(), /at_1/);

  // Proven by reading back: with expiry running it would have found 100.
  const kept = await fifteen.restoreAt(expired.at);
  assert.equal(kept.datasets[0]!.records, 150);
  assert.equal(kept.datasets[0]!.proven, true);
  await eventually('the target removes what expired', async () => {
    return (await targetClient.db('fifteen').collection('a').countDocuments({})) === 100;
  });
  await fifteen.assertEqualAt(gone);
});

test('16: clustered collections keep their options, with expiry and without', {
  skip,
}, async () => {
  const database = world.client.db('sixteen');
  const clusteredIndex = { key: { _id: 1 }, unique: true, name: 'the cluster' };
  const plain = await database.createCollection<Document>('plain', { clusteredIndex });
  const expiring = await database.createCollection<Document>('expiring', {
    clusteredIndex,
    expireAfterSeconds: 3600,
  });
  const future = (n: number): Date => new Date(Date.UTC(2100, 0, 1, 0, 0, n));
  const pad = 'x'.repeat(300);
  const many = Array.from({ length: 100 }, (_, i) => i);
  await plain.insertMany(many.map((i) => ({ _id: (i * 2) as never, pad })));
  await expiring.insertMany(many.map((i) => ({ _id: future(i) as never, pad })));
  const sixteen = await world.protect('sixteen');
  const marks: Mark[] = [];
  await sixteen.following(async () => {
    marks.push(await sixteen.mark());
    await plain.updateMany({ _id: { $lt: 50 as never } }, { $set: { low: true } });
    await plain.deleteMany({ _id: { $mod: [3, 0] } as never });
    await plain.insertOne({ _id: 'text' as never });
    await expiring.deleteOne({ _id: future(3) as never });
    await expiring.updateOne({ _id: future(4) as never }, { $set: { pad: 1 } });
    // Born in the log.
    const born = await database.createCollection<Document>('born', { clusteredIndex });
    await born.insertMany(many.map((i) => ({ _id: i as never })));
    await born.createIndex({ x: 1 });
    marks.push(await sixteen.mark());
  });
  for (const mark of marks) await sixteen.assertEqualAt(mark);
});

test('17: time series have the same measurements, buckets and options', async (t) => {
  const database = world.client.db('seventeen');
  const deletes = await has(t, 'deletes from time series');
  const timeseries = { timeField: 't', metaField: 'm', granularity: 'seconds' };
  const series = await database.createCollection<Document>('series', {
    timeseries,
    expireAfterSeconds: 30 * 24 * 3600,
  });
  const plain = await database.createCollection<Document>('plain', {
    timeseries: { timeField: 't' },
  });
  const start = Math.floor(Date.now() / 1000) * 1000;
  let n = 0;
  const measure = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const t = new Date(start + n * 1000);
      await series.insertOne({ t, m: { sensor: n % 3 }, value: n / 7, text: `reading ${n}` });
      await plain.insertOne({ t, value: n });
      n++;
    }
  };
  await measure(50);
  await series.createIndex({ 'm.sensor': 1, t: 1 });
  const seventeen = await world.protect('seventeen');
  const marks: Mark[] = [];
  await seventeen.following(
    async () => {
      await measure(25);
      await seventeen.covers(await world.now());
      marks.push(await seventeen.mark());
      await database.command({ collMod: 'series', timeseries: { granularity: 'minutes' } });
      await measure(25);
      if (deletes) await series.deleteMany({ 'm.sensor': 1 });
      marks.push(await seventeen.mark());
      await database.command({ collMod: 'series', expireAfterSeconds: 7 * 24 * 3600 });
      const born = await database.createCollection<Document>('born', { timeseries });
      await born.insertMany([
        { t: new Date(start), m: 1 },
        { t: new Date(start + 1), m: 1, v: 2 },
      ]);
      marks.push(await seventeen.mark());
    },
    { start: 'at once' },
  );
  assert.ok(marks[0]!.seen.has('seventeen.system.buckets.series'));
  for (const mark of marks) await seventeen.assertEqualAt(mark);
  const [ours, theirs] = await Promise.all(
    [world.client, world.targetClient].map((client) =>
      client
        .db('seventeen')
        .collection('series')
        .find({}, { sort: { t: 1 } })
        .toArray(),
    ),
  );
  assert.deepEqual(theirs, ours);
});

test('18: documents that a validator would refuse are restored, and the validator is active', async () => {
  const { client, targetClient } = world;
  const database = client.db('eighteen');
  const a = database.collection<Document>('a');
  await a.insertMany(Array.from({ length: 50 }, (_, i) => ({ _id: i as never, n: `text ${i}` })));
  const strict = {
    validator: { $jsonSchema: { required: ['n'], properties: { n: { bsonType: 'int' } } } },
    validationLevel: 'strict',
    validationAction: 'error',
  };
  await database.command({ collMod: 'a', ...strict });
  const eighteen = await world.protect('eighteen');
  const marks: Mark[] = [];
  await eighteen.following(async () => {
    marks.push(await eighteen.mark());
    await a.insertOne({ _id: 100 as never, n: 1 });
    await a.insertOne({ _id: 101 as never, m: 1 }, { bypassDocumentValidation: true });
    await database.createCollection('b', strict);
    marks.push(await eighteen.mark());
  });
  for (const mark of marks) await eighteen.assertEqualAt(mark);
  const restored = targetClient.db('eighteen').collection<Document>('a');
  await assert.rejects(restored.insertOne({ n: 'no int' }), { code: 121 });
  await restored.insertOne({ n: 1 });
});

test('19: empty collections, 64 indexes and 500 collections come back as they were', async () => {
  const { client } = world;
  const database = client.db('nineteen');
  await database.createCollection('empty');
  await database.createCollection('empty with options', { validator: { x: 1 } });
  const ids = Array.from({ length: 100 }, (_, i) => ({ _id: i as never }));
  await database.collection<Document>('only ids').insertMany(ids);
  const indexed = database.collection<Document>('indexed');
  await indexed.insertMany(ids.map((one, i) => ({ ...one, f1: i, f2: [i, i + 1] })));
  // With that of `_id` as many as a server allows.
  await indexed.createIndexes(
    Array.from({ length: 63 }, (_, i) => ({ key: { [`f${i}`]: i % 2 ? 1 : -1 } })),
  );
  for (let i = 0; i < 500; i++) {
    await timed(client, 'nineteen', { insert: `c${i}`, documents: [{ _id: 1, of: i }] });
  }
  const nineteen = await world.protect('nineteen');
  await nineteen.following(async () => {
    await database.dropCollection('c0');
    await database.createCollection('born empty');
  });
  const mark = await nineteen.mark();
  await nineteen.backup();
  assert.equal(mark.seen.size, 504);
  await nineteen.assertEqualAt(mark);
});
