// The server is the oracle: its unique index on _id says which values are equal, and walks them in order.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { startReplicaSet } from '../../../../test/harness/mongod.ts';
import { compareBytes, toHex } from '../../../base/bytes.ts';
import { SeededRandom } from '../../../base/random.ts';
import { keyOfDocument } from './key-codec.ts';
import { randomDocumentWithId } from './random-values.ts';

const { DocumentSequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js');

let set: Awaited<ReturnType<typeof startReplicaSet>>;
before(async () => {
  set = await startReplicaSet();
});
after(async () => {
  await set.stop();
});

test('keys sort as the server sorts _id, and are equal exactly where its unique index says so', async () => {
  const random = new SeededRandom(20261122);
  const collection = set.clients[0]!.db('keys').collection('all');
  const ids = new Map<string, Uint8Array>();
  let duplicates = 0;
  for (let round = 0; round < 20; round++) {
    const documents = Array.from({ length: 500 }, () => randomDocumentWithId(random));
    const sequence = new DocumentSequence('documents');
    for (const document of documents) sequence.push(document, document);
    const reply = await collection.db
      .command({
        insert: 'all',
        documents: sequence,
        ordered: false,
      })
      .catch((error: { result?: unknown }) => error.result);
    const errors =
      (reply as { writeErrors?: { index: number; code: number; errmsg: string }[] }).writeErrors ??
      [];
    const failed = new Set(
      errors.map(({ index, code, errmsg }) => {
        assert.equal(code, 11000, errmsg);
        return index;
      }),
    );
    duplicates += failed.size;
    documents.forEach((document, i) => {
      const key = toHex(keyOfDocument(document));
      assert.equal(ids.has(key), failed.has(i), `key ${key} of ${toHex(document)}`);
      ids.set(key, document);
    });
  }
  assert.ok(duplicates > 100 && ids.size > 3000, `${duplicates} duplicates, ${ids.size} keys`);
  let last: Uint8Array | undefined;
  let count = 0;
  for await (const raw of collection.find({}, { raw: true }).sort({ _id: 1 }).hint({ _id: 1 })) {
    const document = raw as unknown as Uint8Array;
    const key = keyOfDocument(document);
    if (last) assert.ok(compareBytes(last, key) < 0, `${toHex(last)} before ${toHex(key)}`);
    last = key;
    count++;
  }
  assert.equal(count, ids.size);
});
