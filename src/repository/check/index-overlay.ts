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
