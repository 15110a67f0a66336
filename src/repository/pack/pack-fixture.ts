// A small repository in memory for the tests of packs and of the index: fixed keys, inline sealing.
import { SeededRandom } from '../../base/random.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { InlineSealer, type Sealer } from '../frame/sealer.ts';
import { FingerprintIndex } from '../index/fingerprint-index.ts';
import { deriveRepositoryKeys, type RepositoryKeys } from '../keys/repository-keys.ts';
import { BlobStore, type BlobStoreOptions } from './blob-store.ts';
import { PackReader } from './pack-reader.ts';
import type { PackContext } from './pack-writer.ts';

export const fixedKeys: RepositoryKeys = deriveRepositoryKeys(
  new SeededRandom(7).bytes(32),
  new Map([[1, new SeededRandom(8).bytes(32)]]),
);

export function packContext(sealer?: Sealer): PackContext {
  return {
    keys: fixedKeys,
    repositoryId: new SeededRandom(9).bytes(16),
    sealer: sealer ?? new InlineSealer({ idKey: fixedKeys.id, level: 1 }),
  };
}

interface FixtureOptions extends BlobStoreOptions {
  readonly seed?: number;
  readonly sealer?: Sealer;
  /** Entries of an object of the index. */
  readonly indexEntriesMax?: number;
  /** Of a peer. */
  readonly owned?: () => Uint8Array | undefined;
}

/** A blob store over `store` as a process that starts now would open it. */
export async function openBlobStore(
  store: ObjectStore = new MemoryObjectStore(),
  options: FixtureOptions = {},
): Promise<BlobStore> {
  const context = packContext(options.sealer);
  const { owned, indexEntriesMax } = options;
  const clock = { monotonic: () => performance.now() };
  const index = await FingerprintIndex.open(store, {
    macKey: fixedKeys.mac,
    ...(indexEntriesMax && { objectEntriesMax: indexEntriesMax }),
    ...(owned && { share: { owned, clock, tableBytesMax: 2 ** 30 } }),
  });
  const reader = new PackReader(store, context);
  const random = new SeededRandom(options.seed ?? 1);
  return new BlobStore({ store, context, index, reader, random }, options);
}

/** Every object name under `prefix`. */
export async function namesIn(store: ObjectStore, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix)) names.push(name);
  return names;
}

/** A copy of a store's objects, with byte `at` of object `name` flipped or the object cut there. */
export async function withDamage(
  store: ObjectStore,
  name: string,
  damage: { readonly flip: number } | { readonly cutAt: number },
): Promise<ObjectStore> {
  const copy = new MemoryObjectStore();
  for (const one of await namesIn(store, '')) {
    let bytes = await store.get(one);
    if (one === name && 'flip' in damage) {
      bytes[damage.flip] = (bytes[damage.flip] as number) ^ 1;
    } else if (one === name && 'cutAt' in damage) {
      bytes = bytes.subarray(0, damage.cutAt);
    }
    await copy.create(one, [bytes]);
  }
  return copy;
}

/** `count` blobs of about `bytes` bytes that compress like JSON. */
export function jsonBlobs(seed: number, count: number, bytes: number): Uint8Array[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => {
    let text = '';
    while (text.length < bytes) {
      text += `{"id":${random.below(1e9)},"name":"user${random.below(1e6)}","city":"Oslo"},`;
    }
    return Buffer.from(text, 'utf8');
  });
}
