// Reads a run back: seeks by its index, passes over blocks whose key range or effective times cannot
// matter, and gives sorted batches. Memory: one index block a level and `blocksPerRead` data blocks.
import { CodrError } from '../../base/error.ts';
import { type Change, changeKinds } from '../../model/change.ts';
import type { DatasetId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { firstTime, lastTime, type SourceTime } from '../../model/time.ts';
import { comparePlaces, decodeIndex, type IndexEntry } from './block-index.ts';
import { decodeBlock } from './run-codec.ts';
import { type Block, type BlockSource, blockDigest, type RunRef } from './run-ref.ts';

/** Data blocks asked for in one call: half a MiB keeps a store busy, and 64 runs under 64 MiB. */
const blocksPerReadDefault = 4;

export interface RunQuery {
  readonly dataset: DatasetId;
  readonly range: KeyRange;
  /** Give nothing that is effective at or before this time. */
  readonly afterTime?: SourceTime;
  /** Give nothing that is effective later. */
  readonly untilTime: SourceTime;
  readonly blocksPerRead?: number;
}

interface Place {
  readonly dataset: DatasetId;
  readonly key: Uint8Array;
}

/** What is looked for: places in [from, to) and times in (after, until]; an absent bound is open. */
interface Window {
  readonly from?: Place;
  readonly to?: Place;
  readonly after?: SourceTime;
  readonly until: SourceTime;
  readonly blocksPerRead: number;
}

const firstKey = new Uint8Array([0]);

/**
 * The changes of one dataset and range, ascending by (key, order). Never `clear` changes: those stand at
 * the empty key and come from {@link clearsOf}. Errors: `object-missing`, `object-damaged`.
 */
export async function* readRun(
  source: BlockSource,
  ref: RunRef,
  query: RunQuery,
): AsyncGenerator<readonly Change[], void, void> {
  const { dataset, range, afterTime, untilTime } = query;
  const from = range.from && range.from.length > 0 ? range.from : firstKey;
  yield* readWindow(source, ref, {
    from: { dataset, key: from },
    to: range.to ? { dataset, key: range.to } : endOf(dataset),
    ...(afterTime !== undefined && { after: afterTime }),
    until: untilTime,
    blocksPerRead: query.blocksPerRead ?? blocksPerReadDefault,
  });
}

/** Every change of the run, for merging it with others. */
export function readWholeRun(
  source: BlockSource,
  ref: RunRef,
): AsyncGenerator<readonly Change[], void, void> {
  return readWindow(source, ref, { until: lastTime, blocksPerRead: blocksPerReadDefault });
}

/** The `clear` changes of a dataset up to `untilTime`, ascending. */
export async function clearsOf(
  source: BlockSource,
  ref: RunRef,
  query: { readonly dataset: DatasetId; readonly untilTime: SourceTime },
): Promise<Change[]> {
  const { dataset, untilTime } = query;
  const clears: Change[] = [];
  const window: Window = {
    from: { dataset, key: new Uint8Array(0) },
    to: { dataset, key: firstKey },
    until: untilTime,
    blocksPerRead: 1,
  };
  for await (const batch of readWindow(source, ref, window)) {
    for (const change of batch) if (change.kind === changeKinds.clear) clears.push(change);
  }
  return clears;
}

/** A dataset that is looked for, and the time after which a change of it counts. */
export interface DatasetQuery {
  readonly dataset: DatasetId;
  readonly afterTime: SourceTime;
}

/**
 * Which of `wanted` the run holds a change of, `clear` included, up to `untilTime`. Much cheaper than asking
 * for each: a block is decoded once for all datasets in it, and what has been found is looked for no more.
 */
export async function datasetsIn(
  source: BlockSource,
  ref: RunRef,
  wanted: readonly DatasetQuery[],
  untilTime: SourceTime,
): Promise<ReadonlySet<DatasetId>> {
  const found = new Set<DatasetId>();
  const windows = wanted.map(({ dataset, afterTime }) => ({
    from: { dataset, key: new Uint8Array(0) },
    to: endOf(dataset),
    after: afterTime,
    until: untilTime,
    blocksPerRead: 1,
  }));
  await findDatasets(source, ref, windows, { level: ref.levels, block: rootOf(ref) }, found);
  return found;
}

async function findDatasets(
  source: BlockSource,
  run: RunRef,
  windows: readonly (Window & { readonly from: Place })[],
  { level, block }: { readonly level: number; readonly block: Block },
  found: Set<DatasetId>,
): Promise<void> {
  if (level === 0) {
    const [raw] = await source.read([block.ref]);
    const changes = decodeNamed(run, block, raw, decodeBlock);
    for (const window of windows) {
      if (within(changes, window).length > 0) found.add(window.from.dataset);
    }
    return;
  }
  const entries = await readIndexBlock(source, run, block);
  for (const [i, entry] of entries.entries()) {
    const left = windows.filter(
      (window) => !found.has(window.from.dataset) && mayHold(entry, entries[i + 1], window),
    );
    if (left.length === 0) continue;
    await findDatasets(source, run, left, { level: level - 1, block: entry }, found);
  }
}

/** The first place after everything of a dataset: ids are text, so the id with a zero appended follows. */
function endOf(dataset: DatasetId): Place {
  return { dataset: `${dataset}\0` as DatasetId, key: new Uint8Array(0) };
}

async function* readWindow(
  source: BlockSource,
  ref: RunRef,
  window: Window,
): AsyncGenerator<readonly Change[], void, void> {
  if (ref.minTime > window.until || ref.maxTime <= (window.after ?? -1n)) return;
  let wanted: Block[] = [];
  for await (const block of dataBlocks(source, ref, window)) {
    wanted.push(block);
    if (wanted.length < window.blocksPerRead) continue;
    yield* readBlocks(source, ref, window, wanted);
    wanted = [];
  }
  if (wanted.length > 0) yield* readBlocks(source, ref, window, wanted);
}

async function* readBlocks(
  source: BlockSource,
  run: RunRef,
  window: Window,
  blocks: readonly Block[],
): AsyncGenerator<readonly Change[], void, void> {
  const raws = await source.read(blocks.map(({ ref }) => ref));
  for (const [i, block] of blocks.entries()) {
    const changes = within(decodeNamed(run, block, raws[i], decodeBlock), window);
    if (changes.length > 0) yield changes;
  }
}

/** Places of the data blocks that may hold what the window asks for, in order. */
async function* dataBlocks(
  source: BlockSource,
  run: RunRef,
  window: Window,
  level: number = run.levels,
  block: Block = rootOf(run),
): AsyncGenerator<Block, void, void> {
  if (level === 0) {
    yield block;
    return;
  }
  const entries = await readIndexBlock(source, run, block);
  for (const [i, entry] of entries.entries()) {
    if (mayHold(entry, entries[i + 1], window)) {
      yield* dataBlocks(source, run, window, level - 1, entry);
    }
  }
}

/** The block at the top of a run: of the highest level of its index, or its only data block. */
export function rootOf({ root, rootDigest }: RunRef): Block {
  return { ref: root, digest: rootDigest };
}

/** The blocks that an index block of the run names. Errors: `object-missing`, `object-damaged`. */
export async function readIndexBlock(
  source: BlockSource,
  run: RunRef,
  block: Block,
): Promise<IndexEntry[]> {
  const [raw] = await source.read([block.ref]);
  return decodeNamed(run, block, raw, decodeIndex);
}

/** A block reaches up to the first place of the next, included: one key's changes may lie in both. */
function mayHold(entry: IndexEntry, next: IndexEntry | undefined, window: Window): boolean {
  if (entry.minTime > window.until || entry.maxTime <= (window.after ?? -1n)) return false;
  if (window.from && next && comparePlaces(next, window.from) < 0) return false;
  return window.to === undefined || comparePlaces(entry, window.to) < 0;
}

function within(changes: Change[], window: Window): Change[] {
  const { from, to, until } = window;
  const start = from ? firstAt(changes, from) : 0;
  const end = to ? firstAt(changes, to) : changes.length;
  const after = window.after ?? firstTime - 1n;
  const inPlace = start === 0 && end === changes.length ? changes : changes.slice(start, end);
  const inTime = (change: Change): boolean => change.time <= until && change.time > after;
  return inPlace.every(inTime) ? inPlace : inPlace.filter(inTime);
}

/** Index of the first change at or after `place`. */
function firstAt(changes: readonly Change[], place: Place): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (comparePlaces(changes[middle] as Change, place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whoever can write to the store could put another sealed block in its place: hence the digest. */
function decodeNamed<T>(
  run: RunRef,
  block: Block,
  raw: Uint8Array | undefined,
  decode: (raw: Uint8Array) => T,
): T {
  try {
    if (!raw || blockDigest(raw) !== block.digest) {
      throw new CodrError('object-damaged', 'a block is not the one that the run names');
    }
    return decode(raw);
  } catch (error) {
    if (!(error instanceof CodrError)) throw error;
    throw new CodrError(error.code, `run ${run.id}: ${error.message}`, {
      object: run.id,
      cause: error,
    });
  }
}
