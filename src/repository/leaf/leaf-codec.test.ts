import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BrokenPromiseError } from '../../base/assert.ts';
import { compareBytes, toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { decodeLeaf } from './leaf-block.ts';
import { encodedBytesMax, encodeLeaf, recordCutLength } from './leaf-codec.ts';

const key = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3 }),
  fc.uint8Array({ minLength: 1, maxLength: 300 }),
  fc.nat(1055).map((n) => new Uint8Array(n + 1)),
);
const inline = fc.record({ key, value: fc.uint8Array({ maxLength: 400 }) });
const external = fc.record({
  key,
  value: fc.nat(5).map((n) => new Uint8Array(32 * n).fill(9)),
  externalBytes: fc.maxSafeNat().map((n) => n % 2 ** 51),
});
const leaf = fc
  .uniqueArray(fc.oneof(inline, external), { selector: (r) => toHex(r.key), maxLength: 40 })
  .map((records) => records.sort((a, b) => compareBytes(a.key, b.key)));

test('a leaf gives back the records it was made of, within its announced size', () => {
  fc.assert(
    fc.property(leaf, (records) => {
      const blob = encodeLeaf(records);
      const cutBytes = records.reduce((sum, record) => sum + recordCutLength(record), 0);
      assert.ok(blob.length <= encodedBytesMax(records.length, cutBytes));
      const read = decodeLeaf(blob).map((record) => [
        toHex(record.key),
        toHex(record.value),
        record.externalBytes,
      ]);
      const expected = records.map((record) => [
        toHex(record.key),
        toHex(record.value),
        'externalBytes' in record ? record.externalBytes : undefined,
      ]);
      assert.deepEqual(read, expected);
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('a leaf that was cut short, extended or changed is refused or reads as other records', () => {
  const records = [
    { key: Buffer.from('alpha'), value: Buffer.from('one') },
    { key: Buffer.from('alpine'), value: Buffer.from('two') },
  ];
  const blob = encodeLeaf(records);
  for (let i = 0; i < blob.length; i++) {
    assert.throws(() => decodeLeaf(blob.subarray(0, i)), isCodrError);
  }
  assert.throws(
    () => decodeLeaf(Buffer.concat([blob, Buffer.from([0])])),
    (error) => isCodrError(error, 'object-damaged'),
  );
  fc.assert(
    fc.property(fc.nat(blob.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const damaged = Buffer.from(blob);
      damaged[at]! ^= mask;
      try {
        assert.notDeepEqual(decodeLeaf(damaged), decodeLeaf(blob));
      } catch (error) {
        assert.ok(isCodrError(error), String(error));
      }
    }),
    { seed: 2 },
  );
});

test('a leaf whose keys do not ascend is refused when it is read', () => {
  const leafOf = (...items: number[][]): Buffer => Buffer.from([1, 1, ...items.flat()]);
  const refused = (blob: Buffer): void =>
    assert.throws(
      () => decodeLeaf(blob),
      (error) => isCodrError(error, 'object-damaged'),
    );
  assert.equal(decodeLeaf(leafOf([2], [0, 1, 5, 0], [0, 1, 6, 0])).length, 2);
  refused(leafOf([2], [0, 1, 5, 0], [0, 1, 4, 0]));
  refused(leafOf([2], [0, 1, 5, 0], [0, 1, 5, 0]));
  refused(leafOf([2], [0, 1, 5, 0], [1, 0, 0]));
  refused(leafOf([1], [0, 0, 0]));
  refused(leafOf([1], [1, 1, 5, 0]));
});

test('a leaf of a newer format is told apart from a damaged one', () => {
  assert.throws(
    () => decodeLeaf(Buffer.from([2, 1, 0])),
    (error) => isCodrError(error, 'format-unknown'),
  );
});

test('records that do not ascend are never written', () => {
  const record = (text: string) => ({ key: Buffer.from(text), value: Buffer.alloc(0) });
  for (const [a, b] of [
    ['b', 'a'],
    ['a', 'a'],
    ['ab', 'a'],
    ['', 'a'],
  ] as const) {
    assert.throws(() => encodeLeaf([record(a), record(b)]), BrokenPromiseError, `${a} ${b}`);
  }
});
