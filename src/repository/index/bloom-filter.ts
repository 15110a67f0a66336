// A Bloom filter over 16-byte prefixes of leaf ids: 10 bits a leaf, 7 probes, about 1 % false answers.
// Ids are keyed hashes, so their own bytes serve as the hashes.

const bitsPerEntry = 10;
const probeCount = 7;

/** Bytes of the filter of `entryCount` leaves. */
export function filterBytes(entryCount: number): number {
  return Math.max(8, Math.ceil((entryCount * bitsPerEntry) / 8));
}

/** Sets the bits of the id that begins at `ids[at]`. */
export function addToFilter(filter: Uint8Array, ids: Buffer, at: number): void {
  const bits = filter.length * 8;
  const step = ids.readUInt32LE(at + 8) | 1;
  let probe = ids.readUInt32LE(at + 4);
  for (let i = 0; i < probeCount; i++, probe = (probe + step) >>> 0) {
    const bit = probe % bits;
    filter[bit >>> 3] = (filter[bit >>> 3] as number) | (1 << (bit & 7));
  }
}

/** False: certainly not there. True: look. */
export function filterMayHold(filter: Uint8Array, id: Buffer): boolean {
  const bits = filter.length * 8;
  const step = id.readUInt32LE(8) | 1;
  let probe = id.readUInt32LE(4);
  for (let i = 0; i < probeCount; i++, probe = (probe + step) >>> 0) {
    const bit = probe % bits;
    if (((filter[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}
