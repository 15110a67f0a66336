// The server is the oracle: it applies random updates, this code folds the server's own oplog, and the
// documents must be equal byte for byte, at the end and at times in between.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import type { Db, MongoClient, Timestamp } from 'mongodb';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { toHex } from '../../../base/bytes.ts';
import { SeededRandom } from '../../../base/random.ts';
import { MemorySpill } from '../../../base/spill.ts';
import { type Change, changeKinds, compareChanges } from '../../../model/change.ts';
import { streamId } from '../../../model/id.ts';
import type { DataRecord } from '../../../model/record.ts';
import { firstTime, type SourceTime } from '../../../model/time.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { TransactionAssembler } from '../oplog/transaction-assembler.ts';
import { foldRange } from './fold-range.ts';
import { randomDocument, randomUpdate } from './random-updates.ts';

const { DocumentSequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js');

const ids = 300;
const rounds = 8;
const updatesPerRound = 2600;

let set: Awaited<ReturnType<typeof startReplicaSet>>;
let client: MongoClient;
let db: Db;
before(async () => {
  set = await startReplicaSet();
  client = set.clients[0] as MongoClient;
  db = client.db('app');
});
after(async () => {
  await set.stop();
});

test('a fold of the oplog has the very bytes of the server at each of several times', async () => {
  const random = new SeededRandom(Number(process.env.CODR_TEST_SEED ?? 7));
  const states: { at: SourceTime; records: Map<string, string> }[] = [];
  let updated = 0;
  await send(
    db,
    'insert',
    'documents',
    Array.from({ length: ids }, (_, i) => randomDocument(random, i)),
  );
  for (let round = 0; round < rounds; round++) {
    const statements = Array.from({ length: updatesPerRound }, () => randomUpdate(random, ids));
    await send(db, 'update', 'updates', statements);
    const victims = Array.from({ length: 10 }, () => random.below(ids));
    await db.collection<{ _id: number }>('docs').deleteMany({ _id: { $in: victims } });
    states.push({ at: await timeNow(db), records: await readAll(db) });
  }
  const changes = await changesOf('app.docs');
  for (const { kind } of changes) if (kind !== changeKinds.delete) updated++;
  const patches = changes.filter(({ kind }) => kind === changeKinds.patch);
  assert.ok(updated >= 10_000, `${updated} updates took effect`);
  assert.ok(patches.length >= 5_000, `${patches.length} of them as differences`);
  const middle = (states[3] as (typeof states)[0]).at;
  for (const { at, records } of states) {
    const upTo = changes.filter(({ time }) => time <= at);
    assertSame(await fold([], firstTime, upTo, at), records, `at ${at}`);
    if (at < middle) continue;
    // The same from a base in the middle, whose changes must not count twice.
    const base = [...(states[3] as (typeof states)[0]).records].map(([key, value]) => ({
      key: Buffer.from(key, 'hex'),
      value: Buffer.from(value, 'hex'),
    }));
    assertSame(await fold(base, middle, upTo, at), records, `from ${middle} at ${at}`);
  }
});

test('the buckets of a time series fold to the bytes that the server holds', async () => {
  const random = new SeededRandom(3);
  await db.createCollection('series', { timeseries: { timeField: 't', metaField: 'm' } });
  for (let i = 0; i < 400; i++) {
    const measurement = {
      t: new Date(1e12 + i * 5000),
      m: random.below(4),
      v: random.below(100) / 8,
    };
    await db.collection('series').insertOne(measurement);
  }
  const at = await timeNow(db);
  const records = await readAll(db, 'system.buckets.series');
  const changes = await changesOf('app.system.buckets.series');
  assert.ok(changes.filter(({ kind }) => kind === changeKinds.patch).length > 300);
  assertSame(await fold([], firstTime, changes, at), records, 'buckets');
});

/** Compares all, and shows the first record that differs only. */
function assertSame(
  actual: Map<string, string>,
  expected: Map<string, string>,
  where: string,
): void {
  for (const [key, value] of expected)
    assert.equal(actual.get(key), value, `record ${key} ${where}`);
  assert.equal(actual.size, expected.size, where);
}

async function fold(
  base: readonly DataRecord[],
  after: SourceTime,
  changes: readonly Change[],
  at: SourceTime,
): Promise<Map<string, string>> {
  const records = new Map<string, string>();
  const folded = foldRange({
    range: {},
    base: once(base),
    baseAfter: [{ from: new Uint8Array(0), after }],
    exactFrom: after,
    changes: once(changes),
    clears: [],
    at,
  });
  for await (const batch of folded) {
    for (const { key, value } of batch) records.set(toHex(key), toHex(value));
  }
  return records;
}

async function* once<T>(items: readonly T[]): AsyncGenerator<readonly T[]> {
  if (items.length > 0) yield items;
}

/** Sends raw documents in pieces; refused statements are part of the game. */
async function send(to: Db, command: string, field: string, documents: Buffer[]): Promise<void> {
  for (let i = 0; i < documents.length; i += 600) {
    const sequence = new DocumentSequence(field);
    for (const document of documents.slice(i, i + 600)) sequence.push(document, document);
    await to.command({ [command]: 'docs', [field]: sequence, ordered: false });
  }
}

async function timeNow(of: Db): Promise<SourceTime> {
  return ((await of.command({ ping: 1 })).operationTime as Timestamp).toBigInt();
}

async function readAll(of: Db, name = 'docs'): Promise<Map<string, string>> {
  const records = new Map<string, string>();
  for await (const raw of of.collection(name).find({}, { raw: true }).sort({ _id: 1 })) {
    const document = raw as unknown as Uint8Array;
    records.set(toHex(keyOfDocument(document)), toHex(document));
  }
  return records;
}

async function changesOf(namespace: string): Promise<Change[]> {
  const zero = { time: firstTime, term: 0n };
  await using assembler = new TransactionAssembler({
    stream: streamId('rs'),
    spill: new MemorySpill(),
    heldBytesMax: 1 << 20,
    through: zero,
    capped: new Set(),
  });
  const [info] = await db.listCollections({ name: namespace.slice(4) }).toArray();
  const uuid = (info as { info?: { uuid?: { toString(): string } } }).info?.uuid;
  const dataset = String(uuid).replaceAll('-', '');
  const rows = await client.db('local').collection('oplog.rs').find({}, { raw: true }).toArray();
  const changes: Change[] = [];
  for await (const batch of assembler.consume(rows as unknown as Uint8Array[])) {
    assert.deepEqual(batch.unknown, []);
    for (const change of batch.changes) if (change.dataset === dataset) changes.push(change);
  }
  return changes.sort(compareChanges);
}
