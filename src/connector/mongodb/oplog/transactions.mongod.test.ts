// What a real server logs for transactions, batches, clients' applyOps and capped collections.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BSON, type Collection, type Db, type MongoClient, Timestamp } from 'mongodb';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { type Change, changeKinds } from '../../../model/change.ts';
import { streamId } from '../../../model/id.ts';
import { firstTime, type Position, type SourceTime } from '../../../model/time.ts';
import type { ChangeBatch } from '../../connector.ts';
import { positionOfEntry } from './entry-decoder.ts';
import { TransactionAssembler } from './transaction-assembler.ts';

let set: Awaited<ReturnType<typeof startReplicaSet>>;
let client: MongoClient;
let db: Db;
before(async () => {
  set = await startReplicaSet({
    parameters: { enableTestCommands: 1, maxNumberOfTransactionOperationsInSingleOplogEntry: 3 },
  });
  client = set.clients[0] as MongoClient;
  db = client.db('app');
  await db.createCollection('a');
});
after(async () => {
  await set.stop();
});

const start: Position = { time: firstTime, term: 0n };

test('a transaction of many entries takes effect whole, at the time of its last one', async () => {
  const from = await now();
  await inTransaction(async (session) => {
    for (let i = 0; i < 10; i++) await rows().insertOne({ _id: `many${i}` }, { session });
  });
  const { changes } = await assemble(await entriesAfter(from));
  assert.equal(changes.length, 10);
  assert.equal(new Set(changes.map(({ time }) => time)).size, 1);
  assert.equal(new Set(changes.map(({ position }) => position.time)).size, 4);
  assert.equal(changes[0]?.time, changes.at(-1)?.position.time);
});

test('an open prepared transaction holds back what is settled until it is decided', async () => {
  const from = await now();
  const session = client.startSession();
  session.startTransaction();
  for (let i = 0; i < 5; i++) await rows().insertOne({ _id: `prepared${i}` }, { session });
  const { prepareTimestamp } = await client
    .db('admin')
    .command({ prepareTransaction: 1, writeConcern: { w: 'majority' } }, { session });
  await rows().insertOne({ _id: 'between' });
  const undecided = await entriesAfter(from);
  const held = await assemble(undecided);
  const prepared = (prepareTimestamp as Timestamp).toBigInt();
  assert.deepEqual(namesOf(held.changes), ['between']);
  assert.equal(held.last.settled, prepared - 1n);
  assert.deepEqual(held.last.resume, positionOfEntry(undecided[0] as Uint8Array));

  const commitTimestamp = new Timestamp(prepared);
  await client.db('admin').command({ commitTransaction: 1, commitTimestamp }, { session });
  await session.endSession();
  const all = await entriesAfter(from);
  const decided = await assemble(all);
  const effects = decided.changes.filter(({ time }) => time === prepared);
  assert.equal(effects.length, 5);
  assert.equal(decided.last.settled, decided.last.through.time);

  // After a restart from `resume` only the decision's effects are new.
  const again = await assemble(all, held.last.through);
  assert.deepEqual(again.changes.slice(0, 5), effects);
  assert.ok(!namesOf(again.changes).includes('between'));
});

test('an aborted transaction leaves nothing', async () => {
  const from = await now();
  const session = client.startSession();
  session.startTransaction();
  await rows().insertOne({ _id: 'aborted' }, { session });
  await client.db('admin').command({ prepareTransaction: 1 }, { session });
  await session.abortTransaction();
  await session.endSession();
  const { changes, last } = await assemble(await entriesAfter(from));
  assert.deepEqual(changes, []);
  assert.deepEqual(last.resume, last.through);
});

test('a transaction over the memory limit goes through the spill and comes out the same', async () => {
  const from = await now();
  await inTransaction(async (session) => {
    for (let i = 0; i < 20; i++) await rows().insertOne({ _id: `spilt${i}` }, { session });
  });
  const entries = await entriesAfter(from);
  const kept = await assemble(entries);
  const spilt = await assemble(entries, start, 0);
  assert.equal(kept.changes.length, 20);
  assert.deepEqual(namesOf(spilt.changes), namesOf(kept.changes));
});

