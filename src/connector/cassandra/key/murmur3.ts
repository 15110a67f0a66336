// The token of a partition key: the first half of MurmurHash3 x64 128 with seed 0, as Cassandra computes it
// (utils/MurmurHash.java): bytes of the last, short block are taken as signed ones. So results differ from the
// usual MurmurHash3 where such a byte is 80 or more. 64-bit numbers are pairs of 32-bit ones throughout.

/** 64-bit constants: high and low halves. */
const c1High = 0x87c37b91;
const c1Low = 0x114253d5;
const c2High = 0x4cf5ad43;
const c2Low = 0x2745937f;
const mix1High = 0xff51afd7;
const mix1Low = 0xed558ccd;
const mix2High = 0xc4ceb9fe;
const mix2Low = 0x1a85ec53;
const blockBytes = 16;

/** Result of the helpers below: no memory is taken per token. */
let high = 0;
let low = 0;

/** Writes the token of the partition key bytes[start, end) into `token`: high half, low half. */
export function murmurToken(
  bytes: Uint8Array,
  start: number,
  end: number,
  token: Int32Array,
): void {
  const length = end - start;
  // The empty key has the smallest token (Murmur3Partitioner.getToken).
  if (length === 0) {
    token[0] = -0x80000000;
    token[1] = 0;
    return;
  }
  let h1High = 0;
  let h1Low = 0;
  let h2High = 0;
  let h2Low = 0;
  let at = start;
  for (; at + blockBytes <= end; at += blockBytes) {
    mixFirst(wordAt(bytes, at + 4), wordAt(bytes, at));
    rotate(h1High ^ high, h1Low ^ low, 27);
    add(high, low, h2High, h2Low);
    scale(0x52dce729);
    h1High = high;
    h1Low = low;
    mixSecond(wordAt(bytes, at + 12), wordAt(bytes, at + 8));
    rotate(h2High ^ high, h2Low ^ low, 31);
    add(high, low, h1High, h1Low);
    scale(0x38495ab5);
    h2High = high;
    h2Low = low;
  }
  if (end - at > 8) {
    tail(bytes, at + 8, end);
    mixSecond(high, low);
    h2High ^= high;
    h2Low ^= low;
  }
  if (end > at) {
    tail(bytes, at, Math.min(end, at + 8));
    mixFirst(high, low);
    h1High ^= high;
    h1Low ^= low;
  }
  finish(h1High, h1Low ^ length, h2High, h2Low ^ length);
  // Long.MIN stands for no key; the partitioner gives Long.MAX in its place.
  const isMin = high === -0x80000000 && low === 0;
  token[0] = isMin ? 0x7fffffff : high;
  token[1] = isMin ? -1 : low;
}

const scratch = new Int32Array(2);

/** The same as a signed 64-bit number; for places that are not hot. */
export function murmurTokenBig(bytes: Uint8Array, start = 0, end = bytes.length): bigint {
  murmurToken(bytes, start, end, scratch);
  return (BigInt(scratch[0] as number) << 32n) | BigInt((scratch[1] as number) >>> 0);
}

function finish(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  add(aHigh, aLow, bHigh, bLow);
  const sumHigh = high;
  const sumLow = low;
  add(bHigh, bLow, sumHigh, sumLow);
  const otherHigh = high;
  const otherLow = low;
  avalanche(sumHigh, sumLow);
  const firstHigh = high;
  const firstLow = low;
  avalanche(otherHigh, otherLow);
  add(firstHigh, firstLow, high, low);
}

/** k1 × c1, rotated by 31, × c2. */
function mixFirst(kHigh: number, kLow: number): void {
  multiply(kHigh, kLow, c1High, c1Low);
  rotate(high, low, 31);
  multiply(high, low, c2High, c2Low);
}

/** k2 × c2, rotated by 33, × c1. */
function mixSecond(kHigh: number, kLow: number): void {
  multiply(kHigh, kLow, c2High, c2Low);
  // Rotation by 33: halves swapped, then by 1.
  rotate(low, high, 1);
  multiply(high, low, c1High, c1Low);
}

/** The halves × 5 + a constant. */
function scale(constant: number): void {
  multiply(high, low, 0, 5);
  add(high, low, 0, constant);
}

function avalanche(kHigh: number, kLow: number): void {
  // A shift of 64 bits by 33 leaves the high half shifted by 1 in the low one.
  multiply(kHigh, kLow ^ (kHigh >>> 1), mix1High, mix1Low);
  multiply(high, low ^ (high >>> 1), mix2High, mix2Low);
  low ^= high >>> 1;
}

/** Up to 8 signed bytes, the first one lowest, joined by exclusive or. */
function tail(bytes: Uint8Array, start: number, end: number): void {
  high = 0;
  low = 0;
  for (let i = end - 1; i >= start; i--) {
    const byte = ((bytes[i] as number) << 24) >> 24;
    const shift = 8 * (i - start);
    const sign = byte >> 31;
    if (shift >= 32) high ^= byte << (shift - 32);
    else {
      low ^= byte << shift;
      high ^= shift === 0 ? sign : (byte >> (32 - shift)) | (sign << shift);
    }
  }
}

/** Little-endian. */
function wordAt(bytes: Uint8Array, at: number): number {
  const lower = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return lower | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

function add(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const sum = (aLow >>> 0) + (bLow >>> 0);
  high = (aHigh + bHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

/** By 1 to 31 bits to the left. */
function rotate(aHigh: number, aLow: number, bits: number): void {
  high = (aHigh << bits) | (aLow >>> (32 - bits));
  low = (aLow << bits) | (aHigh >>> (32 - bits));
}

function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  // Each sum is below 2^33: doubles hold it.
  const carried = a1 * b0 + ((a0 * b0) >>> 16);
  const crossed = a0 * b1 + (carried & 0xffff);
  const upper = a1 * b1 + Math.floor(carried / 0x10000) + Math.floor(crossed / 0x10000);
  high = (upper + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
  low = Math.imul(aLow, bLow);
}
