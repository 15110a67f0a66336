// Numbers 24 to 31 of the acceptance list: transactions and batches are wholly in or wholly out. Those that
// span shards are here as far as one replica set goes: prepared by hand, decided later.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BSON, type ClientSession, type Document, type MongoClient, type Timestamp } from 'mongodb';
import { MemorySpill } from '../../src/base/spill.ts';
import { documentEnd } from '../../src/connector/mongodb/bson/raw-bson.ts';
import { TransactionAssembler } from '../../src/connector/mongodb/oplog/transaction-assembler.ts';
import { type Change, changeKinds } from '../../src/model/change.ts';
import { streamId } from '../../src/model/id.ts';
import { firstTime } from '../../src/model/time.ts';
import { fill, rows } from './disturb.ts';
import { compareTimes, formatTime, World } from './world.ts';

let world: World;
let client: MongoClient;
before(async () => {
  // A transaction of 40 MB is near what a server with the usual small cache takes.
  world = await World.open({ source: { cacheGiB: 0.5 }, segmentBytes: 64 << 10 });
  client = world.client;
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

const before1 = ({ high, low }: Timestamp): string => `${high}:${low - 1}`;

/** Times in the log of entries that fit, oldest first. */
async function logTimes(filter: Document): Promise<Timestamp[]> {
  const log = client.db('local').collection('oplog.rs', { readConcern: { level: 'majority' } });
  const entries = await log.find(filter).project({ ts: 1 }).sort({ $natural: 1 }).toArray();
  return entries.map(({ ts }) => ts);
}

async function restored(at: string, name: string): Promise<Record<string, number>> {
  const { targetClient } = world;
  const one = { name, include: [`${name}.*`] };
  await using node = await world.node();
  const request = {
    ...{ source: one.name, to: world.target.uri, at, include: one.include, exclude: [] },
    ...{ renames: [], drop: true, ttl: 'keep' as const, verify: true },
  };
  await node.restore(request, { signal: new AbortController().signal });
  const counts: Record<string, number> = {};
  for (const { name: collection } of await targetClient.db(name).listCollections().toArray()) {
    counts[collection] = await targetClient.db(name).collection(collection).countDocuments();
  }
  return counts;
}

/** Puts an open transaction into the prepared state, as a coordinator of shards would. */
async function prepare(session: ClientSession): Promise<Timestamp> {
  const reply = await client
    .db('admin')
    .command({ prepareTransaction: 1, writeConcern: { w: 'majority' } }, { session });
  return reply.prepareTimestamp;
}

async function commitPrepared(session: ClientSession, commitTimestamp: Timestamp): Promise<void> {
  await client.db('admin').command({ commitTransaction: 1, commitTimestamp }, { session });
  await session.endSession().catch(() => {});
}

test('25: a small transaction, one of a chain of entries and an aborted one are wholly in or out', async () => {
  for (const name of ['a', 'b']) await fill(client, `n25.${name}`, rows(10));
  const one = await world.protect('n25');
  await one.backup();
  const [a, b] = [client.db('n25').collection('a'), client.db('n25').collection('b')];
  await using session = client.startSession();
  await session.withTransaction(async () => {
    await a.insertMany(rows(5, 20, 100), { session });
    await b.insertMany(rows(5, 20, 100), { session });
  });
  const [small] = await logTimes({ 'o.applyOps.ns': 'n25.a', lsid: { $exists: true } });
  session.startTransaction();
  await a.insertOne({ aborted: true }, { session });
  await b.deleteMany({}, { session });
  await session.abortTransaction();
  // Three entries at least: one holds 16 MiB at most.
  const heavy = 'x'.repeat(4_000_000);
  await session.withTransaction(async () => {
    for (let n = 0; n < 5; n++) {
      await a.insertOne({ n, heavy }, { session });
      await b.insertOne({ n, heavy }, { session });
    }
  });
  const parts = await logTimes({ 'o.applyOps.ns': 'n25.a', lsid: { $exists: true } });
  assert.ok(parts.length >= 4, `${parts.length} entries`);
  await one.backup();
  const [first, last] = [parts[1]!, parts.at(-1)!];
  assert.deepEqual(await restored(before1(small!), 'n25'), { a: 10, b: 10 });
  assert.deepEqual(await restored(formatTime(small!), 'n25'), { a: 15, b: 15 });
  assert.deepEqual(await restored(formatTime(first), 'n25'), { a: 15, b: 15 });
  assert.deepEqual(await restored(before1(last), 'n25'), { a: 15, b: 15 });
  await one.assertEqualAt(last);
  assert.deepEqual(await restored(formatTime(last), 'n25'), { a: 20, b: 20 });
});

test('24, 26, 28: a transaction prepared before the copy and decided long after is in from its commit time on', async () => {
  await fill(client, 'n26.a', rows(2000, 100));
  const a = client.db('n26').collection<Document & { _id: number }>('a');
  const session = client.startSession();
  session.startTransaction();
  await a.updateOne({ _id: 1 }, { $set: { prepared: true } }, { session });
  await a.insertOne({ _id: -1 }, { session });
  const prepared = await prepare(session);
  const one = await world.protect('n26');
  // Reading waits at the prepared records, and the history of the source is not settled past them.
  await one.following(
    async () => {
      await a.updateOne({ _id: 5 }, { $set: { during: true } });
      const during = await world.now();
      await commitPrepared(session, prepared);
      assert.ok(compareTimes(during, await world.now()) < 0);
    },
    { start: 'at once' },
  );
  const mark = await one.mark();
  await one.backup();
  await one.assertEqualAt(mark);
  const held = world.targetClient.db('n26').collection<Document & { _id: number }>('a');
  assert.equal((await held.findOne({ _id: 1 }))?.prepared, true);
  assert.equal(await held.countDocuments(), 2001);
});

test('27, 28: a prepared transaction is out before its commit time, in from it on though its entry comes later; while it is open nothing past it is promised', async () => {
  for (const name of ['a', 'b']) await fill(client, `n28.${name}`, rows(10));
  const one = await world.protect('n28');
  await one.backup();
  const [a, b] = [client.db('n28').collection('a'), client.db('n28').collection('b')];
  const [beside, commit] = await one.following(async () => {
    const session = client.startSession();
    session.startTransaction();
    await a.insertMany(rows(3, 20, 100), { session });
    await b.deleteMany({}, { session });
    const prepared = await prepare(session);
    await a.insertOne({ beside: 1 });
    const between = await world.now();
    await untilHeldBack('n28');
    const { to } = await one.interval();
    assert.ok(compareTimes(to, prepared) < 0, `${formatTime(to)} is before the prepare`);
    await assert.rejects(one.restoreAt(between), { code: 'time-not-restorable' });
    const decided = await world.now();
    // The entry that decides comes later in the log than the time at which its effects are visible.
    await commitPrepared(session, decided);
    assert.ok(compareTimes(decided, await world.now()) < 0);
    await a.insertOne({ after: 1 });
    return [between, decided];
  });
  assert.deepEqual(await restored(formatTime(beside), 'n28'), { a: 11, b: 10 });
  assert.deepEqual(await restored(before1(commit), 'n28'), { a: 11, b: 10 });
  assert.deepEqual(await restored(formatTime(commit), 'n28'), { a: 14, b: 0 });
  await one.assertEqualAt((await one.interval()).to);
});

/** The status tells what holds the newest restorable time back. */
async function untilHeldBack(source: string): Promise<string> {
  for (const end = performance.now() + 20_000; ; await sleep(100)) {
    await using node = await world.node();
    const { sources } = await node.status({}, { signal: new AbortController().signal });
    const { heldBackBy } = sources.find(({ name }) => name === source) ?? {};
    if (heldBackBy) return heldBackBy;
    assert.ok(performance.now() < end, 'the status tells of the prepared transaction');
  }
}

test('28: a backup beside an undecided transaction names it while it waits, and so does the status', async () => {
  await fill(client, 'n28w.a', rows(10));
  const one = await world.protect('n28w');
  const session = client.startSession();
  session.startTransaction();
  await client
    .db('n28w')
    .collection('a')
    .insertMany(rows(3, 20, 100), { session });
  const prepared = await prepare(session);
  const transactions = client.db('config').collection<Document>('transactions');
  const known = await transactions.findOne({ state: 'prepared' });
  const { heldBackBy, note } = await heldBackup('n28w', async () => {
    await session.abortTransaction();
  });
  for (const text of [note, heldBackBy]) {
    assert.ok(text.includes(`lsid ${known?._id.id} txnNumber ${known?.txnNum}`), text);
    assert.ok(text.includes(`(${formatTime(prepared)})`), text);
  }
  await session.endSession();
  await one.assertEqualAt((await one.interval()).to);
});

/** Backs up, and decides by `decide` when the backup and the status have said what they wait for. */
async function heldBackup(
  source: string,
  decide: () => Promise<void>,
): Promise<{ heldBackBy: string; note: string }> {
  const told = Promise.withResolvers<string>();
  const progress = ({ note }: { note?: string }): void => {
    if (note?.startsWith('waits for')) told.resolve(note);
  };
  await using node = await world.node();
  const { signal } = new AbortController();
  const request = { source, follow: false, rpoSeconds: 1 };
  const working = node.backup(request, { signal, progress });
  const note = await Promise.race([told.promise, working.then(() => 'it did not wait')]);
  const heldBackBy = await untilHeldBack(source);
  await decide();
  await working;
  return { heldBackBy, note };
}

test('28: a prepared transaction that is aborted leaves nothing', async () => {
  await fill(client, 'n28x.a', rows(10));
  const one = await world.protect('n28x');
  await one.backup();
  const a = client.db('n28x').collection('a');
  const session = client.startSession();
  session.startTransaction();
  await a.insertMany(rows(3, 20, 100), { session });
  await prepare(session);
  await session.abortTransaction();
  await session.endSession();
  const mark = await one.mark();
  await one.backup();
  await one.assertEqualAt(mark);
});

test('29: operations in one entry without a session are applied at once, not held as a transaction', async () => {
  await fill(client, 'n29.a', rows(100));
  const one = await world.protect('n29');
  await one.backup();
  const { n: deleted } = await client
    .db('n29')
    .command({ delete: 'a', deletes: [{ q: { n: { $lt: 5 } }, limit: 0 }] });
  assert.ok(deleted > 20);
  const operations = rows(4, 20, 1000).map((o) => ({ op: 'i', ns: 'n29.a', o }));
  const removal = { op: 'd', ns: 'n29.a', o: { _id: 50 } };
  await client.db('admin').command({ applyOps: [...operations, removal] });
  const batch = { 'o.applyOps.ns': 'n29.a', lsid: { $exists: false } };
  assert.equal((await logTimes(batch)).length, 1);
  await using session = client.startSession();
  await client
    .db('n29')
    .collection('a')
    .insertMany(rows(20, 20, 2000), { session });
  const mark = await one.mark();
  await one.backup();
  await one.assertEqualAt(mark);
});

const vectored = join(
  import.meta.dirname,
  '../../../shared/data/mongo-tools/mongorestore/testdata/oplogs/bson',
);
const skip = existsSync(vectored) ? false : `no oplogs of 8.0 in ${vectored}`;

test('29: the vectored inserts of 8.0 are each applied at their own time though they carry a session', {
  skip,
}, async () => {
  for (const file of ['vectored_insert.bson', 'linked_vectored_inserts.bson']) {
    const bytes = readFileSync(join(vectored, file));
    const entries: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at = documentEnd(bytes, at)) {
      entries.push(bytes.subarray(at, documentEnd(bytes, at)));
    }
    const wanted = entries
      .map((entry) => BSON.deserialize(entry, { promoteValues: false }))
      .filter(({ multiOpType }) => Number(multiOpType) === 1)
      .flatMap(({ ts, o }) =>
        o.applyOps.map((one: Document) => [formatTime(ts), hex(BSON.serialize(one.o))]),
      );
    assert.ok(wanted.length > 1, `${file} holds vectored inserts`);
    const found = (await changesOf(entries)).map(({ time, value, kind }) => {
      assert.equal(kind, changeKinds.put);
      return [`${time >> 32n}:${time & 0xffff_ffffn}`, hex(value)];
    });
    assert.deepEqual(found, wanted, file);
  }
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function changesOf(entries: Uint8Array[]): Promise<Change[]> {
  await using assembler = new TransactionAssembler({
    stream: streamId('rs'),
    spill: new MemorySpill(),
    heldBytesMax: 1 << 20,
    through: { time: firstTime, term: 0n },
    capped: new Set(),
  });
  const all: Change[] = [];
  for await (const { changes } of assembler.consume(entries)) all.push(...changes);
  return all;
}

test('30: a collection made, filled and indexed inside a transaction comes back with all three', async () => {
  await fill(client, 'n30.a', rows(10));
  const one = await world.protect('n30');
  await one.backup();
  const before = await one.mark();
  await using session = client.startSession();
  await session.withTransaction(async () => {
    const made = await client.db('n30').createCollection('made', { session });
    await made.createIndex({ n: 1 }, { session, sparse: true });
    await made.insertMany(rows(10), { session });
    await client
      .db('n30')
      .collection('a')
      .deleteMany({ n: { $lt: 5 } }, { session });
  });
  const after = await one.mark();
  await one.backup();
  await one.assertEqualAt(before);
  await one.assertEqualAt(after);
});

test('31: a restore of one of two collections of a transaction is made, and tells how many it cut', async () => {
  for (const name of ['a', 'b']) await fill(client, `n31.${name}`, rows(10));
  const one = await world.protect('n31');
  await one.backup();
  const [a, b] = [client.db('n31').collection('a'), client.db('n31').collection('b')];
  for (let n = 0; n < 3; n++) {
    await using session = client.startSession();
    await session.withTransaction(async () => {
      await a.insertOne({ n }, { session });
      await b.insertOne({ n }, { session });
    });
  }
  await a.insertOne({ alone: true });
  const at = await world.now();
  await one.backup();
  const part = await one.restoreAt(at, { include: ['n31.a'] });
  assert.equal(part.tornTransactions, 3);
  assert.equal(await world.targetClient.db('n31').collection('a').countDocuments(), 14);
  assert.equal((await one.restoreAt(at)).tornTransactions, 0);
  await one.assertEqualAt(at);
  // What is gone by then cuts nothing: with all that is there, and with a part of it.
  await b.drop();
  await fill(client, 'n31.c', rows(1));
  const later = await world.now();
  await one.backup();
  assert.equal((await one.restoreAt(later)).tornTransactions, 0);
  assert.equal((await one.restoreAt(later, { include: ['n31.a'] })).tornTransactions, 0);
  assert.equal((await one.restoreAt(at, { include: ['n31.a'] })).tornTransactions, 3);
});
