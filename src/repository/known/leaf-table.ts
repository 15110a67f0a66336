// Ids, the packs that hold them and where in them, in memory of fixed size an entry: what an owner of slots answers from.
// Open addressing; an id may stand in it several times, once a pack. Nothing is removed. A byte a place says what may
// stand there, so that looking for what is not there seldom leaves the processor's cache.
import type { PackId } from '../../model/id.ts';
import { idPrefixBytes } from '../index/index-codec.ts';
import type { PackRef } from '../pack/pack-format.ts';

/** Four words of the id, the number of the pack, and the number in its footer. */
const entryWords = 6;
const idWords = 4;
/** Parts, by bits of the id. To double one table of 20 M entries takes five seconds, in which a peer answers nobody. */
const partCount = 64;
const partShift = 26;
/** Places of a part. */
const firstCapacity = 64;
/** Of the places: above it a part doubles. Another share for each, since they fill up alike. */
const fillMaxOf = (part: number): number => 0.6 + (0.15 * part) / partCount;

export class LeafTable {
  readonly #entriesMax: number;
  readonly #parts = Array.from({ length: partCount }, (_, part) => new Part(fillMaxOf(part)));
  #count = 0;
  readonly #packs: PackRef[] = [];
  readonly #numbers = new Map<PackId, number>();

  /** `entriesMax`: about 48 bytes each. */
  constructor({ entriesMax }: { readonly entriesMax: number }) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#entriesMax;
  }

  /** The number under which a pack's entries are added. */
  numberOf(pack: PackRef): number {
    const known = this.#numbers.get(pack.id);
    if (known !== undefined) return known;
    this.#numbers.set(pack.id, this.#packs.length);
    return this.#packs.push(pack) - 1;
  }

  pack(number: number): PackRef {
    return this.#packs[number] as PackRef;
  }

  get packCount(): number {
    return this.#packs.length;
  }

  /** `leaf`: its number in the footer of the pack. False: the table is full, and the entry is not in it. */
  add(ids: Buffer, at: number, pack: number, leaf: number): boolean {
    const [a, b, c, d] = [0, 4, 8, 12].map((offset) => ids.readUInt32LE(at + offset)) as Four;
    const part = this.#parts[d >>> partShift] as Part;
    if (part.find(a, b, c, d, (found) => found === pack) >= 0) return true;
    if (this.isFull) return false;
    part.add([a, b, c, d, pack, leaf]);
    this.#count++;
    return true;
  }

  /**
   * For each of `ids` (16 bytes back to back) the number of a pack for which `usable` says 1, or −1. `usable` is
   * by number; it must be as long as {@link packCount}. `leaves` gets the numbers in the footers of those packs.
   */
  findAll(ids: Uint8Array, usable: Uint8Array, leaves?: Uint32Array): Int32Array {
    const count = Math.floor(ids.length / idPrefixBytes);
    // A copy, since words have to be aligned.
    const aligned = new Uint32Array(new Uint8Array(ids.subarray(0, count * idPrefixBytes)).buffer);
    const found = new Int32Array(count);
    const isUsable = (pack: number): boolean => usable[pack] === 1;
    for (let i = 0; i < count; i++) {
      const at = i * idWords;
      const [a, b] = [aligned[at] as number, aligned[at + 1] as number];
      const [c, d] = [aligned[at + 2] as number, aligned[at + 3] as number];
      const part = this.#parts[d >>> partShift] as Part;
      const place = part.find(a, b, c, d, isUsable);
      const entry = place * entryWords + idWords;
      found[i] = place < 0 ? -1 : (part.words[entry] as number);
      if (leaves && place >= 0) leaves[i] = part.words[entry + 1] as number;
    }
    return found;
  }
}

class Part {
  words = new Uint32Array(firstCapacity * entryWords);
  /** By place: a byte of the id, or 0 where nothing stands. */
  #tags = new Uint8Array(firstCapacity);
  #capacity = firstCapacity;
  #count = 0;
  readonly #fillMax: number;

  constructor(fillMax: number) {
    this.#fillMax = fillMax;
  }

  add(entry: Entry): void {
    if (this.#count + 1 > this.#capacity * this.#fillMax) this.#grow();
    this.#put(entry);
    this.#count++;
  }

  /** The place of the first entry of the id whose pack is wanted, or −1. */
  find(a: number, b: number, c: number, d: number, wanted: (pack: number) => boolean): number {
    const words = this.words;
    const tags = this.#tags;
    const mask = this.#capacity - 1;
    const tag = tagOf(c);
    // The first bits are much the same for all ids of an owner; the second word is as good as a hash.
    for (let place = b & mask; tags[place] !== 0; place = (place + 1) & mask) {
      if (tags[place] !== tag) continue;
      const at = place * entryWords;
      const isSame =
        words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
      const pack = words[at + idWords] as number;
      if (isSame && wanted(pack)) return place;
    }
    return -1;
  }

  #put(entry: Entry): void {
    const [, b, c] = entry;
    const mask = this.#capacity - 1;
    let place = b & mask;
    while (this.#tags[place] !== 0) place = (place + 1) & mask;
    this.#tags[place] = tagOf(c);
    this.words.set(entry, place * entryWords);
  }

  #grow(): void {
    const [words, tags] = [this.words, this.#tags];
    this.#capacity *= 2;
    this.words = new Uint32Array(this.#capacity * entryWords);
    this.#tags = new Uint8Array(this.#capacity);
    for (let place = 0; place < tags.length; place++) {
      if (tags[place] === 0) continue;
      const at = place * entryWords;
      this.#put(words.subarray(at, at + entryWords) as unknown as Entry);
    }
  }
}

/** 1 to 255. */
const tagOf = (word: number): number => word & 255 || 1;

type Four = [number, number, number, number];
type Entry = [number, number, number, number, number, number];
