import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Binary, BSON, Double, Int32, Long, type MongoClient, ObjectId, Timestamp } from 'mongodb';
import { lacks } from '../../../../test/harness/capability.ts';
import { connectorContext } from '../../../../test/harness/context.ts';
import { givenMongodbUri, startReplicaSet } from '../../../../test/harness/mongod.ts';
import { compareBytes, toHex } from '../../../base/bytes.ts';
import { isCodrError } from '../../../base/error.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { type KeyRange, rangesBetween, wholeRange } from '../../../model/key-range.ts';
import { everything } from '../../../model/namespace.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
import type { ReplicaSet } from '../../../node/demo/mongod-server.ts';
import { orderPrefixBytes } from '../oplog/effects.ts';
import { MongodbSession } from './mongodb-session.ts';

// Before the hooks: a file that waits between its tests lets `after` run too early when a pattern leaves out the first.
const noClustered = await lacks('clustered collections');

let set: ReplicaSet;
let client: MongoClient;
let session: MongodbSession;
const signal = new AbortController().signal;

before(async () => {
  set = await startReplicaSet({ parameters: { enableTestCommands: 1 } });
  client = set.clients[0] as MongoClient;
  session = await MongodbSession.open(set.uri, connectorContext(), signal);
});
after(async () => {
  await session?.[Symbol.asyncDispose]();
  await set?.stop();
});

async function entryOf(namespace: string): Promise<CatalogEntry> {
  const { datasets } = await session.survey(signal);
  const found = datasets.find(({ entry }) => entry.namespace === namespace);
  assert.ok(found, `${namespace} was surveyed`);
  return found.entry;
}

async function recordsOf(stream: RecordStream | undefined): Promise<DataRecord[]> {
  assert.ok(stream);
  const records: DataRecord[] = [];
  for await (const batch of stream) records.push(...batch);
  return records;
}

const hexOf = (records: readonly DataRecord[]): string[] =>
  records.map(({ key, value }) => `${toHex(key)} ${toHex(value)}`);

const mixedIds = [
  ...[new Int32(5), 'abc', 'abcd', new ObjectId(), new Date(1), null, { a: 1 }, { a: 1, b: 2 }],
  ...[
    true,
    false,
    new Binary(Buffer.from('x'), 5),
    Long.fromString('99999999999'),
    'ü'.repeat(3000),
  ],
  ...[new Double(Number.NaN), new Double(1.5), new Double(-1e300), new Timestamp({ t: 1, i: 1 })],
  ...[new BSON.MinKey(), new BSON.MaxKey(), BSON.Decimal128.fromString('0.3'), new Double(0.1)],
];

for (const options of [{}, { clusteredIndex: { key: { _id: 1 }, unique: true } }]) {
  const name = 'clusteredIndex' in options ? 'clustered' : 'plain';
  const skip = name === 'clustered' && noClustered;
  test(`a ${name} collection with _ids of all types reads the same, whole or cut at any key`, {
    skip,
  }, async () => {
    const db = client.db('app');
    await db.createCollection(name, options);
    await db.collection(name).insertMany(mixedIds.map((_id, v) => ({ _id: _id as ObjectId, v })));
    const entry = await entryOf(`app.${name}`);
    const whole = await session.readSegment(entry, wholeRange, signal);
    const all = await recordsOf(whole?.batches);
    assert.equal(all.length, mixedIds.length);
    assert.equal(whole?.after, whole?.exactFrom());
    for (const { key } of all) {
      const parts: DataRecord[] = [];
      for (const range of rangesBetween([key])) {
        parts.push(
          ...(await recordsOf((await session.readSegment(entry, range, signal))?.batches)),
        );
      }
      assert.ok(hexOf(parts).join() === hexOf(all).join(), `cut at ${toHex(key).slice(0, 60)}`);
    }
  });
}

test('a plan cuts a large collection into ranges that together hold every record once', async () => {
  const text = 'x'.repeat(500);
  const documents = Array.from({ length: 4000 }, (_, i) => ({
    _id: i as unknown as ObjectId,
    text,
  }));
  await client.db('app').collection('large').insertMany(documents);
  const entry = await entryOf('app.large');
  const ranges = await session.plan(entry, { bytesPerSegment: 256 * 1024 }, signal);
  assert.ok(ranges.length >= 5 && ranges.length <= 10, `${ranges.length} ranges`);
  const counts = await Promise.all(
    ranges.map(async (range: KeyRange) => {
      const segment = await session.readSegment(entry, range, signal);
      return (await recordsOf(segment?.batches)).length;
    }),
  );
  assert.equal(
    counts.reduce((a, b) => a + b),
    4000,
  );
  assert.ok(Math.max(...counts) < 1600, `${counts}`);
});