test("a client's applyOps takes effect though a session stands inside it", async () => {
  const from = await now();
  const ui = (await db.listCollections({ name: 'a' }).next()) as { info?: { uuid?: unknown } };
  const op = { op: 'i', ns: 'app.a', ui: ui.info?.uuid, o: { _id: 'client' } };
  const second = { ...op, o: { _id: 'client 2' } };
  await client.db('admin').command({ applyOps: [op, second] });
  const { changes, unknown } = await assemble(await entriesAfter(from));
  assert.deepEqual([namesOf(changes), unknown], [['client', 'client 2'], []]);
});

test('operations that a client gave without a UUID are taken or named, never passed over', async () => {
  const from = await now();
  const operation = (_id: string): object => ({ op: 'i', ns: 'app.a', o: { _id } });
  await client.db('admin').command({ applyOps: [operation('no uuid'), operation('none either')] });
  const { changes, unknown } = await assemble(await entriesAfter(from));
  assert.equal(changes.length + unknown.length, 2);
});

test('records of a capped collection carry their place, which updates keep', async () => {
  const from = await now();
  await db.createCollection('capped', { capped: true, size: 4096 });
  const capped = db.collection<{ _id: number; x?: string }>('capped');
  for (let i = 0; i < 3; i++) await capped.insertOne({ _id: i, x: 'abc' });
  await capped.updateOne({ _id: 1 }, { $set: { x: 'xyz' } });
  await capped.replaceOne({ _id: 2 }, { x: 'uvw' });
  await client.db('app').command({ emptycapped: 'capped' });
  const { changes } = await assemble(await entriesAfter(from));
  const kinds = changes.map(({ kind }) => kind);
  const { put, patch, clear } = changeKinds;
  assert.deepEqual(kinds, [put, put, put, patch, put, clear]);
  const prefixes = changes.slice(0, 5).map(({ value }) => Buffer.from(value).readBigUInt64BE(0));
  const inserts = changes.slice(0, 3).map(({ time }) => time);
  assert.deepEqual(prefixes, [...inserts, 0n, 0n]);
});

function rows(): Collection<{ _id: string }> {
  return db.collection<{ _id: string }>('a');
}

async function inTransaction(
  work: (session: ReturnType<MongoClient['startSession']>) => Promise<void>,
): Promise<void> {
  const session = client.startSession();
  await session.withTransaction(() => work(session));
  await session.endSession();
}

async function now(): Promise<Timestamp> {
  return (await db.command({ ping: 1 })).operationTime as Timestamp;
}

async function entriesAfter(ts: Timestamp): Promise<Uint8Array[]> {
  const log = client.db('local').collection('oplog.rs');
  return (await log.find({ ts: { $gt: ts } }, { raw: true }).toArray()) as never;
}

async function assemble(
  entries: Uint8Array[],
  through = start,
  heldBytesMax = 1 << 20,
): Promise<{ changes: Change[]; unknown: unknown[]; last: ChangeBatch }> {
  await using assembler = new TransactionAssembler({
    ...{
      stream: streamId('rs'),
      spill: new MemorySpill(),
      heldBytesMax,
      through,
      capped: new Set(),
    },
  });
  const changes: Change[] = [];
  const unknown: unknown[] = [];
  let last: ChangeBatch | undefined;
  for await (const batch of assembler.consume(entries)) {
    changes.push(...batch.changes);
    unknown.push(...batch.unknown);
    last = batch;
  }
  return { changes, unknown, last: last as ChangeBatch };
}

/** The ids of put documents. */
function namesOf(changes: readonly { value: Uint8Array; time: SourceTime }[]): string[] {
  return changes.map(({ value }) => String(BSON.deserialize(value)._id));
}
