import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, Decimal128, Double, Int32, Long } from 'mongodb';
import { compareBytes, toHex } from '../../../base/bytes.ts';
import { keyOfDocument } from './key-codec.ts';

const key = (_id: unknown): Uint8Array => keyOfDocument(BSON.serialize({ _id }));

test('numbers that are equal across types have equal keys', () => {
  const classes = [
    [new Int32(5), Long.fromNumber(5), new Double(5), Decimal128.fromString('5.00')],
    [new Double(0.5), Decimal128.fromString('0.5'), Decimal128.fromString('50E-2')],
    [new Double(-0), new Int32(0), Decimal128.fromString('-0E-10')],
    [new Double(Number.NaN), Decimal128.fromString('NaN')],
    [new Double(2 ** 63), Decimal128.fromString('9223372036854775808')],
  ];
  for (const members of classes) assert.equal(new Set(members.map((id) => toHex(key(id)))).size, 1);
  assert.notDeepEqual(key(new Double(0.1)), key(Decimal128.fromString('0.1')));
});

test('numbers of all sizes sort by value', () => {
  const ascending = [
    ...[Number.NaN, Number.NEGATIVE_INFINITY, -1e300, -100.5, -100, -1, -1e-300, 0],
    ...[
      Number.MIN_VALUE,
      1e-300,
      0.1,
      0.5,
      1,
      9,
      10,
      99,
      100,
      101,
      1e15,
      1e300,
      Number.POSITIVE_INFINITY,
    ],
  ].map((value) => key(new Double(value)));
  for (let i = 1; i < ascending.length; i++) {
    assert.ok(compareBytes(ascending[i - 1]!, ascending[i]!) < 0, `number ${i}`);
  }
});

test('the key bytes are those of the format page', () => {
  assert.equal(toHex(key(new Int32(7))), '1e0480010800');
  assert.equal(toHex(key(new Int32(-7))), '1e027ffef7ff');
  assert.equal(toHex(key('a')), '3c6100');
  assert.equal(toHex(key({ a: 1 })), '461e6100048001020000');
  assert.equal(toHex(key(true)), '6e01');
});

test('a key over 1 KiB is cut and told apart by its hash', () => {
  const [one, two] = [key(`${'x'.repeat(2000)}1`), key(`${'x'.repeat(2000)}2`)];
  assert.equal(one.length, 1056);
  assert.notDeepEqual(one, two);
});

test('_id is found wherever it stands, and its absence is an error', () => {
  assert.deepEqual(keyOfDocument(BSON.serialize({ a: 1, _id: 7 })), key(7));
  assert.throws(() => keyOfDocument(BSON.serialize({ a: 1 })), { code: 'object-damaged' });
});
