// The server is the oracle: after each command, the fold of a survey and of the log's commands must tell
// the collections, options and indexes that the server lists, and at older times what it listed then.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BSON, type Db, type Document, type MongoClient, type Timestamp } from 'mongodb';
import { type Capability, has } from '../../../../test/harness/capability.ts';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { toHex } from '../../../base/bytes.ts';
import { MemorySpill } from '../../../base/spill.ts';
import type { CatalogChange, CatalogEntry } from '../../../model/catalog.ts';
import { datasetId, streamId } from '../../../model/id.ts';
import { firstTime, type SourceTime } from '../../../model/time.ts';
import { TransactionAssembler } from '../oplog/transaction-assembler.ts';
import { surveyBody } from './catalog-body.ts';
import { foldCatalog, openCatalog } from './catalog-folder.ts';

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

const exact = { promoteValues: false } as const;

test('the catalog is what the server listed, after every command and at every time', async (t) => {
  await db.createCollection('old', { validator: { x: { $gt: 1 } }, collation: { locale: 'de' } });
  await db.collection('old').createIndex({ t: 1 }, { name: 't', expireAfterSeconds: 100 });
  const survey = await surveyNow();
  const listed: { at: SourceTime; what: string; entries: Listed[] }[] = [];
  for (const [what, command, needs] of commands) {
    if (needs && !(await has(t, needs))) continue;
    await command();
    listed.push({ at: await now(), what, entries: await listAll() });
  }
  const log = await catalogOfLog(survey[0]?.time ?? firstTime);
  for (const { at, what, entries } of listed) {
    const folded = foldCatalog([...survey, ...log.filter(({ time }) => time <= at)]);
    assert.deepEqual(folded.map(comparable), entries, what);
  }
});

test('what a restore keeps in a source is no user data until it takes its name; a temporary one is followed', async () => {
  const working = `codr_restore_${'0a'.repeat(8)}`;
  const from = await now();
  await client.db('codr_restore').collection('marker').insertOne({ v: 1 });
  await db.createCollection(working, { capped: true, size: 4096 });
  const create = { create: 'kept-aside', temp: true, capped: true, size: 4096 };
  const op = { op: 'c', ns: 'app.$cmd', o: create };
  await client.db('admin').command({ applyOps: [op] });
  const fold = openCatalog();
  for (const change of await catalogOfLog(from)) fold.apply(change);
  assert.deepEqual(fold.entries(), []);
  assert.deepEqual(
    fold.followed().map(({ namespace, kind }) => [namespace, kind]),
    [
      [`app.${working}`, 'capped'],
      ['app.kept-aside', 'capped'],
    ],
  );
  const renamedFrom = await now();
  await db.renameCollection(working, 'restored');
  const surveyed = foldCatalog(await surveyNow()).map(({ namespace }) => namespace);
  for (const change of await catalogOfLog(renamedFrom)) fold.apply(change);
  assert.deepEqual(
    fold.entries().map(({ namespace }) => namespace),
    ['app.restored'],
  );
  assert.ok(surveyed.includes('app.restored'));
});

const commands: readonly (readonly [string, () => Promise<unknown>, Capability?])[] = [
  ['create', () => db.createCollection('a', { validationLevel: 'moderate', validator: { a: 1 } })],
  ['create by insert', () => db.collection('b').insertOne({ x: 1 })],
  ['index on empty', () => db.collection('a').createIndex({ x: 1 }, { sparse: true })],
  [
    'index build',
    () =>
      db.collection('b').createIndexes([
        { key: { x: 1 }, name: 'x' },
        { key: { y: -1 }, name: 'y' },
      ]),
  ],
  ['text', () => db.collection('b').createIndex({ s: 'text' }, { weights: { s: 3 } })],
  [
    'wildcard',
    () => db.collection('a').createIndex({ '$**': 1 }, { wildcardProjection: { p: 0 } }),
  ],
  ['hide', () => db.command({ collMod: 'b', index: { name: 'x', hidden: true } })],
  ['show', () => db.command({ collMod: 'b', index: { keyPattern: { x: 1 }, hidden: false } })],
  ['expiry', () => db.command({ collMod: 'old', index: { name: 't', expireAfterSeconds: 7 } })],
  [
    'prepare unique',
    () => db.command({ collMod: 'b', index: { name: 'y', prepareUnique: true } }),
    'indexes that collMod makes unique',
  ],
  [
    'unique',
    () => db.command({ collMod: 'b', index: { name: 'y', unique: true } }),
    'indexes that collMod makes unique',
  ],
  ['validator', () => db.command({ collMod: 'b', validator: { z: { $exists: false } } })],
  ['no validator', () => db.command({ collMod: 'b', validator: {}, validationAction: 'warn' })],
  ['drop index', () => db.collection('b').dropIndex('x')],
  ['rename', () => db.collection('b').rename('c')],
  ['rename over', () => db.collection('c').rename('a', { dropTarget: true })],
  ['capped', () => db.createCollection('cap', { capped: true, size: 8192, max: 10 })],
  [
    'resize',
    () => db.command({ collMod: 'cap', cappedSize: 16384, cappedMax: 20 }),
    'capped collections that collMod resizes',
  ],
  [
    'out',
    () =>
      db
        .collection('old')
        .aggregate([{ $out: 'copy' }])
        .toArray(),
  ],
  [
    'out again',
    () =>
      db
        .collection('old')
        .aggregate([{ $out: 'copy' }])
        .toArray(),
  ],
  ['to capped', () => db.command({ convertToCapped: 'copy', size: 4096 })],
  [
    'time series',
    () =>
      db.createCollection('ts', {
        timeseries: { timeField: 't', metaField: 'm' },
        expireAfterSeconds: 3600,
      }),
  ],
  ['granularity', () => db.command({ collMod: 'ts', timeseries: { granularity: 'minutes' } })],
  ['series expiry', () => db.command({ collMod: 'ts', expireAfterSeconds: 'off' })],
  [
    'clustered',
    () =>
      db.createCollection('cl', {
        clusteredIndex: { key: { _id: 1 }, unique: true, name: 'cl' },
        expireAfterSeconds: 50,
      }),
    'clustered collections',
  ],
  [
    'pre-images',
    () => db.command({ collMod: 'a', changeStreamPreAndPostImages: { enabled: true } }),
    'images of changes for change streams',
  ],
  ['view', () => db.createCollection('v', { viewOn: 'a', pipeline: [] })],
  ['drop all indexes', () => db.command({ dropIndexes: 'a', index: '*' })],
  ['other database', () => client.db('app2').collection('x').insertOne({})],
  [
    'across databases',
    () => client.db('admin').command({ renameCollection: 'app2.x', to: 'app.moved' }),
  ],
  ['drop', () => db.collection('old').drop()],
  ['again', () => db.createCollection('old')],
  [
    'transaction',
    () =>
      client.withSession((session) =>
        session.withTransaction(async () => {
          await db.collection('txn').insertOne({ _id: 1 as never }, { session });
          await db.collection('txn2').createIndex({ a: 1 }, { session });
        }),
      ),
  ],
  ['user', () => db.command({ createUser: 'u', pwd: 'p', roles: ['read'] })],
  ['drop database', () => db.dropDatabase()],
];

