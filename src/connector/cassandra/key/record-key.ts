// The part of keys that says which partition: token ‖ escaped partition key (record/record-layout.ts).
//
// A key whose escaped form has up to 567 bytes is there as it is. Of a longer one there are the first 568 bytes and
// the SHA-256 of the whole key, so the two are told apart: a form of up to 567 bytes ends, with the byte after it,
// within the first 568; a longer one does not.
import { createHash } from 'node:crypto';
import { assert } from '../../../base/assert.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import { longPartitionKeyPrefixBytes, partitionKeyBytesMax } from '../record/record-layout.ts';
import { putU32 } from './byte-sink.ts';
import { escapedEnd, escapedLengthMax, writeEscaped, writeUnescaped } from './escaped.ts';
import { murmurToken } from './murmur3.ts';

export const tokenBytes = 8;
/** The longest partition prefix that {@link writePartitionPrefix} writes. */
export const partitionPrefixBytesMax = tokenBytes + partitionKeyBytesMax;
/** Raw keys up to this length are short however many zeros they have. */
const surelyShortBytes = Math.floor(((longPartitionKeyPrefixBytes - 3) * 2) / 3);
/** Cassandra's keys have up to 65 535 bytes. */
const keyBytesMax = 0xffff;

const tokenHalves = new Int32Array(2);
const longForm = new Uint8Array(escapedLengthMax(keyBytesMax));

/** The first and the last token. */
export const tokenMin = -(2n ** 63n);
export const tokenMax = 2n ** 63n - 1n;

/**
 * Writes token and escaped form of the partition key bytes[start, end) at target[at] and returns the offset after
 * them, where the kind byte goes. `target` has room for `partitionPrefixBytesMax`.
 */
export function writePartitionPrefix(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): number {
  murmurToken(bytes, start, end, tokenHalves);
  putU32(target, at, (tokenHalves[0] as number) ^ 0x80000000);
  putU32(target, at + 4, tokenHalves[1] as number);
  const to = at + tokenBytes;
  if (end - start <= surelyShortBytes) return writeEscaped(bytes, start, end, target, to);
  assert(end - start <= keyBytesMax, 'a partition key has at most 65535 bytes');
  const length = writeEscaped(bytes, start, end, longForm, 0);
  const isLong = length >= longPartitionKeyPrefixBytes;
  const kept = isLong ? longPartitionKeyPrefixBytes : length;
  target.set(longForm.subarray(0, kept), to);
  if (!isLong) return to + kept;
  target.set(createHash('sha256').update(bytes.subarray(start, end)).digest(), to + kept);
  return to + partitionKeyBytesMax;
}

/** True when keys hold this partition key cut, and a `partitionKey` record carries it. */
export function isLongPartitionKey(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  if (end - start <= surelyShortBytes) return false;
  return writeEscaped(bytes, start, end, longForm, 0) >= longPartitionKeyPrefixBytes;
}

/** Offset of the kind byte in the record key bytes[from, to). */
export function partitionEnd(bytes: Uint8Array, from: number, to: number): number {
  const end = shortEnd(bytes, from, to);
  return end < 0 ? from + partitionPrefixBytesMax : end;
}

/** The raw partition key of a record key, or undefined when it is cut there. */
export function partitionKeyOf(key: Uint8Array, from = 0, to = key.length): Uint8Array | undefined {
  const end = shortEnd(key, from, to);
  if (end < 0) return undefined;
  const raw = new Uint8Array(end - from - tokenBytes);
  return raw.subarray(0, writeUnescaped(key, from + tokenBytes, end, raw, 0));
}

/** The raw partition key of {@link writePartitionPrefix}'s bytes, or undefined when it is cut there. */
export function rawPartitionKey(prefix: Uint8Array): Uint8Array | undefined {
  // A whole form is shorter: it ends within the first 568 bytes.
  if (prefix.length === partitionPrefixBytesMax) return undefined;
  const raw = new Uint8Array(prefix.length - tokenBytes);
  return raw.subarray(0, writeUnescaped(prefix, tokenBytes, prefix.length, raw, 0));
}

/** The token of a record key. */
export function tokenOf(key: Uint8Array, from = 0): bigint {
  let token = 0n;
  for (let i = 0; i < tokenBytes; i++) token = (token << 8n) | BigInt(key[from + i] as number);
  return token - 2n ** 63n;
}

/** The 8 bytes with which keys of the token begin. */
export function tokenPrefix(token: bigint): Uint8Array {
  const prefix = Buffer.alloc(tokenBytes);
  prefix.writeBigUInt64BE(BigInt.asUintN(64, token - tokenMin));
  return prefix;
}

/**
 * The keys with tokens in (fromExclusive, toInclusive], ascending; two ranges where it wraps round the ring's end.
 * Equal bounds are the whole ring, as with Cassandra.
 */
export function tokenRange(fromExclusive: bigint, toInclusive: bigint): KeyRange[] {
  if (fromExclusive === toInclusive) return [{}];
  const from = fromExclusive === tokenMax ? undefined : tokenPrefix(fromExclusive + 1n);
  const to = toInclusive === tokenMax ? undefined : tokenPrefix(toInclusive + 1n);
  if (fromExclusive < toInclusive) return [{ ...(from && { from }), ...(to && { to }) }];
  // It goes on at the smallest token, and its end is below its start, so that `to` is there.
  const first: KeyRange = to ? { to } : {};
  return from ? [first, { from }] : [first];
}

/** The end of a whole form, or -1: the byte after it is among the first 568, and a cut one has no end there. */
function shortEnd(bytes: Uint8Array, from: number, to: number): number {
  const limit = Math.min(to, from + tokenBytes + longPartitionKeyPrefixBytes);
  return escapedEnd(bytes, from + tokenBytes, limit);
}
