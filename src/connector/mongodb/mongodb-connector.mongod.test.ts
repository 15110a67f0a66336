import { after, before } from 'node:test';
import { BSON, type ClientSession, type Document, type MongoClient, type UUID } from 'mongodb';
import { connectorContext } from '../../../test/harness/context.ts';
import { startReplicaSet } from '../../../test/harness/mongod.ts';
import type { SourceTime } from '../../model/time.ts';
import type { ReplicaSet } from '../../node/demo/mongod-server.ts';
import { connectorConformance } from '../conformance.ts';
import type { ConformanceWorld, WorldWrite } from '../conformance-world.ts';
import { mongodbConnector } from './mongodb-connector.ts';
import { timeOf, timestampOf } from './session/native-time.ts';

let source: ReplicaSet;
let target: ReplicaSet;

before(async () => {
  source = await startReplicaSet({
    parameters: {
      enableTestCommands: 1,
      // Transactions of more than two operations become chains of entries.
      maxNumberOfTransactionOperationsInSingleOplogEntry: 2,
    },
  });
  target = await startReplicaSet();
  // Snapshot reads of any past time: what the server says it held.
  await admin(source, {
    configureFailPoint: 'WTPreserveSnapshotHistoryIndefinitely',
    mode: 'alwaysOn',
  });
});
after(async () => {
  await source?.stop();
  await target?.stop();
});

connectorConformance('mongodb', openWorld);

const clientOf = (set: ReplicaSet): MongoClient => set.clients[0] as MongoClient;
const admin = (set: ReplicaSet, command: Document): Promise<Document> =>
  clientOf(set).db('admin').command(command);
const split = (namespace: string): [string, string] => {
  const dot = namespace.indexOf('.');
  return [namespace.slice(0, dot), namespace.slice(dot + 1)];
};

interface Naming {
  readonly namespace: string;
  readonly from: SourceTime;
  readonly uuid: UUID | undefined;
}

/** Both servers emptied of user data. */
async function openWorld(): Promise<ConformanceWorld> {
  for (const set of [source, target]) {
    const { databases } = await admin(set, { listDatabases: 1, nameOnly: true });
    for (const { name } of databases) {
      if (['admin', 'config', 'local'].includes(name)) continue;
      await clientOf(set).db(name).dropDatabase();
    }
  }
  const names: Naming[] = [];
  const start = timeOf((await admin(source, { ping: 1 })).operationTime);
  /** States before a rename or drop by UUID: no server tells of them any more. */
  const gone = new Map<string, { readonly at: SourceTime; readonly values: Uint8Array[] }[]>();
  const keepHistory = async (namespace: string): Promise<void> => {
    const uuid = await uuidOf(source, namespace);
    if (!uuid) return;
    const states: { at: SourceTime; values: Uint8Array[] }[] = [];
    const log = clientOf(source).db('local').collection('oplog.rs');
    const created = names.find((naming) => naming.uuid?.equals(uuid))?.from ?? start;
    const filter = { ts: { $gte: timestampOf(created) }, op: { $ne: 'n' } };
    for (const { ts } of await log.find(filter).project({ ts: 1 }).toArray()) {
      const readConcern = { level: 'snapshot', atClusterTime: ts };
      const values = await read(source, namespace, uuid, readConcern);
      states.push({ at: timeOf(ts), values });
    }
    gone.set(uuid.toHexString(), states);
  };
  const name = async (namespace: string, uuid: UUID | undefined): Promise<void> => {
    const { operationTime } = await admin(source, { ping: 1 });
    names.push({ namespace, from: timeOf(operationTime), uuid });
  };
  return {
    connector: mongodbConnector,
    context: connectorContext(),
    source: { kind: 'mongodb', uri: source.uri },
    target: { kind: 'mongodb', uri: target.uri },
    async create(namespace) {
      const [database, collection] = split(namespace);
      await clientOf(source).db(database).createCollection(collection);
      await name(namespace, await uuidOf(source, namespace));
    },
    async rename(from, to) {
      await keepHistory(from);
      await keepHistory(to);
      await admin(source, { renameCollection: from, to, dropTarget: true });
      await name(from, undefined);
      await name(to, await uuidOf(source, to));
    },
    async drop(namespace) {
      await keepHistory(namespace);
      const [database, collection] = split(namespace);
      await clientOf(source).db(database).dropCollection(collection);
      await name(namespace, undefined);
    },
    write: (namespace, writes) => write(namespace, writes),
    async begin() {
      const session = clientOf(source).startSession();
      session.startTransaction();
      return {
        write: (namespace, writes) => write(namespace, writes, session),
        async commit() {
          await session.commitTransaction();
          await session.endSession();
        },
        async abort() {
          await session.abortTransaction();
          await session.endSession();
        },
      };
    },
    async stateAt(namespace, at) {
      const known = names.filter((naming) => naming.namespace === namespace && naming.from <= at);
      const uuid = known.at(-1)?.uuid;
      if (!uuid) return undefined;
      const atClusterTime = timestampOf(at);
      try {
        return await read(source, namespace, uuid, { level: 'snapshot', atClusterTime });
      } catch (error) {
        const states = gone.get(uuid.toHexString());
        if (!states) throw error;
        return states.findLast((state) => state.at <= at)?.values ?? [];
      }
    },
    async targetState(namespace) {
      const uuid = await uuidOf(target, namespace);
      return uuid && read(target, namespace, uuid, { level: 'majority' });
    },
    // An oplog of the least size (990 MB) does not roll over in a test; session tests make the gap.
    truncateLog: async () => false,
    async [Symbol.asyncDispose]() {},
  };
}

async function write(
  namespace: string,
  writes: readonly WorldWrite[],
  session?: ClientSession,
): Promise<void> {
  const [database, collection] = split(namespace);
  const rows = clientOf(source).db(database).collection<{ _id: number } & Document>(collection);
  const options = { ...(session && { session }) };
  for (const { kind, record, seed } of writes) {
    const _id = record;
    if (kind === 'put') {
      const list = Array.from({ length: seed % 5 }, (_, i) => i);
      const row = { seed, nested: { a: seed % 3, b: { c: `text ${seed}` } }, list };
      await rows.replaceOne({ _id }, row, { upsert: true, ...options });
    } else if (kind === 'delete') {
      await rows.deleteOne({ _id }, options);
    } else {
      const updates: Document[] = [
        { $push: { list: seed } },
        { $set: { 'nested.b.c': seed, [`f${seed % 4}`]: seed } },
        { $unset: { 'nested.a': 1 }, $inc: { counter: 1 } },
        { $push: { list: { $each: [], $slice: -2 } } },
        { $rename: { seed: `seed${seed % 3}` } },
      ];
      await rows.updateOne({ _id }, updates[seed % updates.length] as Document, options);
    }
  }
}

async function uuidOf(set: ReplicaSet, namespace: string): Promise<UUID | undefined> {
  const [database, name] = split(namespace);
  const [listed] = await clientOf(set).db(database).listCollections({ name }).toArray();
  return (listed as Document | undefined)?.info?.uuid;
}

async function read(
  set: ReplicaSet,
  namespace: string,
  uuid: UUID,
  readConcern: Document,
): Promise<Uint8Array[]> {
  await using session = clientOf(set).startSession({ causalConsistency: false });
  const reply = await clientOf(set)
    .db(split(namespace)[0])
    .command({ find: uuid, readConcern, batchSize: 100_000 }, {
      session,
      promoteValues: false,
    } as Document);
  return reply.cursor.firstBatch.map((row: Document) => BSON.serialize(row));
}
