import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteCursor } from './vint.ts';

/** By the rule of the format, with large numbers: the reader under test has none. */
function encode(value: bigint): Uint8Array {
  const bits = value.toString(2).length;
  const more = bits > 56 ? 8 : Math.ceil(bits / 7) - 1;
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64BE(value, 1);
  const out = bytes.subarray(8 - more);
  out[0] = (out[0] as number) | (0xff00 >> more);
  return Uint8Array.from(out);
}

test('a vint of any 64 bits is read whole, and the cursor stands behind it', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(60), (all, shift) => {
      const value = all >> BigInt(shift);
      const bytes = encode(value);
      const cursor = new ByteCursor(Uint8Array.from([9, ...bytes, 9]), 1);
      cursor.vint64();
      assert.equal((BigInt(cursor.hi >>> 0) << 32n) | BigInt(cursor.lo >>> 0), value);
      assert.equal(cursor.at, bytes.length + 1);
      cursor.at = 1;
      assert.equal(cursor.vint32(), Number(BigInt.asIntN(32, value)));
      assert.equal(cursor.at, bytes.length + 1);
    }),
  );
});

test('a vint within the safe integers is read as a number', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(52), (all, shift) => {
      const value = Math.floor(all / 2 ** shift);
      const bytes = encode(BigInt(value));
      const cursor = new ByteCursor(bytes);
      assert.equal(cursor.vint(), value);
      assert.equal(cursor.at, bytes.length);
    }),
  );
});
