// Merges sorted streams of changes into one: a loser tree over the heads of the streams, with one batch of
// each in memory. Second copies of a change (equal in every part of the order) are dropped. Restores merge
// the open runs of one range with it, the follower merges a tier.
import { compareBytes } from '../../base/bytes.ts';
import { type Change, type ChangeStream, compareOrder } from '../../model/change.ts';

const batchCountMax = 1024;

/** Sorted, without copies. Every input ascends by compareChanges; all are closed when the merge ends early. */
export async function* mergeRuns(
  inputs: readonly ChangeStream[],
): AsyncGenerator<readonly Change[], void, void> {
  const cursors = inputs.map((input) => new Cursor(input));
  try {
    for (const cursor of cursors) await cursor.refill();
    const tree = new LoserTree(cursors);
    let batch: Change[] = [];
    let last: Change | undefined;
    for (;;) {
      const cursor = tree.winner;
      const change = cursor?.change;
      if (cursor === undefined || change === undefined) break;
      if (last === undefined || compareHeads(last, change) !== 0) {
        batch.push(change);
        last = change;
      }
      if (!cursor.next()) await cursor.refill();
      tree.replay();
      if (batch.length >= batchCountMax) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  } finally {
    await Promise.all(cursors.map((cursor) => cursor.close()));
  }
}

/** One input: its current batch and the place in it. */
class Cursor {
  /** The head; undefined when the input has ended. */
  change: Change | undefined;
  readonly #batches: AsyncIterator<readonly Change[]>;
  #batch: readonly Change[] = [];
  #at = 0;
  #ended = false;

  constructor(input: ChangeStream) {
    this.#batches = input[Symbol.asyncIterator]();
  }

  /** Steps within the batch; false when the batch is used up and `refill` must be awaited. */
  next(): boolean {
    this.change = this.#batch[++this.#at];
    return this.change !== undefined;
  }

  async refill(): Promise<void> {
    this.#at = 0;
    this.#batch = [];
    while (this.#batch.length === 0) {
      const step = await this.#batches.next();
      if (step.done) {
        this.#ended = true;
        break;
      }
      this.#batch = step.value;
    }
    this.change = this.#batch[0];
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#batches.return?.();
  }
}

/**
 * A tournament in an array: leaf i is input i, each inner node keeps the loser of its match, node 0 the
 * winner. After the winner has moved on, one path of log2(n) matches is played again.
 */
class LoserTree {
  readonly #cursors: readonly Cursor[];
  /** Losers by node 1…n−1, the overall winner at 0; −1 while building. */
  readonly #nodes: Int32Array;

  constructor(cursors: readonly Cursor[]) {
    this.#cursors = cursors;
    this.#nodes = new Int32Array(Math.max(1, cursors.length)).fill(-1);
    for (let i = cursors.length - 1; i >= 0; i--) this.#play(i);
  }

  get winner(): Cursor | undefined {
    return this.#cursors[this.#nodes[0] as number];
  }

  /** Call after the winner's head has changed. */
  replay(): void {
    this.#play(this.#nodes[0] as number);
  }

  #play(from: number): void {
    const nodes = this.#nodes;
    let winner = from;
    for (let node = (from + nodes.length) >> 1; node > 0; node >>= 1) {
      const loser = nodes[node] as number;
      if (loser < 0) {
        nodes[node] = winner; // the first to come waits for its rival
        return;
      }
      if (this.#before(loser, winner)) {
        nodes[node] = winner;
        winner = loser;
      }
    }
    nodes[0] = winner;
  }

  #before(a: number, b: number): boolean {
    const x = (this.#cursors[a] as Cursor).change;
    const y = (this.#cursors[b] as Cursor).change;
    if (x === undefined) return false;
    return y === undefined || compareHeads(x, y) < 0;
  }
}

/** Keys of up to this length are compared in place: a call into the runtime costs more. */
const shortKeyBytes = 40;

/** The order of compareChanges, without the call for short keys and without bigints while keys differ. */
function compareHeads(a: Change, b: Change): number {
  if (a.dataset !== b.dataset) return a.dataset < b.dataset ? -1 : 1;
  const x = a.key;
  const y = b.key;
  const end = Math.min(x.length, y.length);
  if (end > shortKeyBytes) return compareBytes(x, y) || compareOrder(a, b);
  for (let i = 0; i < end; i++) {
    const difference = (x[i] as number) - (y[i] as number);
    if (difference !== 0) return difference;
  }
  return x.length - y.length || compareOrder(a, b);
}
