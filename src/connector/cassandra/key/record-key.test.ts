// Partition prefixes and tokens, against the tokenizer of cassandra-driver.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { rangeHolds } from '../../../model/key-range.ts';
import { murmurTokenBig } from './murmur3.ts';
import {
  isLongPartitionKey,
  partitionEnd,
  partitionKeyOf,
  partitionPrefixBytesMax,
  tokenMax,
  tokenMin,
  tokenOf,
  tokenPrefix,
  tokenRange,
  writePartitionPrefix,
} from './record-key.ts';

interface Tokenizer {
  hash(key: Buffer): { getValue(): { toString(): string } };
}
const require = createRequire(import.meta.url);
const { Murmur3Tokenizer } = require('cassandra-driver/lib/tokenizer.js') as {
  Murmur3Tokenizer: new () => Tokenizer;
};
const tokenizer = new Murmur3Tokenizer();

function keyOf(partition: Uint8Array, kind = 0x40): Buffer {
  const target = Buffer.alloc(partitionPrefixBytesMax + 1);
  const end = writePartitionPrefix(partition, 0, partition.length, target, 0);
  target[end] = kind;
  return target.subarray(0, end + 1);
}

/** Half of the bytes are zero, so that forms grow. */
const partitionKeys = fc
  .tuple(fc.integer({ min: 1, max: 700 }), fc.nat(3), fc.infiniteStream(fc.nat(255)))
  .map(([length, zeros, stream]) =>
    Buffer.from(
      Array.from({ length }, () => {
        const byte = stream.next().value as number;
        return byte < zeros * 64 ? 0 : byte;
      }),
    ),
  );

test('tokens are those of the driver, bytes of 80 and more in the last block among them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 70 }), (key) => {
      const expected = BigInt(tokenizer.hash(Buffer.from(key)).getValue().toString());
      assert.equal(murmurTokenBig(key), expected);
    }),
    { numRuns: sampled(3000) },
  );
});

test('the token of int 1 is what a server says', () => {
  assert.equal(murmurTokenBig(Buffer.from('00000001', 'hex')), -4069959284402364209n);
});

test('a record key tells its token, where the partition ends, and the partition key', () => {
  fc.assert(
    fc.property(partitionKeys, fc.constantFrom(0x18, 0x20, 0x28, 0x40), (partition, kind) => {
      const key = keyOf(partition, kind);
      assert.equal(partitionEnd(key, 0, key.length), key.length - 1);
      assert.equal(tokenOf(key), murmurTokenBig(partition));
      const back = partitionKeyOf(key);
      if (isLongPartitionKey(partition)) {
        assert.equal(back, undefined);
        assert.equal(key.length, partitionPrefixBytesMax + 1);
      } else assert.deepEqual(Buffer.from(back ?? []), partition);
    }),
    { numRuns: sampled(2000) },
  );
});

test('a partition key is cut from 568 escaped bytes on', () => {
  assert.equal(isLongPartitionKey(Buffer.alloc(566, 1)), false);
  assert.equal(isLongPartitionKey(Buffer.alloc(567, 1)), true);
  for (const length of [566, 567, 568, 600, 65_535]) {
    for (const fill of [0, 1]) {
      const key = keyOf(Buffer.alloc(length, fill));
      assert.equal(partitionEnd(key, 0, key.length), key.length - 1, `${length} × ${fill}`);
    }
  }
});

test('a cut key whose hash looks like an end is still a cut one', () => {
  for (let i = 0; i < 300; i++) {
    const key = keyOf(Buffer.concat([Buffer.alloc(600, 7), Buffer.of(i >> 8, i)]));
    assert.equal(partitionEnd(key, 0, key.length), partitionPrefixBytesMax);
    assert.equal(partitionKeyOf(key), undefined);
  }
});

test('partition keys of one token would sort as their bytes do', () => {
  const short = partitionKeys.filter((key) => !isLongPartitionKey(key));
  fc.assert(
    fc.property(short, short, fc.nat(20), (a, b, shared) => {
      const other = Buffer.concat([a.subarray(0, shared), b]);
      fc.pre(!isLongPartitionKey(other));
      const order = Buffer.compare(keyOf(a).subarray(8), keyOf(other).subarray(8));
      assert.equal(order, Buffer.compare(a, other));
    }),
  );
});

const tokens = fc.oneof(
  fc.bigInt({ min: tokenMin, max: tokenMax }),
  fc.constantFrom(tokenMin, tokenMin + 1n, -1n, 0n, tokenMax - 1n, tokenMax),
);

test('a token range holds the tokens after its start up to its end, round the ring', () => {
  fc.assert(
    fc.property(tokens, tokens, tokens, (from, to, token) => {
      const inside =
        from < to ? token > from && token <= to : from === to || token > from || token <= to;
      const ranges = tokenRange(from, to);
      const key = Buffer.concat([tokenPrefix(token), Buffer.of(1, 0, 0x40)]);
      assert.equal(ranges.filter((range) => rangeHolds(range, key)).length, inside ? 1 : 0);
    }),
    { numRuns: sampled(2000) },
  );
});
