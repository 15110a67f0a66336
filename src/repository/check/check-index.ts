// The index: every object whole, and every leaf of every pack found by it. What is damaged or missing is
// made again from the footers of packs, in the store or (see index-overlay.ts) in memory alone.
import { hash } from 'node:crypto';
import { isCodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { IndexedPack } from '../index/fingerprint-index.ts';
import {
  decodeIndexHead,
  decodeIndexHeader,
  entryBytes,
  idPrefixBytes,
  openPage,
  pageCount,
  pageRange,
} from '../index/index-codec.ts';
import type { ListedPack } from '../pack/listed-packs.ts';
import { indexedPackOf } from '../pack/pack-check.ts';
import type { PackRef } from '../pack/pack-format.ts';
import type { Repository } from '../repository.ts';

export interface IndexFindings {
  /** Names of objects whose bytes are not what they should be. */
  readonly damaged: readonly string[];
  /** Names of objects that only a newer version can read. */
  readonly newer: readonly string[];
  /** Leaves of each pack that the whole objects lead to. */
  readonly covered: ReadonlyMap<PackId, CoveredLeaves>;
  readonly bytesRead: number;
}

interface CoveredLeaves {
  /** As the index says. */
  readonly pack: PackRef;
  /** A bit a leaf. */
  readonly bits: Uint8Array;
}

/** Reads every index object once. Objects that others merge away meanwhile are left out. */
export async function readIndex(
  store: ObjectStore,
  macKey: Uint8Array,
  signal: AbortSignal,
): Promise<IndexFindings> {
  const covered = new Map<PackId, CoveredLeaves>();
  const damaged: string[] = [];
  const newer: string[] = [];
  let bytesRead = 0;
  for await (const { name } of store.list('index/', signal)) {
    try {
      const bytes = await store.get(name, undefined, signal);
      bytesRead += bytes.length;
      if (hash('sha256', bytes) === name.slice('index/'.length))
        cover(macKey, bytes, name, covered);
      else damaged.push(name);
    } catch (error) {
      if (isCodrError(error, 'object-missing')) continue;
      if (isCodrError(error, 'format-unknown')) newer.push(name);
      else if (isCodrError(error, 'object-damaged')) damaged.push(name);
      else throw error;
    }
  }
  return { damaged, newer, covered, bytesRead };
}

/** Packs with blobs that the index does not lead to, or not to all of them. */
export function uncoveredPacks(
  packs: Iterable<ListedPack>,
  { covered }: IndexFindings,
): ListedPack[] {
  return [...packs].filter(({ id, kind }) => {
    if (kind === 'c') return false;
    const there = covered.get(id);
    return !there || countBits(there.bits) < there.pack.leaves;
  });
}

/** Adds index entries for packs from their footers. Returns those whose footers can be read. */
export async function indexAgain(
  { index, packs: reader }: Repository,
  packs: readonly ListedPack[],
  { salt, signal }: { readonly salt: Uint8Array; readonly signal: AbortSignal },
): Promise<Set<PackId>> {
  const done = new Set<PackId>();
  let some: IndexedPack[] = [];
  for (const { id, kind, bytes } of packs) {
    try {
      some.push(await indexedPackOf(reader, { id, kind, bytes }, signal));
      done.add(id);
    } catch (error) {
      // A damaged pack is found as such; one that went away meanwhile is no matter.
      if (!isCodrError(error, 'object-damaged') && !isCodrError(error, 'object-missing'))
        throw error;
    }
    if (some.length < packsAtOnce) continue;
    await index.addPacks(some, signal, salt);
    some = [];
  }
  await index.addPacks(some, signal, salt);
  return done;
}

const packsAtOnce = 64;

function cover(
  macKey: Uint8Array,
  bytes: Uint8Array,
  name: string,
  covered: Map<PackId, CoveredLeaves>,
): void {
  const { headBytes } = decodeIndexHeader(bytes, name);
  const head = decodeIndexHead(macKey, bytes.subarray(0, headBytes), name);
  const packs = Array.from(head.packs, (pack) => {
    const bits = new Uint8Array(Math.ceil(pack.leaves / 8));
    const there = covered.get(pack.id) ?? { pack, bits };
    covered.set(pack.id, there);
    return there;
  });
  for (let page = 0; page < pageCount(head); page++) {
    const { offset, length } = pageRange(head, page);
    const entries = openPage(macKey, head, page, bytes.subarray(offset, offset + length), name);
    for (let at = idPrefixBytes; at < entries.length; at += entryBytes) {
      const leaf = entries.readUInt32LE(at + 4);
      const bits = packs[entries.readUInt32LE(at)]?.bits;
      if (bits && leaf >> 3 < bits.length)
        bits[leaf >> 3] = (bits[leaf >> 3] as number) | (1 << (leaf & 7));
    }
  }
}

function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte > 0; byte &= byte - 1) count++;
  return count;
}
