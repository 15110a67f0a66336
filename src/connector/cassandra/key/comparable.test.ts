// Forms of single values, against the examples of Cassandra's ByteComparable.md where it has some.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import type { ScalarName } from '../type/cassandra-type.ts';
import { ByteSink } from './byte-sink.ts';
import { comparableCodec } from './comparable.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(/[ ·]/g, ''), 'hex');

function form(name: ScalarName, value: Uint8Array): string {
  const codec = comparableCodec({ kind: 'scalar', name });
  const target = new Uint8Array(codec.lengthMax(value.length));
  const end = codec.encode(value, 0, value.length, target, 0);
  assert.ok(end <= target.length, `${name}: ${end} bytes are within the bound ${target.length}`);
  return Buffer.from(target.subarray(0, end)).toString('hex');
}

/** scale, unscaled in decimal → value bytes. */
function decimal(unscaled: bigint, scale: number): Uint8Array {
  const bytes = Buffer.alloc(4 + 16);
  bytes.writeInt32BE(scale);
  bytes.writeBigInt64BE(BigInt.asIntN(64, unscaled >> 64n), 4);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, unscaled), 12);
  return bytes;
}

test('numbers, floats and uuids have the forms of the examples in ByteComparable.md', () => {
  const examples: [ScalarName, string, string][] = [
    ['int', '00000001', '80000001'],
    ['smallint', 'ffff', '7fff'],
    ['tinyint', '00', '80'],
    ['int', '7fffffff', 'ffffffff'],
    ['bigint', '8000000000000000', '0000000000000000'],
    ['float', '3f800000', 'bf800000'],
    ['float', '00000000', '80000000'],
    ['float', '80000000', '7fffffff'],
    ['float', 'bf800000', '407fffff'],
    ['double', 'fff0000000000000', '000fffffffffffff'],
    ['double', '7ff8000000000000', 'fff8000000000000'],
    ['uuid', 'cc520882950744fb8fc9b349ecdee658', '4cc52088295074fb8fc9b349ecdee658'],
    ['uuid', '2a92d750d8dc11e6a2decf8ecd4cf053', '11e6d8dc2a92d750a2decf8ecd4cf053'],
  ];
  for (const [name, value, expected] of examples) {
    assert.equal(form(name, hex(value)), expected, `${name} ${value}`);
  }
});

test('zeros of byte strings are escaped as in the examples of ByteComparable.md', () => {
  const examples = [
    ['', '00'],
    ['22', '2200'],
    ['2200', '2200fe'],
    ['22000033', '2200feff3300'],
    ['220011', '2200ff1100'],
    ['220000', '2200fefe'],
  ];
  for (const [value, expected] of examples) assert.equal(form('blob', hex(value ?? '')), expected);
});

test('decimals have the forms of the examples in ByteComparable.md', () => {
  const examples: [bigint, number, string][] = [
    [11n, 1, 'c101818a00'],
    [1n, 0, 'c1018100'],
    [100n, 2, 'c1018100'],
    [1n, 2, 'c08100'],
    [0n, 5, '80'],
    [-1n, 2, '407f00'],
    [-1n, 0, '3fff7f00'],
    [-11n, 1, '3fff7eda00'],
    [-989n, 1, '3fff1d8a00'],
    [-99n, 0, '3fff1d00'],
    [-999n, 1, '3fff1c8a00'],
    [-81n, -1999, '3efc1777da00'],
    [-81n, 2001, '4203e777da00'],
    [81n, 2001, 'befc19888a00'],
    [81n, -1999, 'c203e9888a00'],
  ];
  for (const [unscaled, scale, expected] of examples) {
    assert.equal(form('decimal', decimal(unscaled, scale)), expected, `${unscaled}E${-scale}`);
  }
});

test('a decimal of the largest and the smallest scale comes back', () => {
  for (const scale of [2 ** 31 - 1, -(2 ** 31)]) {
    const codec = comparableCodec({ kind: 'scalar', name: 'decimal' });
    const target = new Uint8Array(64);
    const value = decimal(7n, scale);
    const end = codec.encode(value, 0, value.length, target, 0);
    const sink = new ByteSink();
    assert.equal(codec.decode(target, 0, sink), end);
    const expected = Buffer.alloc(5);
    expected.writeInt32BE(scale);
    expected[4] = 7;
    assert.deepEqual(Buffer.from(sink.bytes.subarray(0, sink.length)), expected);
  }
});

test('varints are short up to six bytes and have a length from seven on', () => {
  const zeros = (count: number) => '00'.repeat(count);
  const examples = [
    ['00', '80'],
    ['01', '81'],
    ['ff', '7f'],
    ['00ff', 'c0ff'],
    ['ff00', '3f00'],
    ['010000', 'e10000'],
    ['ff00000000', '0700000000'],
    [`01${zeros(7)}`, `ff0101${zeros(7)}`],
    [`01${zeros(128)}`, `ff7a01${zeros(128)}`],
    [`ff${zeros(256)}`, `007f06${zeros(256)}`],
  ];
  for (const [value, expected] of examples)
    assert.equal(form('varint', hex(value ?? '')), expected);
});

test('every NaN has the same form, after infinity', () => {
  assert.equal(form('float', hex('ffc00001')), form('float', hex('7fc00000')));
  assert.equal(form('double', hex('fff8000000000000')), 'fff8000000000000');
});

test('bytes that are no value of their type are refused', () => {
  const bad: [ScalarName, string][] = [
    ['int', '0000'],
    ['uuid', '00'],
    ['decimal', '000000'],
    ['boolean', '0000'],
    ['empty', '00'],
  ];
  for (const [name, value] of bad) {
    assert.throws(
      () => form(name, hex(value)),
      (error) => isCodrError(error, 'source-unfit'),
    );
  }
  const list = comparableCodec({
    kind: 'list',
    element: { kind: 'scalar', name: 'int' },
    frozen: true,
  });
  for (const value of ['', '00000001', '000000010000000400', '0000000000']) {
    const bytes = hex(value);
    assert.throws(
      () => list.encode(bytes, 0, bytes.length, new Uint8Array(64), 0),
      (error) => isCodrError(error, 'source-unfit'),
      value,
    );
  }
});
