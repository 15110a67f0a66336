// Packs of leaves that nobody stored, for tests of the index.
import assert from 'node:assert/strict';
import { type LeafId, leafId, packId } from '../../model/id.ts';
import type { FingerprintIndex, IndexedPack } from './fingerprint-index.ts';

/** `count` leaves of pack `number`; ids are pseudo-random, 32 bytes, made fast. */
export function syntheticPack(number: number, count: number): IndexedPack {
  const words = new Uint32Array(count * 8);
  let state = (number * 2654435761 + 1) >>> 0;
  for (let i = 0; i < words.length; i++) {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    words[i] = state;
  }
  const bytes = Buffer.from(words.buffer);
  const leafIds: LeafId[] = [];
  for (let i = 0; i < count; i++) leafIds.push(leafId(bytes.subarray(i * 32, i * 32 + 32)));
  const id = packId(number.toString(16).padStart(64, '0'));
  return { ref: { id, kind: 'd', bytes: count * 1000, leaves: count }, leafIds };
}

/** Each leaf is found at its place. */
export async function assertFound(
  index: FingerprintIndex,
  packs: readonly IndexedPack[],
): Promise<void> {
  for (const { ref, leafIds } of packs) {
    const locations = await index.lookup(leafIds);
    for (const [i, at] of locations.entries()) {
      assert.equal(at?.pack.id, ref.id);
      assert.equal(at.leaf, i);
    }
  }
}