interface Listed {
  readonly namespace: string;
  readonly dataset: string;
  readonly options: string;
  readonly indexes: string[];
}

async function surveyNow(): Promise<CatalogChange[]> {
  const time = await now();
  const changes: CatalogChange[] = [];
  for (const { namespace, uuid, options, indexes } of await describeAll()) {
    const body = surveyBody({
      namespace,
      uuid,
      options: BSON.serialize(options),
      indexes: indexes.map((spec) => BSON.serialize(spec)),
    });
    const order = {
      time,
      stream: streamId('rs'),
      position: { time, term: 1n },
      index: changes.length,
    };
    changes.push({ ...order, dataset: datasetId(uuid), kind: 'survey', body });
  }
  return changes;
}

/** What the server lists, its index on _id left out when it is the usual one. */
async function listAll(): Promise<Listed[]> {
  const all = await describeAll();
  return all
    .filter(({ namespace }) => /^(app2?\.|admin\.system\.(users|roles))/.test(namespace))
    .map(({ namespace, uuid, options, indexes }) => ({
      // A time series is known by the name that users gave it.
      namespace: namespace.replace('.system.buckets.', '.'),
      ...{ dataset: uuid, options: text(options) },
      indexes: indexes
        .filter(({ clustered }) => !clustered)
        .map(text)
        .sort(),
    }))
    .sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
}

async function describeAll(): Promise<
  { namespace: string; uuid: string; options: Document; indexes: Document[] }[]
> {
  const all = [];
  for (const name of ['admin', 'app', 'app2']) {
    const lists = await client.db(name).listCollections({}, exact).toArray();
    for (const { name: collection, options, info } of lists as Document[]) {
      if (!info?.uuid) continue;
      const indexes = await client
        .db(name)
        .collection(String(collection))
        .listIndexes(exact)
        .toArray();
      all.push({
        namespace: `${name}.${collection}`,
        uuid: toHex(info.uuid.buffer),
        options,
        indexes,
      });
    }
  }
  return all;
}

function comparable({ namespace, dataset, body }: CatalogEntry): Listed {
  const { options, indexes, idIndex } = BSON.deserialize(body, exact);
  const specs = [...(idIndex ? [idIndex] : []), ...indexes].map(text).sort();
  return { namespace, dataset, options: text(options), indexes: specs };
}

/** Fields sorted: commands may change their order. */
function text(document: Document): string {
  const plain = JSON.parse(BSON.EJSON.stringify(document, { relaxed: true })) as object;
  return JSON.stringify(Object.entries(plain).sort());
}

async function now(): Promise<SourceTime> {
  return ((await db.command({ ping: 1 })).operationTime as Timestamp).toBigInt();
}

async function catalogOfLog(afterTime: SourceTime): Promise<CatalogChange[]> {
  const through = { time: afterTime, term: 1n };
  await using assembler = new TransactionAssembler({
    ...{
      stream: streamId('rs'),
      spill: new MemorySpill(),
      heldBytesMax: 1 << 20,
      through,
      capped: new Set(),
    },
  });
  const rows = await client.db('local').collection('oplog.rs').find({}, { raw: true }).toArray();
  const changes: CatalogChange[] = [];
  for await (const batch of assembler.consume(rows as unknown as Uint8Array[])) {
    assert.deepEqual(batch.unknown, []);
    changes.push(...batch.catalog);
  }
  return changes;
}