test('a segment shows nothing of what is written after it was opened', async () => {
  const rows = client.db('app').collection('moving');
  await rows.insertMany(
    Array.from({ length: 500 }, (_, i) => ({ _id: i as unknown as ObjectId, v: 0 })),
  );
  const entry = await entryOf('app.moving');
  const segment = await session.readSegment(entry, wholeRange, signal);
  await rows.updateMany({}, { $set: { v: 1 } }, { writeConcern: { w: 'majority' } });
  const values = (await recordsOf(segment?.batches)).map(({ value }) => BSON.deserialize(value).v);
  assert.deepEqual([values.length, new Set(values)], [500, new Set([0])]);
});

test('a collection that was renamed is still read, one that was dropped is undefined', async () => {
  const db = client.db('app');
  await db.collection('before').insertOne({ v: 1 });
  const entry = await entryOf('app.before');
  await db.renameCollection('before', 'behind');
  const segment = await session.readSegment(entry, wholeRange, signal);
  assert.equal((await recordsOf(segment?.batches)).length, 1);
  await db.dropCollection('behind');
  assert.equal(await session.readSegment(entry, wholeRange, signal), undefined);
});

test('a collection with a collation comes out in key order', async () => {
  const db = client.db('app');
  await db.createCollection('collated', { collation: { locale: 'en', strength: 2 } });
  const ids = ['b', 'A', 'a1', 'B1', 'Z', 'c'];
  await db
    .collection('collated')
    .insertMany(ids.map((_id) => ({ _id: _id as unknown as ObjectId })));
  const entry = await entryOf('app.collated');
  assert.deepEqual(await session.plan(entry, { bytesPerSegment: 1 }, signal), [wholeRange]);
  const segment = await session.readSegment(entry, wholeRange, signal);
  const read = (await recordsOf(segment?.batches)).map(({ value }) => BSON.deserialize(value)._id);
  assert.deepEqual(read, [...ids].sort());
});

test('a capped collection is a fuzzy copy, sorted by key, with its order before each value', async () => {
  const db = client.db('app');
  await db.createCollection('ring', { capped: true, size: 100_000 });
  const ids = [3, 1, 2];
  for (const id of ids) await db.collection('ring').insertOne({ _id: id as unknown as ObjectId });
  const entry = await entryOf('app.ring');
  assert.equal(entry.kind, 'capped');
  const segment = await session.readSegment(entry, wholeRange, signal);
  const records = await recordsOf(segment?.batches);
  const keys = records.map(({ key }) => key);
  assert.deepEqual(keys, [...keys].sort(compareBytes));
  const inOrder = [...records].sort((a, b) => compareBytes(a.value, b.value));
  const document = ({ value }: DataRecord): Uint8Array => value.subarray(orderPrefixBytes);
  assert.deepEqual(
    inOrder.map((record) => BSON.deserialize(document(record))._id),
    ids,
  );
  assert.ok(segment && segment.exactFrom() >= segment.after);
  assert.equal(await session.readAt(entry, wholeRange, segment?.after ?? 0n, signal), undefined);
});

test('a capped collection whose place is lost on the way is read again whole', async () => {
  const db = client.db('app');
  await db.createCollection('lost', { capped: true, size: 1_000_000 });
  await db.collection('lost').insertMany(Array.from({ length: 500 }, (_, v) => ({ v })));
  const entry = await entryOf('app.lost');
  await client.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: { times: 2 },
    data: { failCommands: ['getMore'], errorCode: 136, namespace: 'app.lost' },
  });
  const segment = await session.readSegment(entry, wholeRange, signal);
  assert.equal((await recordsOf(segment?.batches)).length, 500);
});

test('an index is surveyed when its build has ended', async () => {
  const rows = client.db('app').collection('indexed');
  await rows.insertOne({ v: 1 });
  const failPoint = { configureFailPoint: 'hangAfterStartingIndexBuildUnlocked' };
  const { count } = await client.db('admin').command({ ...failPoint, mode: 'alwaysOn' });
  const building = rows.createIndex({ v: 1 }, { name: 'in-progress' });
  try {
    await client.db('admin').command({
      waitForFailPoint: 'hangAfterStartingIndexBuildUnlocked',
      timesEntered: count + 1,
      maxTimeMS: 10_000,
    });
    assert.ok(!Buffer.from((await entryOf('app.indexed')).body).includes('in-progress'));
  } finally {
    await client.db('admin').command({ ...failPoint, mode: 'off' });
  }
  await building;
  assert.ok(Buffer.from((await entryOf('app.indexed')).body).includes('in-progress'));
});

test('a snapshot that the server gave up is snapshot-too-old, and readAt then has nothing', async () => {
  await client.db('app').collection('gone').insertOne({ v: 1 });
  const entry = await entryOf('app.gone');
  const at = await session.watermark(signal);
  assert.equal((await recordsOf(await session.readAt(entry, wholeRange, at, signal))).length, 1);
  await client.db('admin').command({
    configureFailPoint: 'failCommand',
    mode: 'alwaysOn',
    data: { failCommands: ['find'], errorCode: 239, appName: 'codr' },
  });
  try {
    assert.equal(await session.readAt(entry, wholeRange, at, signal), undefined);
    await assert.rejects(session.readSegment(entry, wholeRange, signal), {
      code: 'snapshot-too-old',
    });
  } finally {
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' });
  }
});

