import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, Decimal128, Double, Int32, Long, MaxKey, ObjectId, Timestamp } from 'mongodb';
import { toHex } from '../../../base/bytes.ts';
import { SeededRandom } from '../../../base/random.ts';
import type { CatalogEntry } from '../../../model/catalog.ts';
import type { DatasetId } from '../../../model/id.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { randomDocumentWithId } from '../key/random-values.ts';
import { renderKey } from '../key/render-key.ts';
import { mongodbConnector } from '../mongodb-connector.ts';
import { BsonWriter } from './bson-writer.ts';
import { bsonTypes } from './raw-bson.ts';
import { renderDocument } from './render-json.ts';

test('what the driver can say is said as the driver says it', () => {
  const document = {
    ...{
      a: new Double(1),
      b: new Int32(-2),
      c: Long.fromNumber(3),
      d: Decimal128.fromString('1E3'),
    },
    ...{ e: 'x"\u0000\u{1f600}', f: new Date(5), g: /x/i, h: new ObjectId(), i: null, j: true },
    ...{ k: [1, { l: [] }], m: new Timestamp({ t: 1, i: 2 }), n: new MaxKey(), o: {} },
    ...{ p: new Double(-0), q: new Double(Number.NaN), r: new BSON.UUID() },
  };
  const bytes = BSON.serialize(document);
  const parsed = BSON.deserialize(bytes, { promoteValues: false, bsonRegExp: true });
  assert.equal(renderDocument(bytes), BSON.EJSON.stringify(parsed, { relaxed: false }));
});

test('names that look like numbers stay in their places', () => {
  const bytes = new BsonWriter().int32('b', 1).int32('1', 2).int32('0', 3).finish();
  assert.match(renderDocument(bytes), /^\{"b":.*,"1":.*,"0":.*\}$/);
});

test('a date beyond what JavaScript can hold is shown', () => {
  const value = Buffer.alloc(8);
  value.writeBigInt64LE(-(2n ** 63n));
  const bytes = new BsonWriter().value(bsonTypes.date, 'd', value).finish();
  assert.equal(renderDocument(bytes), '{"d":{"$date":{"$numberLong":"-9223372036854775808"}}}');
});

test('a key as it is shown is the key that is found', () => {
  const random = new SeededRandom(7);
  // What no driver writes: decimals that are not canonical, dates without a year, old types.
  const odd = [
    bsonTypes.decimal128,
    ...[bsonTypes.symbol, bsonTypes.dbPointer, bsonTypes.code, bsonTypes.codeWithScope],
    ...[bsonTypes.document, bsonTypes.date, bsonTypes.binary],
  ] as number[];
  const entry: CatalogEntry = {
    dataset: 'd' as DatasetId,
    namespace: 'a.b',
    role: 'data',
    kind: 'collection',
    body: new Uint8Array(0),
  };
  let shown = 0;
  for (let i = 0; i < 2000; i++) {
    const document = randomDocumentWithId(random);
    if (odd.includes(document[4] as number)) continue;
    const text = renderKey(document);
    const [range] = mongodbConnector.parseKey(entry, text).ranges;
    assert.equal(range?.from && toHex(range.from), toHex(keyOfDocument(document)), text);
    shown++;
  }
  assert.ok(shown > 500, `${shown} keys`);
});
