// Reads named blobs out of stored packs: by the index, from whichever pack gives them. A pack that was deleted
// or is damaged is passed over for another that holds the same blob. Of what this peer has no filters for, the owner of
// the slot is asked first; nothing rests on its answer.
import { toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { LeafId, PackId } from '../../model/id.ts';
import type { FingerprintIndex } from '../index/fingerprint-index.ts';
import type { BlobLocation } from '../index/page-search.ts';
import type { BlobKind } from '../leaf/leaf-store.ts';
import { type PackRef, packKindOf } from './pack-format.ts';
import type { PackReader } from './pack-reader.ts';

interface Parts {
  readonly index: FingerprintIndex;
  readonly reader: PackReader;
}

export interface StoredBlobs {
  readonly kind: BlobKind;
  readonly ids: readonly LeafId[];
  /** Places in `ids` of what is read. */
  readonly wanted: readonly number[];
  /** Filled at those places; leaves and chunks are views of frames, which others read too. */
  readonly out: Uint8Array[];
  /** Asks owners of slots where they lie; absent in a process alone. Never rejects. */
  readonly where?: (ids: readonly LeafId[]) => Promise<readonly (BlobLocation | undefined)[]>;
  /** Such packs are read when no other is left: they may be spared, and are there until then. */
  isCondemned(pack: PackRef): boolean;
}

/** Looks into the index once more for what others have written meanwhile, then at condemned packs. */
const roundsMax = 4;

/** Errors: `object-missing` when no pack holds an id; `object-damaged` when none gives it whole. */
export async function readStored(parts: Parts, blobs: StoredBlobs): Promise<void> {
  const reading = new Reading(parts, blobs);
  let left = await reading.whereTold(blobs.wanted);
  for (let round = 0; left.length > 0; round++) {
    if (round > 0) await parts.index.refresh();
    const missing = await reading.round(left, { lastResort: round > 0 });
    const isVain = round > 0 && missing.length === left.length && !reading.hasPassedOver;
    if (missing.length > 0 && (isVain || round + 1 >= roundsMax)) {
      if (!reading.damage) await parts.index.prove();
      throw reading.damage ?? notStored(blobs.kind, blobs.ids[missing[0] as number] as LeafId);
    }
    left = missing;
  }
}

/** Where a wanted blob lies in a pack. */
interface Place {
  /** In `ids`. */
  readonly i: number;
  /** In the pack's footer. */
  readonly leaf: number;
}

/** What is read of each pack. */
class PlacesByPack {
  readonly #packs = new Map<PackId, { readonly ref: PackRef; readonly places: Place[] }>();

  add({ pack, leaf }: BlobLocation, i: number): void {
    const group = this.#packs.get(pack.id) ?? { ref: pack, places: [] };
    this.#packs.set(pack.id, group);
    group.places.push({ i, leaf });
  }

  get all() {
    return this.#packs.values();
  }
}

class Reading {
  /** The first damage that was met. */
  damage: CodrError | undefined;
  readonly #parts: Parts;
  readonly #blobs: StoredBlobs;
  readonly #passedOver = new Set<PackId>();

  constructor(parts: Parts, blobs: StoredBlobs) {
    this.#parts = parts;
    this.#blobs = blobs;
  }

  get hasPassedOver(): boolean {
    return this.#passedOver.size > 0;
  }

  /** Reads what owners of slots say the place of, if it is there; returns the rest. Asks for what is dear to find here. */
  async whereTold(wanted: readonly number[]): Promise<readonly number[]> {
    const { kind, ids, where, isCondemned } = this.#blobs;
    const { index } = this.#parts;
    const dear = where ? wanted.filter((i) => index.isBlindTo(ids[i] as LeafId)) : [];
    if (!where || dear.length === 0) return wanted;
    const told = await where(dear.map((i) => ids[i] as LeafId));
    const packs = new PlacesByPack();
    for (const [k, i] of dear.entries()) {
      const at = told[k];
      if (at && at.pack.kind === packKindOf(kind) && !isCondemned(at.pack)) packs.add(at, i);
    }
    const read = new Set<number>();
    for (const { ref, places } of packs.all) {
      try {
        await this.#read(ref, places);
        for (const { i } of places) read.add(i);
      } catch (error) {
        // A pack that is gone, another leaf, damage, whatever: the index says what there is, and what is lost.
        if (!isCodrError(error)) throw error;
      }
    }
    return wanted.filter((i) => !read.has(i));
  }

  /** Reads what some pack gives; returns the rest. */
  async round(
    wanted: readonly number[],
    { lastResort }: { readonly lastResort: boolean },
  ): Promise<number[]> {
    const { ids, isCondemned } = this.#blobs;
    const usable = (pack: PackRef): boolean =>
      (lastResort || !isCondemned(pack)) && !this.#passedOver.has(pack.id);
    const asked = wanted.map((i) => ids[i] as LeafId);
    const locations = await this.#parts.index.lookup(asked, usable);
    const missing: number[] = [];
    const packs = new PlacesByPack();
    for (const [k, i] of wanted.entries()) {
      const at = locations[k];
      if (!at) {
        missing.push(i);
        continue;
      }
      packs.add(at, i);
    }
    for (const { ref, places } of packs.all) {
      missing.push(...(await this.#readWhatIsWhole(ref, places)));
    }
    return missing;
  }

  /** Returns the places in `ids` of what the pack does not give. */
  async #readWhatIsWhole(ref: PackRef, places: readonly Place[]): Promise<number[]> {
    try {
      await this.#read(ref, places);
      return [];
    } catch (error) {
      const isDamaged = isCodrError(error, 'object-damaged');
      if (!isDamaged && !isCodrError(error, 'object-missing')) throw error;
      this.#passedOver.add(ref.id);
      if (!isDamaged) return places.map(({ i }) => i);
      this.damage ??= error;
      if (places.length === 1) return places.map(({ i }) => i);
    }
    const lost: number[] = [];
    for (const place of places) lost.push(...(await this.#readWhatIsWhole(ref, [place])));
    return lost;
  }

  async #read(ref: PackRef, places: readonly Place[]): Promise<void> {
    const { reader } = this.#parts;
    const { kind, ids, out } = this.#blobs;
    const footer = await reader.footer(ref);
    const entries = places.map(({ i, leaf }) => ({ i, entry: footer.leaf(leaf) }));
    const ordinals = [...new Set(entries.map(({ entry }) => entry.frame))];
    const frames = await reader.frames(ref, ordinals);
    for (const { i, entry } of entries) {
      if (Buffer.compare(entry.id, ids[i] as LeafId) !== 0) {
        throw new CodrError('object-damaged', `the index leads to another leaf in ${ref.id}`, {
          object: ref.id,
        });
      }
      const raw = frames.get(entry.frame) as Uint8Array;
      const blob = raw.subarray(entry.offset, entry.offset + entry.length);
      // What is decoded out of a node is kept, and would keep a whole frame.
      out[i] = kind === 'node' ? new Uint8Array(blob) : blob;
    }
  }
}

function notStored(kind: BlobKind, id: LeafId): CodrError {
  const name = toHex(id);
  return new CodrError('object-missing', `no pack holds the ${kind} ${name}`, { object: name });
}