test('following gives every change after its start, and a watermark passes without user writes', async () => {
  const db = client.db('app');
  await db.collection('followed').insertOne({ _id: 1 as unknown as ObjectId, v: 1 });
  const { before: start } = await session.survey(signal);
  const [stream, position] = [...start][0] as [never, never];
  await db.collection('followed').updateOne({ v: 1 }, { $set: { v: 2 } });
  await db.collection('followed').deleteOne({ v: 2 });
  const end = await session.watermark(signal);
  const kinds: number[] = [];
  const options = { resume: position, through: position, entries: [] };
  for await (const batch of session.follow(stream, options, signal)) {
    kinds.push(...batch.changes.map(({ kind }) => kind));
    if (batch.settled >= end) break;
  }
  assert.deepEqual(kinds, [3, 2]);
});

test('a log that does not hold the entry to resume at is a gap', async () => {
  const { oldest, newest } = await session.logBounds(session.identity.streams[0] as never, signal);
  assert.ok(oldest < newest);
  for (const resume of [
    { time: oldest - 1n, term: 1n },
    { time: newest, term: 77n },
  ]) {
    const follow = session.follow(
      session.identity.streams[0] as never,
      { resume, through: resume, entries: [] },
      signal,
    );
    await assert.rejects(
      (async () => {
        for await (const _ of follow);
      })(),
      (error) => isCodrError(error, 'gap'),
    );
  }
});

test('a log that holds another entry than the last one consumed is a gap', async () => {
  const [stream] = session.identity.streams;
  const { before: start } = await session.survey(signal);
  const [resume] = [...start.values()];
  const time = await session.watermark(signal);
  await session.watermark(signal);
  assert.ok(resume);
  const through = { time, term: resume.term + 7n };
  const follow = session.follow(stream as never, { resume, through, entries: [] }, signal);
  await assert.rejects(
    (async () => {
      for await (const _ of follow);
    })(),
    (error) => isCodrError(error, 'gap'),
  );
});

test('a transaction open at the survey moves its start back to the first entry', async () => {
  const rows = client.db('app').collection('large');
  const lsid = client.startSession();
  lsid.startTransaction();
  // Over 16 MiB: the first entry is logged while the transaction is still open when prepared.
  await rows.insertOne({ _id: 'in-txn' as unknown as ObjectId }, { session: lsid });
  const majorityBefore = await session.watermark(signal);
  await client
    .db('admin')
    .command({ prepareTransaction: 1, writeConcern: { w: 'majority' } }, { session: lsid });
  await session.watermark(signal);
  const { before: start } = await session.survey(signal);
  const [position] = [...start.values()];
  const later = await session.watermark(signal);
  assert.ok(position && position.time > majorityBefore && position.time < later);
  const open = await client.db('config').collection('transactions').findOne({ state: 'prepared' });
  assert.equal(position.time, (open?.startOpTime.ts as Timestamp | undefined)?.toBigInt());
  await client
    .db('admin')
    .command({ abortTransaction: 1 }, { session: lsid })
    .catch(() => {});
  await lsid.endSession();
});

test('operations that queue are pressure, and it is gone when they have had their turn', async () => {
  assert.equal(await session.pressure(signal), undefined);
  const writes: Promise<unknown>[] = [];
  await client.db('admin').command({ fsync: 1, lock: true });
  try {
    for (let v = 0; v < 12; v++) writes.push(client.db('app').collection('late').insertOne({ v }));
    let said: string | undefined;
    for (let i = 0; i < 1000 && said === undefined; i++) said = await session.pressure(signal);
    assert.match(said ?? '', /^\d+ operations wait for their turn$/);
  } finally {
    await client.db('admin').command({ fsyncUnlock: 1 });
  }
  await Promise.all(writes);
  assert.equal(await session.pressure(signal), undefined);
});

test('a set of one without faults has only fine findings', async () => {
  const findings = await session.check(everything, signal);
  assert.deepEqual(
    findings.filter(({ level }) => level !== 'fine'),
    [],
  );
});

test('a server of the user is reachable with rights and log', async (t) => {
  const uri = givenMongodbUri();
  if (!uri) return t.skip('CODR_MONGODB_URI is not set');
  await using given = await MongodbSession.open(uri, connectorContext(), signal);
  const findings = await given.check(everything, signal);
  assert.deepEqual(
    findings.filter(({ level }) => level === 'error'),
    [],
  );
});

test('what is no server is unreachable', async () => {
  const uri = 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200';
  await assert.rejects(MongodbSession.open(uri, connectorContext(), signal), {
    code: 'source-unreachable',
  });
});
