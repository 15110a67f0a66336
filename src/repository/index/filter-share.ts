// Which index objects have their filters in memory here. One process alone has all, up to a limit. A peer has those of
// objects that may hold ids of its own slots, and gives back what it opened beside them. A small run, which is one
// object for all leading bytes, is everybody's.
import type { Clock } from '../../base/clock.ts';
import type { IndexObject } from './index-object.ts';

/** What makes a peer of a process, as far as the index is concerned. */
export interface SlotShare {
  /**
   * By slot (the first 12 bits of an id) 1 for those that this peer owns; undefined while nobody has said. Another
   * array when they change.
   */
  readonly owned: () => Uint8Array | undefined;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Memory of packs and fan-outs of opened objects. */
  readonly tableBytesMax: number;
}

const slotsPerByte = 16;
/** What is not of this peer's slots is closed again when nobody has searched it for so long. */
const idleMs = 60_000;
const sweepMs = 10_000;
/** Of a pack that a head names; and a fan-out. */
const packBytes = 44;
const fanOutBytes = 1028;

export class FilterShare {
  readonly #bytesMax: number;
  readonly #share: SlotShare | undefined;
  #bytes = 0;
  #owned: Uint8Array | undefined;
  /** By leading byte of ids: 1 where this peer owns a slot. */
  #ownBytes = new Uint8Array(256);
  /** Objects whose filters are kept, and their bytes. */
  readonly #kept = new Map<IndexObject, number>();
  /** Objects whose filter did not fit. */
  readonly #tooLarge = new WeakSet<IndexObject>();
  #blind: Uint8Array | undefined;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(bytesMax: number, share: SlotShare | undefined) {
    this.#bytesMax = bytesMax;
    this.#share = share;
  }

  /** True when the filters are divided among peers. */
  get isDivided(): boolean {
    return this.#share !== undefined;
  }

  /** Bytes of filters in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True when this peer answers for the id's slot; without peers always. */
  owns(id: Uint8Array): boolean {
    if (!this.#share) return true;
    const slot = ((id[0] as number) << 4) | ((id[1] as number) >> 4);
    return this.#share.owned()?.[slot] === 1;
  }

  /** Called before objects are searched or opened: slots may have changed since. */
  follow(objects: Iterable<IndexObject>): void {
    if (!this.#share) return;
    const owned = this.#share.owned();
    if (owned === this.#owned) return;
    this.#owned = owned;
    this.#ownBytes = ownBytesOf(owned);
    this.#blind = undefined;
    for (const object of objects) {
      this.#tooLarge.delete(object);
      if (!this.isWanted(object)) this.drop(object);
    }
  }

  /** True when its filter shall be in memory here. */
  isWanted({ header: { firstByte, lastByte } }: IndexObject): boolean {
    if (!this.#share || (firstByte === 0 && lastByte === 255)) return true;
    return this.#ownBytes.subarray(firstByte, lastByte + 1).includes(1);
  }

  /** True when its filter is wanted, is not there, and was not found too large. */
  isDue(object: IndexObject): boolean {
    return !object.hasFilter && this.isWanted(object) && !this.#tooLarge.has(object);
  }

  /** The object is opened, or got its filter: that is kept if it is wanted and fits. */
  take(object: IndexObject): void {
    this.#blind = undefined;
    if (!object.hasFilter || this.#kept.has(object)) return;
    const { filterBytes } = object;
    const fits = this.#bytes + filterBytes <= this.#bytesMax;
    if (fits && this.isWanted(object)) {
      this.#kept.set(object, filterBytes);
      this.#bytes += filterBytes;
      return;
    }
    if (!fits) this.#tooLarge.add(object);
    object.dropFilter();
  }

  /** The filter is wanted no more, or the object is closed. */
  drop(object: IndexObject): void {
    this.#blind = undefined;
    this.#bytes -= this.#kept.get(object) ?? 0;
    this.#kept.delete(object);
    object.dropFilter();
  }

  /** By leading byte 1 where an id may stand in an object that has no filter here, and will get none. */
  blindBytes(objects: Iterable<IndexObject>): Uint8Array {
    if (this.#blind) return this.#blind;
    const blind = new Uint8Array(256);
    for (const object of objects) {
      if (object.hasFilter || this.isDue(object)) continue;
      blind.fill(1, object.header.firstByte, object.header.lastByte + 1);
    }
    this.#blind = blind;
    return blind;
  }

  /** The object is searched now. */
  touch(object: IndexObject): void {
    if (this.#share) object.searchedAtMs = this.#share.clock.monotonic();
  }

  /** Gives back heads and copies of objects of others that lie idle, and past the limit heads of the longest unused. */
  async sweep(objects: Iterable<IndexObject>): Promise<void> {
    if (!this.#share) return;
    const { clock, tableBytesMax } = this.#share;
    const nowMs = clock.monotonic();
    if (nowMs - this.#sweptAtMs < sweepMs) return;
    this.#sweptAtMs = nowMs;
    const open = [...objects].filter(({ isOpen }) => isOpen);
    open.sort((a, b) => b.searchedAtMs - a.searchedAtMs);
    let bytes = 0;
    for (const object of open) {
      bytes += fanOutBytes + object.header.packCount * packBytes;
      const isIdle = nowMs - object.searchedAtMs > idleMs && !this.isWanted(object);
      if (isIdle) await object.release();
      else if (bytes > tableBytesMax) object.dropTables();
    }
  }
}

function ownBytesOf(owned: Uint8Array | undefined): Uint8Array<ArrayBuffer> {
  const own = new Uint8Array(256);
  for (const [slot, isOwn] of owned?.entries() ?? []) {
    if (isOwn === 1) own[Math.floor(slot / slotsPerByte)] = 1;
  }
  return own;
}
