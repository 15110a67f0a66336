// What is wrong with a pack as it lies in the store: there, of the right size, with both ends whole; and, where it is
// asked for, every byte, every frame and every leaf. Nothing here knows who asks, or what needs the pack.
import { equalBytes } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import type { PackRecord } from '../lineage/pack-table.ts';
import { checkPackContent, checkPackName } from '../pack/pack-check.ts';
import { encodeHeader, headerBytes, type PackFooter, packName } from '../pack/pack-format.ts';
import type { PackReader } from '../pack/pack-reader.ts';
import type { Repository } from '../repository.ts';
import { isLoss } from './losses.ts';

/** Where packs are looked at. A reader that remembers what it read before sees no damage that came since. */
export type PackPlace = Pick<Repository, 'store' | 'packs' | 'unlocked'>;

/** A pack as commits list it. */
export interface ExpectedPack extends PackRecord {
  /** Bytes that a list of the store has shown; absent: it was in none. */
  readonly listed?: number;
}

/** What of a pack cannot be used. */
export interface PackLoss {
  /** The whole pack, for want of a footer or of the object. */
  readonly whole: boolean;
  /** Numbers of frames that do not open, and of leaves that are not what their ids say. */
  readonly frames: ReadonlySet<number>;
  readonly leaves: ReadonlySet<number>;
}

export interface PackFlaw {
  readonly problem: string;
  /** Absent: nothing is lost by it. */
  readonly loss?: PackLoss;
  /** A better remedy than that of losses. */
  readonly remedy?: string;
}

export interface PackLook {
  readonly flaws: readonly PackFlaw[];
  readonly bytesRead: number;
}

/** Of a pack that is not there. */
export const lostWhole: PackLoss = { whole: true, frames: new Set(), leaves: new Set() };

const newerRemedy = 'upgrade CODR, then check again; nothing is lost by it';
const headerRemedy = 'put the pack back from a copy of the repository; nothing is lost by it yet';

/** Errors: those of the store that are no damage. */
export async function lookAtPack(
  place: PackPlace,
  { listed, ...pack }: ExpectedPack,
  reads: boolean,
  signal: AbortSignal,
): Promise<PackLook> {
  const { store, packs: reader } = place;
  const object = packName(pack);
  const flaws: PackFlaw[] = [];
  let bytesRead = 0;
  const there = listed ?? (await store.stat(object, signal))?.size;
  if (there === undefined) {
    return { flaws: [{ problem: 'it is missing', loss: lostWhole }], bytesRead };
  }
  if (there !== pack.bytes) {
    flaws.push({ problem: `it has ${there} bytes, not ${pack.bytes}` });
  }
  try {
    const footer = await reader.footer(pack, signal);
    if (!(await hasHeader(place, pack, footer, signal))) {
      flaws.push({ problem: 'its header differs', remedy: headerRemedy });
    }
    if (!reads) return { flaws, bytesRead };
    bytesRead = pack.bytes;
    const problem = await contentProblem(place, pack, signal);
    if (problem !== undefined) {
      flaws.push({ problem, loss: await lossOf(place, pack, footer, signal) });
    }
  } catch (error) {
    if (isCodrError(error, 'format-unknown')) {
      flaws.push({ problem: error.message, remedy: newerRemedy });
    } else if (isLoss(error)) flaws.push({ problem: error.message, loss: lostWhole });
    else throw error;
  }
  return { flaws, bytesRead };
}

/** A damaged header alone loses nothing: the trailer says the same. */
async function hasHeader(
  { store }: PackPlace,
  pack: PackRecord,
  footer: PackFooter,
  signal: AbortSignal,
): Promise<boolean> {
  const header = await store.get(packName(pack), { offset: 0, length: headerBytes }, signal);
  return equalBytes(header, encodeHeader(footer.seal));
}

/** What is wrong with the bytes of a pack; undefined when nothing is. */
async function contentProblem(
  { store, packs: reader, unlocked }: PackPlace,
  pack: PackRecord,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await checkPackName(store, pack, signal);
    await checkPackContent({ store, reader, idKey: unlocked.keys.id }, pack, signal);
    return undefined;
  } catch (error) {
    if (isCodrError(error, 'object-damaged')) return error.message;
    throw error;
  }
}

/** Frame by frame and leaf by leaf, so that only what is damaged counts as lost. */
async function lossOf(
  { packs: reader, unlocked }: PackPlace,
  pack: PackRecord,
  footer: PackFooter,
  signal: AbortSignal,
): Promise<PackLoss> {
  const frames = new Set<number>();
  const leaves = new Set<number>();
  let open: { readonly frame: number; readonly raw: Uint8Array | undefined } | undefined;
  for (let frame = 0; frame < footer.frameCount; frame++) {
    if (!(await readFrame(reader, pack, frame, signal))) frames.add(frame);
  }
  for (let leaf = 0; leaf < footer.leafCount; leaf++) {
    const { id, kind, frame, offset, length } = footer.leaf(leaf);
    if (open?.frame !== frame) {
      open = {
        frame,
        raw: frames.has(frame) ? undefined : await readFrame(reader, pack, frame, signal),
      };
    }
    const blob = open.raw?.subarray(offset, offset + length);
    if (!blob || !equalBytes(leafIdOf(unlocked.keys.id, kind, blob), id)) leaves.add(leaf);
  }
  return { whole: false, frames, leaves };
}

async function readFrame(
  reader: PackReader,
  pack: PackRecord,
  frame: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    return (await reader.frames(pack, [frame], signal)).get(frame);
  } catch (error) {
    if (isCodrError(error, 'object-damaged')) return undefined;
    throw error;
  }
}
