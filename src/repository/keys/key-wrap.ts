// How a slot turns what a person holds (a passphrase, a key file) into a key that wraps the root key.
// Wrapping is AES-256-GCM with a random nonce; what names the wrapped key is authenticated with it.
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto';
import { concatBytes } from '../../base/bytes.ts';
import type { Random } from '../../base/random.ts';
import { deriveKey } from './repository-keys.ts';

/** What opens a repository. A passphrase is compared in Unicode normal form KC. */
export type Credential =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'key-file'; readonly content: Uint8Array };

/** Cost of scrypt; memory is 128 · N · r bytes (32 MiB by default). */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

export const defaultScryptCost: ScryptCost = { N: 2 ** 15, r: 8, p: 1 };

/** Stored costs above these are refused: nobody chose them, they are damage or an attack. */
const scryptCostMax: ScryptCost = { N: 2 ** 20, r: 16, p: 16 };

export function scryptCostFits(cost: ScryptCost): boolean {
  const fits = (value: number, max: number): boolean =>
    Number.isSafeInteger(value) && value >= 1 && value <= max;
  const { N, r, p } = cost;
  return (
    fits(N, scryptCostMax.N) &&
    N >= 2 &&
    (N & (N - 1)) === 0 &&
    fits(r, scryptCostMax.r) &&
    fits(p, scryptCostMax.p)
  );
}

/** 32 bytes from a passphrase; takes about 50 ms at the default cost and blocks for that time. */
export function passphraseKey(passphrase: string, salt: Uint8Array, cost: ScryptCost): Uint8Array {
  const { N, r, p } = cost;
  const maxmem = 128 * N * r * 2 + (1 << 20);
  return scryptSync(passphrase.normalize('NFKC'), salt, 32, { N, r, p, maxmem });
}

/** 32 bytes from the content of a key file, which must hold the entropy itself. */
export function keyFileKey(content: Uint8Array, salt: Uint8Array): Uint8Array {
  return deriveKey(content, 'codr/1/key-file', 32, salt);
}

const nonceBytes = 12;
const tagBytes = 16;

/** Nonce (12 bytes), ciphertext, tag (16 bytes). */
export function wrapKey(
  wrapping: Uint8Array,
  secret: Uint8Array,
  options: { readonly about: string; readonly random: Random },
): Uint8Array {
  const nonce = options.random.bytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', wrapping, nonce);
  cipher.setAAD(Buffer.from(options.about, 'utf8'));
  return concatBytes([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

/** The secret, or undefined when the key or `about` is not the one it was wrapped with. */
export function unwrapKey(
  wrapping: Uint8Array,
  wrapped: Uint8Array,
  about: string,
): Uint8Array | undefined {
  if (wrapped.length < nonceBytes + tagBytes) return undefined;
  const nonce = wrapped.subarray(0, nonceBytes);
  const decipher = createDecipheriv('aes-256-gcm', wrapping, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(about, 'utf8'));
  decipher.setAuthTag(wrapped.subarray(wrapped.length - tagBytes));
  const secret = decipher.update(wrapped.subarray(nonceBytes, wrapped.length - tagBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return secret;
}
