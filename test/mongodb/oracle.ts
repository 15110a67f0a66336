// What a server itself says about its data at one moment, read with the plain driver and without any code
// of CODR: raw documents by snapshot reads, `dbHash`, listCollections and listIndexes. The fail point
// WTPreserveSnapshotHistoryIndefinitely keeps every past moment of a test server readable.
import assert from 'node:assert/strict';
import { type Binary, BSON, type Document, type MongoClient, type Timestamp } from 'mongodb';

/** One collection or view as a server tells it. */
export interface SeenCollection {
  readonly name: string;
  readonly type: string;
  /** Options without the UUID. */
  readonly options: Document;
  /** By name, without version and namespace. */
  readonly indexes: readonly Document[];
  /** Raw documents: in natural order when capped, by `_id` otherwise. Absent for views. */
  readonly documents?: readonly Buffer[];
  /** As `dbHash` has it; absent for views, capped and system collections. */
  readonly hash?: string;
}

export type Seen = ReadonlyMap<string, SeenCollection>;

/** Which namespaces count; all of user databases unless given. */
export type Chosen = (namespace: string) => boolean;

const ownDatabases = new Set(['admin', 'config', 'local']);
const ownCollections = new Set(['system.profile', 'system.views']);

/**
 * Everything chosen, documents as of `at` (undefined: now). Names, options and indexes are always those
 * of now: look when no definition has changed since `at`. Capped collections, which know no snapshot
 * reads, are read as of now too.
 */
export async function look(
  client: MongoClient,
  at?: Timestamp,
  chosen: Chosen = () => true,
): Promise<Seen> {
  const seen = new Map<string, SeenCollection>();
  const { databases } = await client.db('admin').command({ listDatabases: 1, nameOnly: true });
  for (const { name } of databases as { name: string }[]) {
    if (ownDatabases.has(name)) continue;
    const collections = await client.db(name).listCollections().toArray();
    const wanted = collections.filter(
      (one) => !ownCollections.has(one.name) && chosen(`${name}.${one.name}`),
    );
    const hashes = await hashesOf(client, name, wanted, at);
    for (const one of wanted) {
      const hash = hashes[one.name];
      const described = await describe(client, name, one, at);
      seen.set(`${name}.${one.name}`, { ...described, ...(hash && { hash }) });
    }
  }
  return seen;
}

/** Fails with the first difference, naming the collection and the document. */
export function assertSame(actual: Seen, expected: Seen, what: string): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort(), `${what}: collections`);
  for (const [namespace, wanted] of expected) {
    const where = `${what}: ${namespace}`;
    const got = actual.get(namespace)!;
    assertSameDocuments(got.documents ?? [], wanted.documents ?? [], where);
    assert.equal(got.type, wanted.type, `${where}: type`);
    // Key order matters in options and index keys: compared as BSON.
    assert.deepEqual(shown(got.options), shown(wanted.options), `${where}: options`);
    assert.deepEqual(got.indexes.map(shown), wanted.indexes.map(shown), `${where}: indexes`);
    assert.equal(got.hash, wanted.hash, `${where}: dbHash`);
  }
}

function assertSameDocuments(
  actual: readonly Buffer[],
  expected: readonly Buffer[],
  where: string,
): void {
  for (let i = 0; i < Math.max(actual.length, expected.length); i++) {
    const [got, wanted] = [actual[i], expected[i]];
    if (got && wanted && got.equals(wanted)) continue;
    const lengths = `${actual.length} documents, ${expected.length} expected`;
    assert.fail(
      `${where}: ${lengths}; the first that differs is number ${i}:\n` +
        `  got      ${got ? readable(got) : 'nothing'}\n  expected ${wanted ? readable(wanted) : 'nothing'}`,
    );
  }
}

function readable(raw: Buffer): string {
  const text = BSON.EJSON.stringify(BSON.deserialize(raw), { relaxed: false });
  return `${text.slice(0, 1000)}\n           ${raw.subarray(0, 300).toString('hex')}`;
}

function shown(document: Document): string {
  return BSON.EJSON.stringify(document, { relaxed: false });
}

async function describe(
  client: MongoClient,
  database: string,
  one: Document,
  at: Timestamp | undefined,
): Promise<SeenCollection> {
  const name: string = one.name;
  const type: string = one.type;
  const options: Document = one.options ?? {};
  if (type === 'view') return { name, type, options, indexes: [] };
  const indexes = await client.db(database).collection(name).listIndexes().toArray();
  const described = {
    name,
    type,
    options,
    indexes: indexes.map(({ v, ns, ...rest }) => rest).sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
  // The buckets of a time series stand for it.
  if (type === 'timeseries') return described;
  const capped = options.capped === true;
  const documents = await rawDocuments(client, database, name, capped ? undefined : at);
  return { ...described, documents: capped ? documents : documents.sort(byId) };
}

/** A total order that needs only be the same on both sides: the bytes of the `_id` element. */
function byId(a: Buffer, b: Buffer): number {
  return Buffer.compare(idBytes(a), idBytes(b)) || Buffer.compare(a, b);
}

function idBytes(raw: Buffer): Buffer {
  const elements = [...BSON.onDemand.parseToElements(raw)];
  const first = elements.find(
    ([, nameAt, nameLength]) => raw.toString('latin1', nameAt, nameAt + nameLength) === '_id',
  );
  if (!first) return raw;
  const [, , , valueAt, valueLength] = first;
  return raw.subarray(valueAt, valueAt + valueLength);
}

/** Every document of a collection, as the bytes the server sends. `collection` may be a UUID. */
export async function rawDocuments(
  client: MongoClient,
  database: string,
  collection: string | Binary,
  at?: Timestamp,
): Promise<Buffer[]> {
  const session = client.startSession({ causalConsistency: false });
  try {
    const ask = async (command: Document): Promise<Document> => {
      // A raw reply of a cursor command keeps `cursor` as bytes.
      const { cursor } = await client.db(database).command(command, { session, raw: true });
      return BSON.deserialize(cursor, {
        promoteLongs: false,
        fieldsAsRaw: { firstBatch: true, nextBatch: true },
      });
    };
    const readConcern = at && { level: 'snapshot', atClusterTime: at };
    let cursor = await ask({ find: collection, ...(readConcern && { readConcern }) });
    const name = String(cursor.ns).slice(database.length + 1);
    const documents: Buffer[] = [...cursor.firstBatch];
    while (!cursor.id.isZero()) {
      cursor = await ask({ getMore: cursor.id, collection: name });
      documents.push(...cursor.nextBatch);
    }
    return documents.map((document) => Buffer.from(document));
  } finally {
    await session.endSession();
  }
}

async function hashesOf(
  client: MongoClient,
  database: string,
  wanted: readonly Document[],
  at: Timestamp | undefined,
): Promise<Record<string, string>> {
  const names = wanted
    .filter(
      ({ name, type, options }) =>
        type === 'collection' && !options?.capped && !name.startsWith('system.'),
    )
    .map(({ name }) => name as string);
  if (names.length === 0) return {};
  const session = client.startSession({ causalConsistency: false });
  try {
    const readConcern = at && { level: 'snapshot', atClusterTime: at };
    const command = { dbHash: 1, collections: names, ...(readConcern && { readConcern }) };
    const { collections } = await client.db(database).command(command, { session });
    return collections;
  } finally {
    await session.endSession();
  }
}
