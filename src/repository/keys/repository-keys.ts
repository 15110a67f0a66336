// The keys of an open repository, all derived from its root key. Opening and slots are in `key-slots.ts`.

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
