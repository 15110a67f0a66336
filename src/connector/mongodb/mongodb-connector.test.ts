import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON, Double, Long, ObjectId } from 'mongodb';
import { toHex } from '../../base/bytes.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import type { DatasetId } from '../../model/id.ts';
import { keyOfDocument } from './key/key-codec.ts';
import { mongodbConnector as connector } from './mongodb-connector.ts';

const entry: CatalogEntry = {
  dataset: 'd' as DatasetId,
  namespace: 'a.b',
  role: 'data',
  kind: 'collection',
  body: new Uint8Array(0),
};
const keyOf = (_id: unknown): string => toHex(keyOfDocument(BSON.serialize({ _id })));

test('a time is seconds and increment, and reads back', () => {
  const time = connector.parseTime('1763816700:42');
  assert.equal(time, (1763816700n << 32n) | 42n);
  assert.equal(connector.formatTime(time ?? 0n), '1763816700:42');
  for (const text of ['1763816700', '5:4294967296', '2026-11-22T13:05:00Z', 'latest', '-1:0']) {
    assert.equal(connector.parseTime(text), undefined);
  }
});

test('a wall-clock second means all of it, increments included', () => {
  const time = connector.timeOfWall(1_763_816_700_000);
  assert.equal(connector.formatTime(time), '1763816700:4294967295');
  assert.equal(connector.wallMs(time), 1_763_816_700_000);
});

test('a moment within a second means the end of the second before: nothing later than it', () => {
  for (const ms of [1, 500, 999.999]) {
    const time = connector.timeOfWall(1_763_816_700_000 + ms);
    assert.equal(connector.formatTime(time), '1763816699:4294967295');
  }
});

test('a key is Extended JSON, an ObjectId in hex, or plain text', () => {
  const keys: [string, unknown][] = [
    ['5', 5],
    ['-1.5', new Double(-1.5)],
    ['9007199254740993', Long.fromString('9007199254740993')],
    ['"abc"', 'abc'],
    ['abc', 'abc'],
    ['a b: c', 'a b: c'],
    ['true', true],
    ['null', null],
    ['{"a":1,"b":"x"}', { a: 1, b: 'x' }],
    ['{"$oid":"0123456789abcdef01234567"}', new ObjectId('0123456789abcdef01234567')],
    ['0123456789abcdef01234567', new ObjectId('0123456789abcdef01234567')],
    ['{"$numberLong":"7"}', 7],
  ];
  for (const [text, id] of keys) {
    const { ranges, isOne } = connector.parseKey(entry, text);
    assert.deepEqual(
      [ranges.map(({ from }) => from && toHex(from)), isOne],
      [[keyOf(id)], true],
      text,
    );
  }
  assert.throws(() => connector.parseKey(entry, '{"a":'), { code: 'usage' });
});

test('a record is shown as canonical Extended JSON, its types kept', () => {
  const value = BSON.serialize({ a: new Double(1), b: Long.fromNumber(2), c: /x/i });
  assert.deepEqual(connector.renderValue(entry, [{ key: new Uint8Array(0), value }]), [
    '{"a":{"$numberDouble":"1.0"},"b":{"$numberLong":"2"},"c":{"$regularExpression":{"pattern":"x","options":"i"}}}',
  ]);
});

test('no password is left in a shown URI', () => {
  const shown: [string, string][] = [
    ['mongodb://u:p@h:1/?tls=true', 'mongodb://u:***@h:1/?tls=true'],
    ['mongodb+srv://u:p%40s@h', 'mongodb+srv://u:***@h'],
    ['mongodb://u:p@ss/w@h:1,h:2/db', 'mongodb://u:***@h:1,h:2/db'],
    ['mongodb://h:1,h:2/?replicaSet=rs', 'mongodb://h:1,h:2/?replicaSet=rs'],
    [
      'mongodb://h/?tlsCertificateKeyFilePassword=secret&a=b',
      'mongodb://h/?tlsCertificateKeyFilePassword=***&a=b',
    ],
  ];
  for (const [uri, redacted] of shown) assert.equal(connector.redact(uri), redacted);
});
