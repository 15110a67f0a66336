// Packs that something retains, looked at in pieces: each here, or by whoever takes it. What others find wrong counts
// when it is found here too: what is given up for it is gone for good.
import { forEachLimit, mapLimit } from '../../base/async.ts';
import type { PackId } from '../../model/id.ts';
import type { PackRecord } from '../lineage/pack-table.ts';
import type { ListedPack } from '../pack/listed-packs.ts';
import { packName } from '../pack/pack-format.ts';
import type { Repository } from '../repository.ts';
import { type ExpectedPack, lookAtPack, type PackLoss, type PackPlace } from './look-at-packs.ts';
import type { Problems } from './problems.ts';

/** Packs that are looked at as one piece of work. */
export interface PackPiece {
  readonly packs: readonly ExpectedPack[];
  /** Every byte of them is read. */
  readonly reads: boolean;
}

/** What came of a piece. */
export interface PiecesLook {
  readonly bytesRead: number;
  readonly doubts: readonly PackDoubt[];
}

/** What somebody else holds to be wrong. */
export interface PackDoubt {
  /** Of the pack, in the piece. */
  readonly number: number;
  readonly problem: string;
}

/** Who looks at packs. */
export interface PackLookers {
  /** Pieces at a time, of all of them. */
  readonly slots: number;
  /** Has a piece looked at by another, or calls `here`. */
  run(
    piece: PackPiece,
    here: (signal: AbortSignal) => Promise<PiecesLook>,
    signal: AbortSignal,
  ): Promise<PiecesLook>;
}

export interface PackFindings {
  readonly losses: ReadonlyMap<PackId, PackLoss>;
  readonly bytesRead: number;
}

/** Of a piece, side by side: one that is read may take its size in memory. */
const readsAtOnce = 2;
const looksAtOnce = 8;
/** Of a piece that is read, where there is much; where there is little each place gets some of it. */
const pieceBytesMax = 256 * 1024 * 1024;
const pieceBytesMin = 64 * 1024;
const piecePacksMax = 256;
const piecePacksMin = 16;
const piecesPerSlot = 4;

/** `chosen` packs are read whole. */
export async function checkPacks(
  repository: Repository,
  retained: ReadonlyMap<PackId, PackRecord>,
  listed: ReadonlyMap<PackId, ListedPack>,
  options: {
    readonly chosen: ReadonlySet<PackId>;
    readonly lookers: PackLookers;
    readonly problems: Problems;
    readonly remedy: string;
    readonly signal: AbortSignal;
  },
): Promise<PackFindings> {
  const { chosen, lookers, problems, remedy, signal } = options;
  const losses = new Map<PackId, PackLoss>();
  const look = async (pack: ExpectedPack, reads: boolean, stop: AbortSignal) => {
    const found = await lookAtPack(repository, pack, reads, stop);
    for (const flaw of found.flaws) {
      if (flaw.loss) losses.set(pack.id, flaw.loss);
      const { problem } = flaw;
      problems.add({ object: packName(pack), problem, remedy: flaw.remedy ?? remedy });
    }
    return found;
  };
  const doubted = async (pack: ExpectedPack, reads: boolean, problem: string): Promise<void> => {
    const { listed: _, ...asItIs } = pack;
    const { flaws } = await look(asItIs, reads, signal);
    if (flaws.length === 0) problems.add(disagreement(pack, problem));
  };
  const run = async ({ packs, reads }: PackPiece, stop: AbortSignal): Promise<number> => {
    const here = async (own: AbortSignal): Promise<PiecesLook> => {
      const looks = await mapLimit(packs, atOnce(reads), (pack) => look(pack, reads, own), own);
      return { bytesRead: sumOf(looks), doubts: [] };
    };
    const { bytesRead, doubts } = await lookers.run({ packs, reads }, here, stop);
    for (const { number, problem } of doubts) {
      const pack = packs[number];
      if (pack) await doubted(pack, reads, problem);
    }
    return bytesRead;
  };
  const expected = [...retained.values()].map((pack): ExpectedPack => {
    const there = listed.get(pack.id)?.bytes;
    const { id, kind, bytes } = pack;
    return { id, kind, bytes, ...(there !== undefined && { listed: there }) };
  });
  const pieces = piecesOf(expected, chosen, lookers.slots);
  let bytesRead = 0;
  await forEachLimit(
    pieces,
    lookers.slots * piecesPerSlot,
    async (piece, stop) => {
      // Not in one expression: others add to it meanwhile.
      const bytes = await run(piece, stop);
      bytesRead += bytes;
    },
    signal,
  );
  return { losses, bytesRead };
}

/** For another process: what it holds to be wrong with the packs of a piece. */
export async function lookAtPiece(
  place: PackPlace,
  { packs, reads }: PackPiece,
  signal: AbortSignal,
): Promise<PiecesLook> {
  const look = (pack: ExpectedPack) => lookAtPack(place, pack, reads, signal);
  const looks = await mapLimit(packs, atOnce(reads), look, signal);
  const doubts = looks.flatMap(({ flaws: [flaw] }, number): PackDoubt[] =>
    flaw ? [{ number, problem: flaw.problem }] : [],
  );
  return { bytesRead: sumOf(looks), doubts };
}

/** The largest first: what ends last is small. */
function piecesOf(
  packs: readonly ExpectedPack[],
  chosen: ReadonlySet<PackId>,
  slots: number,
): PackPiece[] {
  const pieces: PackPiece[] = [];
  for (const reads of [true, false]) {
    const some = packs.filter(({ id }) => chosen.has(id) === reads);
    const share = some.length / (slots * piecesPerSlot);
    const all = some.reduce((sum, { bytes }) => sum + bytes, 0);
    const bytesMost = within(all / (slots * piecesPerSlot), pieceBytesMin, pieceBytesMax);
    const countMost = within(Math.ceil(share), piecePacksMin, piecePacksMax);
    let piece: ExpectedPack[] = [];
    let bytes = 0;
    for (const pack of some) {
      if (piece.length >= countMost || (reads && piece.length > 0 && bytes >= bytesMost)) {
        pieces.push({ packs: piece, reads });
        [piece, bytes] = [[], 0];
      }
      piece.push(pack);
      bytes += pack.bytes;
    }
    if (piece.length > 0) pieces.push({ packs: piece, reads });
  }
  return pieces;
}

function disagreement(pack: ExpectedPack, problem: string) {
  return {
    object: packName(pack),
    problem: `another peer says: ${problem}; from here it is whole`,
    remedy: 'look at the memory, the disks and the mounts of the peers, then check again',
  };
}

const atOnce = (reads: boolean): number => (reads ? readsAtOnce : looksAtOnce);
const within = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, value));
const sumOf = (looks: readonly { readonly bytesRead: number }[]): number =>
  looks.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
