import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, Long, Timestamp, UUID } from 'mongodb';
import type { CatalogEntry } from '../../../model/catalog.ts';
import { changeKinds } from '../../../model/change.ts';
import { datasetId, streamId } from '../../../model/id.ts';
import type { StoredEntry } from '../../log-doubt.ts';
import { rereadEntry } from './reread-entry.ts';
import { tornTransaction } from './transaction-assembler.ts';

const uuid = new UUID();
const dataset = datasetId(uuid.toHexString(false));
const time = (5n << 32n) | 1n;

/** The collection, there and not capped. */
const plain = { dataset, kind: 'collection' } as CatalogEntry;

function stored(fields: Record<string, unknown>, name = 'op "zz"'): StoredEntry {
  const body = BSON.serialize({
    ts: new Timestamp({ t: 5, i: 1 }),
    t: Long.fromNumber(1),
    ns: 'shop.orders',
    ui: uuid,
    ...fields,
  });
  return { stream: streamId('s'), time: time + 7n, position: { time, term: 1n }, name, body };
}

test('an operation that is known by now gives its change at the time that was stored', () => {
  const [change, ...others] = rereadEntry(stored({ op: 'i', o: { _id: 1, a: 2 } }), [plain]) ?? [];
  assert.deepEqual(others, []);
  assert.equal(change?.time, time + 7n);
  assert.deepEqual([change?.dataset, change?.kind], [dataset, changeKinds.put]);
  assert.deepEqual(BSON.deserialize(change?.value ?? new Uint8Array()), { _id: 1, a: 2 });
});

test('a record of a capped collection gets its place', () => {
  const entry = { dataset, kind: 'capped' } as CatalogEntry;
  const [change] = rereadEntry(stored({ op: 'i', o: { _id: 1 } }), [entry]) ?? [];
  assert.equal(Buffer.from(change?.value ?? []).readBigUInt64BE(), time);
});

test('what is still unknown, changes the catalog, or lacks its beginning stays as it is', () => {
  const batch = (...operations: object[]): object => ({ op: 'c', o: { applyOps: operations } });
  const insert = { op: 'i', ns: 'shop.orders', ui: uuid, o: { _id: 1 } };
  const strange = { op: 'zz', ns: 'shop.orders', ui: uuid, o: {} };
  assert.equal(rereadEntry(stored({ op: 'zz', o: {} }), []), undefined);
  assert.equal(rereadEntry(stored({ op: 'c', o: { create: 'orders' } }), []), undefined);
  assert.equal(rereadEntry(stored({ ...batch(insert, strange) }), [plain]), undefined);
  assert.equal(rereadEntry(stored({ ...batch(insert, insert) }), [plain])?.length, 2);
  assert.equal(rereadEntry(stored({ ...batch(insert, insert) }), []), undefined, 'it is gone');
  assert.equal(rereadEntry(stored({ ...batch(insert) }, tornTransaction), [plain]), undefined);
});

test('an operation without effect is known', () => {
  assert.deepEqual(rereadEntry(stored({ op: 'n', o: { msg: 'a note' } }), []), []);
});
