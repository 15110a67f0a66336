// The keys of an open repository, all derived from its root key by HKDF-SHA256 with labelled infos.
// Opening and slots are in `key-slots.ts`; the labels are listed in docs/format/keys.md.
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
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
  /** 32 bytes: MACs of config, index objects, lineage entries and mutables. */
  readonly mac: Uint8Array;
  /** The newest key epoch, used for new packs. */
  readonly epoch: number;
  /** 32 bytes: the AES-256-GCM key of one pack, from the epoch's KEK and the pack's salt of 32 bytes. */
  packKey(epoch: number, salt: Uint8Array): Uint8Array;
  /** The same for one lineage entry. */
  entryKey(epoch: number, salt: Uint8Array): Uint8Array;
}

/**
 * Derives every key from the 32-byte `root` and the key-encryption keys by epoch (1 …). `packKey` and
 * `entryKey` throw `object-missing` for an epoch whose KEK was not loaded.
 */
export function deriveRepositoryKeys(
  root: Uint8Array,
  keks: ReadonlyMap<number, Uint8Array>,
): RepositoryKeys {
  const boundaries = new Map<string, Uint8Array>();
  const ofEpoch = (epoch: number, label: string, salt: Uint8Array): Uint8Array => {
    const kek = keks.get(epoch);
    if (kek) return deriveKey(kek, label, 32, salt);
    throw new CodrError('object-missing', `the key of epoch ${epoch} is missing under keys/`);
  };
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
    packKey: (epoch, salt) => ofEpoch(epoch, 'codr/1/pack', salt),
    entryKey: (epoch, salt) => ofEpoch(epoch, 'codr/1/entry', salt),
  };
}

/** HKDF-SHA256 of `secret`; `label` is the info, `salt` is empty unless given. */
export function deriveKey(
  secret: Uint8Array,
  label: string,
  length: number,
  salt: Uint8Array = emptyBytes,
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secretOf(secret), salt, label, length));
}

const secrets = new WeakMap<Uint8Array, KeyObject>();

/** The key as Node works with it: a third of the time that its bytes take in each call. It must not change. */
export function secretOf(key: Uint8Array): KeyObject {
  const known = secrets.get(key) ?? createSecretKey(key);
  secrets.set(key, known);
  return known;
}
