// The objects of an index that this process knows of: opened when they are listed or written, closed when they are gone.
import { isCodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';
import type { PackRef } from '../pack/pack-format.ts';
import type { FilterShare } from './filter-share.ts';
import { IndexObject, type IndexReading } from './index-object.ts';
import type { PackList } from './pack-list.ts';

/** An object that is smaller is opened whole: another request would cost more than its head. */
const glanceBytesMin = 1024 * 1024;

export class OpenedObjects {
  readonly #reading: IndexReading;
  readonly #share: FilterShare;
  readonly #objects = new Map<string, IndexObject>();

  constructor(reading: IndexReading, share: FilterShare) {
    this.#reading = reading;
    this.#share = share;
  }

  get byName(): ReadonlyMap<string, IndexObject> {
    return this.#objects;
  }

  /** As they are now, whatever is opened or closed meanwhile. */
  get all(): readonly IndexObject[] {
    return [...this.#objects.values()];
  }

  /** Opens what the store lists and is not open, closes what it does not list. One at a time. */
  async readList(signal: AbortSignal | undefined): Promise<void> {
    const there = new Set<string>();
    this.#share.follow(this.#objects.values());
    for await (const { name, size } of this.#reading.store.list('index/', signal)) {
      const id = name.slice('index/'.length);
      there.add(id);
      await this.open(id, size, signal);
    }
    for (const id of [...this.#objects.keys()]) if (!there.has(id)) await this.close(id);
  }

  /** Nothing happens when it is open, or was merged away. Errors: `object-damaged`, `format-unknown`. */
  async open(id: string, size: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#objects.has(id)) return;
    const glances = this.#share.isDivided && size >= glanceBytesMin;
    try {
      const object = await IndexObject[glances ? 'glance' : 'open'](id, this.#reading, signal);
      this.#objects.set(id, object);
      this.#share.take(object);
    } catch (error) {
      if (!isCodrError(error, 'object-missing')) throw error;
    }
  }

  async close(id: string): Promise<void> {
    const object = this.#objects.get(id);
    this.#objects.delete(id);
    if (!object) return;
    this.#share.drop(object);
    await object.close();
  }

  /** Errors: as {@link open}, and `object-missing`. */
  async loadFilter(object: IndexObject, signal: AbortSignal | undefined): Promise<void> {
    await object.loadFilter(signal);
    if (this.#objects.get(object.id) === object) this.#share.take(object);
    else object.dropFilter(); // closed meanwhile
  }

  /** What was not open is closed again. Errors: as {@link open}, and `object-missing`. */
  async packsOf(object: IndexObject, signal: AbortSignal | undefined): Promise<PackList> {
    const { isOpen } = object;
    try {
      return (await object.tables(signal)).packs;
    } finally {
      if (!isOpen) object.dropTables();
    }
  }

  /** As {@link packsOf}; undefined when others merge it away meanwhile. */
  async packsIfThere(
    object: IndexObject,
    signal: AbortSignal | undefined,
  ): Promise<PackList | undefined> {
    try {
      return await this.packsOf(object, signal);
    } catch (error) {
      if (!isCodrError(error, 'object-missing')) throw error;
      return undefined;
    }
  }

  /** Of all objects. Errors: as {@link open}. */
  async packs(signal: AbortSignal | undefined): Promise<Map<PackId, PackRef>> {
    const byId = new Map<PackId, PackRef>();
    for (const object of this.all) {
      for (const pack of (await this.packsIfThere(object, signal)) ?? []) byId.set(pack.id, pack);
    }
    return byId;
  }
}
