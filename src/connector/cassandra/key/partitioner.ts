// Partitioners: where on the ring of a cluster a partition lies. Keys of records begin with Murmur3 tokens whatever
// cluster they are of or for, so equal rows have equal records everywhere; what belongs to another partitioner's
// cluster is sorted where it is read from its files and where it is written for them.
import { hash } from 'node:crypto';
import { murmurTokenBig } from './murmur3.ts';
import { tokenMax, tokenMin, tokenPrefix } from './record-key.ts';

export interface Partitioner {
  /** As nodes and SSTables name it. */
  readonly className: string;
  /** All tokens of keys lie in (lowest, highest]. */
  readonly lowest: bigint;
  readonly highest: bigint;
  /** Files that are in its order are in that of records. */
  readonly isRecordOrder: boolean;
  /** A token of the ring as bytes whose unsigned order is that of tokens; always as many. */
  place(token: bigint): Uint8Array;
  /** The same of the token of a raw partition key. */
  placeOfKey(key: Uint8Array): Uint8Array;
}

/** No key has the lowest token: it is moved to the highest. */
export const murmur3Partitioner: Partitioner = {
  className: 'org.apache.cassandra.dht.Murmur3Partitioner',
  lowest: tokenMin,
  highest: tokenMax,
  isRecordOrder: true,
  place: tokenPrefix,
  placeOfKey: (key) => tokenPrefix(murmurTokenBig(key)),
};

const sumBytes = 16;

/** The absolute value of the MD5 sum as a signed number: 0 to 2^127 (dht/RandomPartitioner.java). */
export const randomPartitioner: Partitioner = {
  className: 'org.apache.cassandra.dht.RandomPartitioner',
  lowest: -1n,
  highest: 2n ** 127n,
  isRecordOrder: false,
  place(token) {
    return Buffer.from(token.toString(16).padStart(2 * sumBytes, '0'), 'hex');
  },
  placeOfKey(key) {
    const sum = hash('md5', key, 'buffer');
    if ((sum[0] as number) < 0x80) return sum;
    // Its two's complement.
    let carry = 1;
    for (let i = sumBytes - 1; i >= 0; i--) {
      const byte = 0xff - (sum[i] as number) + carry;
      sum[i] = byte & 0xff;
      carry = byte >> 8;
    }
    return sum;
  },
};

const known = [murmur3Partitioner, randomPartitioner];

/** Undefined for one that CODR does not know. */
export function partitionerNamed(className: string): Partitioner | undefined {
  return known.find((one) => one.className === className);
}
