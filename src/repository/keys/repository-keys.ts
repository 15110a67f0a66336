// The keys of an open repository, all derived from its root key by HKDF-SHA256 with labelled infos.
// Opening and slots are in `key-slots.ts`; the labels are listed in docs/format/keys.md.
import { hkdfSync } from 'node:crypto';
import { emptyBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';

/** Secrets: never logged, never stored in the clear. */
export interface RepositoryKeys {
  /** 32 bytes: names leaves, nodes and chunks (keyed hash). */
  readonly id: Uint8Array;
  /** 16 bytes of AES-128 key for the cut of `level`, re-cut `salt` (0 unless a leaf was too large). */
  boundary(level: number, salt: number): Uint8Array;
  /** 8 bytes: seed of the xxh64 of keys. */
  readonly boundarySeed: bigint;
  /** 32 bytes: MACs of lineage entries. */
  readonly mac: Uint8Array;
  /** The newest key epoch, used for new packs. */
  readonly epoch: number;
  /** 32 bytes: the AES-256-GCM key of one pack or lineage entry, from the epoch's KEK and a 32-byte salt. */
  packKey(epoch: number, salt: Uint8Array): Uint8Array;
}

/**
 * Derives every key from the 32-byte `root` and the key-encryption keys by epoch (1 …). `packKey` throws
 * `object-missing` for an epoch whose KEK was not loaded.
 */
export function deriveRepositoryKeys(
  root: Uint8Array,
  keks: ReadonlyMap<number, Uint8Array>,
): RepositoryKeys {
  const boundaries = new Map<string, Uint8Array>();
  return {
    id: deriveKey(root, 'codr/1/id', 32),
    mac: deriveKey(root, 'codr/1/mac', 32),
    boundarySeed: Buffer.from(deriveKey(root, 'codr/1/boundary-seed', 8)).readBigUInt64LE(),
    epoch: Math.max(...keks.keys()),
    boundary(level, salt) {
      const label = `codr/1/boundary/${level}/${salt}`;
      const known = boundaries.get(label) ?? deriveKey(root, label, 16);
      boundaries.set(label, known);
      return known;
    },
    packKey(epoch, salt) {
      const kek = keks.get(epoch);
      if (kek) return deriveKey(kek, 'codr/1/pack', 32, salt);
      throw new CodrError('object-missing', `the key of epoch ${epoch} is missing under keys/`);
    },
  };
}

/** HKDF-SHA256 of `secret`; `label` is the info, `salt` is empty unless given. */
export function deriveKey(
  secret: Uint8Array,
  label: string,
  length: number,
  salt: Uint8Array = emptyBytes,
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, label, length));
}
