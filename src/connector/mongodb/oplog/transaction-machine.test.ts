import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch, EntryMeaning } from './entry-decoder.ts';
import {
  nothingOpen,
  type OpenBatches,
  resumePosition,
  settledTime,
  stepTransactions,
} from './transaction-machine.ts';

const at = (time: number): { time: bigint; term: bigint } => ({ time: BigInt(time), term: 1n });

function batch(options: Partial<Batch> & { after?: number }): Batch {
  const { after, ...rest } = options;
  const previous = after === undefined ? undefined : at(after);
  return {
    kind: 'batch',
    transaction: undefined,
    partial: false,
    prepared: false,
    previous,
    operations: [],
    ...rest,
  };
}

function run(entries: readonly [number, EntryMeaning][]): { open: OpenBatches; kinds: string[] } {
  let open = nothingOpen;
  const kinds: string[] = [];
  for (const [time, meaning] of entries) {
    const step = stepTransactions(open, { position: at(time), meaning });
    open = step.open;
    kinds.push(step.actions.map(({ kind }) => kind).join('+'));
  }
  return { open, kinds };
}

test('a split batch outside of transactions is one chain by its links', () => {
  const { kinds, open } = run([
    [1, batch({ partial: true })],
    [2, batch({})],
    [3, batch({ partial: true, after: 1 })],
    [4, batch({ after: 3 })],
  ]);
  assert.deepEqual(kinds, ['keep', 'apply', 'keep', 'release']);
  assert.equal(open.size, 0);
});

test('a chain with a missing link is torn, not joined', () => {
  const transaction = 'aa:1';
  assert.deepEqual(run([[5, batch({ transaction, after: 3 })]]).kinds, ['torn']);
  const gap = run([
    [1, batch({ transaction, partial: true })],
    [5, batch({ transaction, after: 3 })],
  ]);
  assert.deepEqual(gap.kinds, ['keep', 'discard+torn']);
});

test("a session's next transaction ends an unfinished one, but never a prepared one", () => {
  const next: [number, EntryMeaning] = [3, batch({ transaction: 'aa:2' })];
  const left = run([[1, batch({ transaction: 'aa:1', partial: true })], next]);
  assert.deepEqual([left.kinds, left.open.size], [['keep', 'discard+apply'], 0]);
  const prepared = run([[1, batch({ transaction: 'aa:1', prepared: true })], next]);
  assert.deepEqual([prepared.kinds, prepared.open.size], [['keep', 'apply'], 1]);
});

test('resume is the first entry of the oldest open batch; only a prepare holds back what is settled', () => {
  const partial = run([[4, batch({ transaction: 'aa:1', partial: true })]]).open;
  assert.deepEqual(resumePosition(partial, at(9)), at(4));
  assert.equal(settledTime(partial, at(9)), 9n);
  const prepared = run([
    [4, batch({ transaction: 'aa:1', partial: true })],
    [6, batch({ transaction: 'aa:1', prepared: true, after: 4 })],
  ]).open;
  assert.deepEqual(resumePosition(prepared, at(9)), at(4));
  assert.equal(settledTime(prepared, at(9)), 5n);
});

test('a commit without its prepare is torn, an abort without one is nothing', () => {
  const commit: EntryMeaning = { kind: 'commit', transaction: 'aa:1', time: 1n };
  assert.deepEqual(run([[2, commit]]).kinds, ['torn']);
  assert.deepEqual(run([[2, { kind: 'abort', transaction: 'aa:1' }]]).kinds, ['nothing']);
});
