// Packs that something retains: there, of the right size, with both ends whole; and, where it is asked
// for, every byte, every frame and every leaf.
import { forEachLimit } from '../../base/async.ts';
import { equalBytes } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { PackId } from '../../model/id.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import type { PackRecord } from '../lineage/pack-table.ts';
import type { ListedPack } from '../pack/listed-packs.ts';
import { checkPackContent, checkPackName } from '../pack/pack-check.ts';
import { encodeHeader, headerBytes, type PackFooter, packName } from '../pack/pack-format.ts';
import type { PackReader } from '../pack/pack-reader.ts';
import type { Repository } from '../repository.ts';
import type { Problems } from './problems.ts';

/** Packs read side by side: each may take its size in memory. */
const packsAtOnce = 4;

/** What of a pack cannot be used. */
export interface PackLoss {
  /** The whole pack, for want of a footer or of the object. */
  readonly whole: boolean;
  /** Numbers of frames that do not open, and of leaves that are not what their ids say. */
  readonly frames: ReadonlySet<number>;
  readonly leaves: ReadonlySet<number>;
}

export interface PackFindings {
  readonly losses: ReadonlyMap<PackId, PackLoss>;
  readonly bytesRead: number;
}

const headerRemedy = 'put the pack back from a copy of the repository; nothing is lost by it yet';

/** `chosen` packs are read whole. */
export async function checkPacks(
  repository: Repository,
  retained: ReadonlyMap<PackId, PackRecord>,
  listed: ReadonlyMap<PackId, ListedPack>,
  options: {
    readonly chosen: ReadonlySet<PackId>;
    readonly problems: Problems;
    readonly remedy: string;
    readonly signal: AbortSignal;
  },
): Promise<PackFindings> {
  const { chosen, problems, remedy, signal } = options;
  const losses = new Map<PackId, PackLoss>();
  let bytesRead = 0;
  const check = async (pack: PackRecord): Promise<void> => {
    const object = packName(pack);
    const lose = (problem: string, loss: PackLoss): void => {
      losses.set(pack.id, loss);
      problems.add({ object, problem, remedy });
    };
    const there = listed.get(pack.id)?.bytes ?? (await repository.store.stat(object, signal))?.size;
    if (there === undefined) return lose('it is missing', lostWhole);
    if (there !== pack.bytes) {
      problems.add({ object, problem: `it has ${there} bytes, not ${pack.bytes}`, remedy });
    }
    try {
      const footer = await repository.packs.footer(pack, signal);
      if (!(await hasHeader(repository, pack, footer, signal))) {
        problems.add({ object, problem: 'its header differs', remedy: headerRemedy });
      }
      if (!chosen.has(pack.id)) return;
      bytesRead += pack.bytes;
      const why = await contentProblem(repository, pack, signal);
      if (why !== undefined) lose(why, await lossOf(repository, pack, footer, signal));
    } catch (error) {
      const codes = ['object-damaged', 'format-unknown', 'object-missing'] as const;
      if (!codes.some((code) => isCodrError(error, code))) throw error;
      lose((error as Error).message, lostWhole);
    }
  };
  await forEachLimit([...retained.values()], packsAtOnce, check, signal);
  return { losses, bytesRead };
}

/** Of a pack that is not there. */
export const lostWhole: PackLoss = { whole: true, frames: new Set(), leaves: new Set() };

/** A damaged header alone loses nothing: the trailer says the same. */
async function hasHeader(
  { store }: Repository,
  pack: PackRecord,
  footer: PackFooter,
  signal: AbortSignal,
): Promise<boolean> {
  const header = await store.get(packName(pack), { offset: 0, length: headerBytes }, signal);
  return equalBytes(header, encodeHeader(footer.seal));
}

/** What is wrong with the bytes of a pack; undefined when nothing is. */
async function contentProblem(
  { store, packs: reader, unlocked }: Repository,
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
  { packs: reader, unlocked }: Repository,
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
