// A merge of any number of inputs with a bounded number open at once. One whose first key is known is opened when the
// merge gets there, and is gone at its end; where more than the bound lie over one another, the smallest of them are
// merged into scratch space first. The result is the same: the merge is associative.
import { compareBytes, emptyBytes } from '../../../base/bytes.ts';
import type { Spill } from '../../../base/spill.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { SpilledBlocks } from '../record/spilled-blocks.ts';
import type { MergeInput } from './input-cursor.ts';
import { mergeBlocks } from './merge-blocks.ts';

/** Where an input lies, by what the keys of its partitions begin with. */
export interface InputExtent {
  /** No key comes before it; absent: it is open from the start. */
  readonly first?: Uint8Array;
  /** No later partition; absent: it is open to the end. */
  readonly last?: Uint8Array;
  /** Of what it costs to merge it once more. */
  readonly bytes: number;
}

export interface StagedMerge<T extends InputExtent> {
  /** Inputs that are open at once, at least 2. */
  readonly openMax: number;
  readonly spill: Spill;
  readonly clusteringCount: number;
  /** Merges some of the inputs, each of them once, and opens none before its first key. */
  readonly merged: (inputs: readonly T[]) => BlockStream;
  readonly signal: AbortSignal;
}

/** What `merged` would give of all inputs. Scratch space goes with the stream. */
export async function* mergeStaged<T extends InputExtent>(
  inputs: readonly T[],
  { openMax, spill, clusteringCount, merged, signal }: StagedMerge<T>,
): BlockStream {
  await using scratch = new AsyncDisposableStack();
  const options = { clusteringCount, signal };
  let given: readonly T[] = inputs;
  let spilled: readonly Spilled[] = [];
  for (;;) {
    const crowd = deepest<T | Spilled>([...given, ...spilled]);
    if (crowd.length <= openMax) break;
    // As little as possible is read twice; what was spilled already only when nothing else is left.
    const fresh = bySize(crowd.filter((one): one is T => !isSpilled(one)));
    const old = bySize(crowd.filter(isSpilled));
    const count = Math.min(openMax, crowd.length - openMax + 1);
    const isFresh = fresh.length >= Math.min(2, count);
    const some = new Set<T | Spilled>((isFresh ? fresh : old).slice(0, count));
    const stream = isFresh ? merged([...some] as T[]) : mergeBlocks([...some].map(lateOf), options);
    const blocks = scratch.use(await SpilledBlocks.write(stream, spill));
    given = given.filter((one) => !some.has(one));
    spilled = [...spilled.filter((one) => !some.has(one)), { ...spanOf([...some]), blocks }];
  }
  if (spilled.length === 0) yield* merged(given);
  else yield* mergeBlocks([...spilled.map(lateOf), merged(given)], options);
}

interface Spilled extends InputExtent {
  readonly blocks: SpilledBlocks;
}

const isSpilled = (one: InputExtent): one is Spilled => 'blocks' in one;

function lateOf(one: InputExtent): MergeInput {
  const { first, blocks } = one as Spilled;
  return first ? { from: first, blocks: blocks.read() } : blocks.read();
}

const bySize = <T extends InputExtent>(inputs: T[]): T[] =>
  inputs.sort((a, b) => a.bytes - b.bytes);

/** The inputs at a place where the most of them lie over one another. */
function deepest<T extends InputExtent>(inputs: readonly T[]): T[] {
  const firsts = inputs.map(firstOf).sort(compareBytes);
  const lasts = inputs.flatMap(({ last }) => last ?? []).sort(compareBytes);
  let place = emptyBytes;
  let [most, ended] = [0, 0];
  firsts.forEach((first, i) => {
    while (ended < lasts.length && compareBytes(lasts[ended] as Uint8Array, first) < 0) ended++;
    if (i + 1 - ended <= most) return;
    most = i + 1 - ended;
    place = first;
  });
  return inputs.filter((one) => {
    const isOver = one.last !== undefined && compareBytes(one.last, place) < 0;
    return !isOver && compareBytes(firstOf(one), place) <= 0;
  });
}

/** What is open from the start comes before all keys. */
function firstOf({ first }: InputExtent): Uint8Array {
  return first ?? emptyBytes;
}

function spanOf(inputs: readonly InputExtent[]): InputExtent {
  const first = inputs.map(firstOf).sort(compareBytes)[0] ?? emptyBytes;
  const lasts = inputs.flatMap(({ last }) => last ?? []).sort(compareBytes);
  const last = lasts.length === inputs.length ? lasts.at(-1) : undefined;
  const bytes = inputs.reduce((sum, one) => sum + one.bytes, 0);
  return { ...(first.length > 0 && { first }), ...(last && { last }), bytes };
}
