import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Binary,
  BSON,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'mongodb';
import { compareBytes } from '../../../base/bytes.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { keyFloor } from './key-floor.ts';

const keyOf = (_id: unknown): Uint8Array => keyOfDocument(BSON.serialize({ _id }));

test('keys of usual types are turned back exactly', () => {
  const values = [
    ...[null, true, false, '', 'abc', 'a\u0000b', 'ü€𝄞', new MinKey(), new MaxKey()],
    ...[new Int32(0), new Int32(-7), new Double(1.5), new Double(Number.NaN), new Double(-0.1)],
    ...[Long.fromString('9223372036854775807'), Long.fromString('-9223372036854775808')],
    ...[new Double(1e300), new Double(-Number.MIN_VALUE), Decimal128.fromString('1.10E+40')],
    ...[new Double(Number.POSITIVE_INFINITY), new Double(Number.NEGATIVE_INFINITY)],
    ...[new ObjectId(), new Date(-5), new Date(1e12), new Timestamp({ t: 4294967295, i: 7 })],
    ...[
      new Binary(Buffer.from('x'), 0),
      new Binary(Buffer.alloc(300, 7), 2),
      new Binary(Buffer.alloc(16), 4),
    ],
    ...[
      {},
      { b: 1, a: { c: ['x', null, 2.5] } },
      new Map([
        ['2', 1],
        ['1', 2],
      ]),
    ],
  ];
  for (const value of values) {
    const floor = keyFloor(keyOf(value));
    assert.equal(
      floor.exact,
      true,
      `${BSON.EJSON.stringify({ value })} came back as ${String(floor.value)}`,
    );
  }
});

test('a key that was cut has a floor at or before it, which keeps the start of a long text', () => {
  for (const value of [
    'ü'.repeat(2000),
    { long: 'x'.repeat(3000) },
    new Binary(Buffer.alloc(5000, 1)),
  ]) {
    const key = keyOf(value);
    const floor = keyFloor(key);
    assert.equal(floor.exact, false);
    assert.ok(compareBytes(keyOf(floor.value), key) <= 0);
  }
  assert.match(keyFloor(keyOf('ü'.repeat(2000))).value as string, /^ü{500,}$/);
});

test('bytes that are no key have MinKey below them', () => {
  assert.deepEqual(keyFloor(new Uint8Array([1, 2, 3])), { value: new MinKey(), exact: false });
  assert.deepEqual(keyFloor(new Uint8Array(0)), { value: new MinKey(), exact: false });
});
