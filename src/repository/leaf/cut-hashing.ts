// The keyed hash that decides where leaves and nodes begin: AES-128 over xxh64 of the key. The universal
// hash spreads, the block cipher keeps the cuts unpredictable to whoever lacks the key.
import { type Cipheriv, createCipheriv } from 'node:crypto';
import xxhash, { type XXHashAPI } from 'xxhash-wasm';
import type { RepositoryKeys } from '../keys/repository-keys.ts';

/** Anything that has a place in key order: a record, a node entry. */
export interface Keyed {
  readonly key: Uint8Array;
}

/** Gives the cut hash of keys; injected, so that tests can force equal hashes. */
export interface CutHashing {
  /**
   * Writes the hashes of `items[from..to)` to `out[0..to-from)`: whole numbers in [0, 2^48).
   * `salt` is 0 unless a leaf or node was too large and is cut again.
   */
  hash(
    place: { readonly level: number; readonly salt: number },
    items: readonly Keyed[],
    from: number,
    to: number,
    out: Float64Array,
  ): void;
}

const blockBytes = 16;
const blocksPerCall = 1024;
/** Keeps nothing between two calls: one for all repositories of a thread. */
let spreading: Promise<XXHashAPI> | undefined;

/** The hashing of a repository. Holds its AES keys; one object serves any number of builders in a thread. */
export async function openCutHashing(
  keys: Pick<RepositoryKeys, 'boundary' | 'boundarySeed'>,
): Promise<CutHashing> {
  spreading ??= xxhash();
  const { h64Raw } = await spreading;
  const seed = keys.boundarySeed;
  const blocks = Buffer.alloc(blocksPerCall * blockBytes);
  const hashes = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
  const ciphers = new Map<number, Cipheriv>();

  const cipherAt = (level: number, salt: number): Cipheriv => {
    const place = level * 256 + salt;
    let cipher = ciphers.get(place);
    if (!cipher) {
      cipher = createCipheriv('aes-128-ecb', keys.boundary(level, salt), null).setAutoPadding(
        false,
      );
      ciphers.set(place, cipher);
    }
    return cipher;
  };

  return {
    hash({ level, salt }, items, from, to, out) {
      const cipher = cipherAt(level, salt);
      for (let start = from; start < to; start += blocksPerCall) {
        const end = Math.min(to, start + blocksPerCall);
        for (let i = start; i < end; i++) {
          hashes.setBigUint64((i - start) * blockBytes, h64Raw(items[i]!.key, seed), true);
        }
        const sealed = cipher.update(blocks.subarray(0, (end - start) * blockBytes));
        for (let i = start; i < end; i++) {
          const at = (i - start) * blockBytes;
          out[i - from] = sealed.readUInt16BE(at) * 2 ** 32 + sealed.readUInt32BE(at + 2);
        }
      }
    },
  };
}
