import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import xxhash from 'xxhash-wasm';
import { openCutHashing } from './cut-hashing.ts';

const keyOf = (level: number, salt: number): Uint8Array => Buffer.alloc(16, level * 16 + salt + 1);
const boundarySeed = 42n;

/** The definition, one key at a time and with whole numbers of any size. */
async function hashOf(key: Uint8Array, level: number, salt: number): Promise<number> {
  const { h64 } = await xxhash();
  const block = Buffer.alloc(16);
  block.writeBigUInt64LE(h64(Buffer.from(key).toString('latin1'), boundarySeed));
  const cipher = createCipheriv('aes-128-ecb', keyOf(level, salt), null);
  return Number(cipher.update(block).readBigUInt64BE(0) >> 16n);
}

test('the hash of a key is the first 48 bits of AES over its xxh64', async () => {
  const hashing = await openCutHashing({ boundarySeed, boundary: keyOf });
  // ASCII keys: the definition above reads text.
  const items = Array.from({ length: 2500 }, (_, i) => ({ key: Buffer.from(`key ${i * 31}`) }));
  for (const [level, salt] of [
    [0, 0],
    [0, 4],
    [3, 1],
  ] as const) {
    const out = new Float64Array(2000);
    hashing.hash({ level, salt }, items, 400, 2400, out);
    for (const i of [400, 1423, 1424, 2399]) {
      assert.equal(out[i - 400], await hashOf(items[i]!.key, level, salt));
    }
  }
});

test('levels and salts give unrelated hashes', async () => {
  const hashing = await openCutHashing({ boundarySeed, boundary: keyOf });
  const out = new Float64Array(1);
  const seen = new Set<number>();
  for (let level = 0; level < 4; level++) {
    for (let salt = 0; salt <= 4; salt++) {
      hashing.hash({ level, salt }, [{ key: Buffer.from('k') }], 0, 1, out);
      seen.add(out[0]!);
    }
  }
  assert.equal(seen.size, 20);
});
