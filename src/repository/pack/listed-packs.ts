// The packs of a store by one listing.
import type { PackId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { type PackAddress, packAddressOf } from '../pack/pack-format.ts';

/** A pack as the store lists it. */
export interface ListedPack extends PackAddress {
  readonly bytes: number;
  readonly modifiedMs: number;
}

export async function listPacks(
  store: ObjectStore,
  signal: AbortSignal,
): Promise<Map<PackId, ListedPack>> {
  const packs = new Map<PackId, ListedPack>();
  for await (const { name, size, modifiedMs } of store.list('packs/', signal)) {
    const address = packAddressOf(name);
    if (address) packs.set(address.id, { ...address, bytes: size, modifiedMs });
  }
  return packs;
}
