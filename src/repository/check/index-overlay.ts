// A store whose index folder may be changed in memory alone: a check that may not repair works with an
// index that is mended there, so that a damaged index does not hide what else is wrong. Memory is that of
// the mended part of the index.
import type { ObjectStore, StoredObject } from '../../storage/object-store.ts';
import { MemoryIndex } from './memory-index.ts';

const folder = 'index/';

/** Reads through to `store`; what is created or removed under `index/` stays here. */
export function withIndexOverlay(store: ObjectStore): ObjectStore {
  const added = new MemoryIndex();
  const removed = new Set<string>();
  return {
    url: store.url,
    async create(name, body, signal) {
      if (!name.startsWith(folder)) return await store.create(name, body, signal);
      return added.put(name, body);
    },
    async get(name, range, signal) {
      return added.get(name, range) ?? (await store.get(name, range, signal));
    },
    async stat(name, signal) {
      return added.stat(name) ?? (await store.stat(name, signal));
    },
    async *list(prefix, signal): AsyncGenerator<StoredObject> {
      for await (const object of store.list(prefix, signal)) {
        if (!removed.has(object.name)) yield object;
      }
      if (prefix === folder) yield* added.all;
    },
    listFolders: (prefix, signal) => store.listFolders(prefix, signal),
    async remove(name, signal) {
      if (!name.startsWith(folder)) return await store.remove(name, signal);
      added.remove(name);
      removed.add(name);
    },
  };
}

/**
 * The store without objects of the index that are damaged: they go when what they led to is found by others, so that
 * nothing is missed meanwhile. One that is made again under the same name takes the place at once.
 */
export function withoutDamaged(store: ObjectStore, damaged: Iterable<string>) {
  const hidden = new Set(damaged);
  const sound: ObjectStore = {
    url: store.url,
    async create(name, body, signal) {
      if (hidden.delete(name)) await store.remove(name, signal);
      return await store.create(name, body, signal);
    },
    get: (name, range, signal) => store.get(name, range, signal),
    stat: (name, signal) => store.stat(name, signal),
    async *list(prefix, signal): AsyncGenerator<StoredObject> {
      for await (const object of store.list(prefix, signal)) {
        if (!hidden.has(object.name)) yield object;
      }
    },
    listFolders: (prefix, signal) => store.listFolders(prefix, signal),
    remove: (name, signal) => store.remove(name, signal),
  };
  const drop = async (signal: AbortSignal): Promise<void> => {
    for (const name of hidden) await store.remove(name, signal);
    hidden.clear();
  };
  return { sound, drop };
}
