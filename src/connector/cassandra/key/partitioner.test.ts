// Places on the ring, against the tokenizers of cassandra-driver.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { murmur3Partitioner, partitionerNamed, randomPartitioner } from './partitioner.ts';

interface Tokenizer {
  hash(key: Buffer): { getValue(): { toString(): string } };
}
const require = createRequire(import.meta.url);
const tokenizers = require('cassandra-driver/lib/tokenizer.js') as Readonly<
  Record<'Murmur3Tokenizer' | 'RandomTokenizer', new () => Tokenizer>
>;

test('a key lies where the token that the driver computes lies', () => {
  const cases = [
    [murmur3Partitioner, new tokenizers.Murmur3Tokenizer()],
    [randomPartitioner, new tokenizers.RandomTokenizer()],
  ] as const;
  for (const [partitioner, tokenizer] of cases) {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (key) => {
        const token = BigInt(tokenizer.hash(Buffer.from(key)).getValue().toString());
        const place = partitioner.place(token);
        assert.deepEqual(Buffer.from(partitioner.placeOfKey(key)), Buffer.from(place));
        assert.ok(token > partitioner.lowest && token <= partitioner.highest);
      }),
      { numRuns: sampled(2000) },
    );
  }
});

test('places are in the order of tokens, up to the highest', () => {
  for (const partitioner of [murmur3Partitioner, randomPartitioner]) {
    const { lowest, highest } = partitioner;
    const tokens = [lowest + 1n, 0n, 255n, 256n, 1n << 62n, highest - 1n, highest];
    const sorted = tokens.toSorted((a, b) => (a < b ? -1 : 1));
    const places = sorted.map((token) => Buffer.from(partitioner.place(token)));
    assert.deepEqual(places, places.toSorted(Buffer.compare));
    assert.equal(new Set(places.map(({ length }) => length)).size, 1);
  }
});

test('partitioners that keep keys in order are not known', () => {
  const name = 'org.apache.cassandra.dht.';
  assert.equal(partitionerNamed(`${name}RandomPartitioner`), randomPartitioner);
  assert.equal(partitionerNamed(`${name}Murmur3Partitioner`), murmur3Partitioner);
  assert.equal(partitionerNamed(`${name}ByteOrderedPartitioner`), undefined);
});
