import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import type { PackId } from '../../model/id.ts';
import { Draft } from '../../repository/lineage/draft.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import { CondemnedPacksError } from '../../repository/lineage/pack-table.ts';
import { LineageState } from '../../repository/lineage/state.ts';
import { CommitGroup } from './commit-group.ts';

const calm = new AbortController().signal;

/** A lineage that notes what each entry sets; a piece of `refused` is refused. */
function world(most: number, refused = '') {
  const clock = new ManualClock();
  const entries: string[][] = [];
  const commit: Lineage['commit'] = async (build) => {
    const draft = new Draft(new LineageState(), entries.length);
    await build(draft);
    const keys = draft.changes.map(([key]) => key.replace('piece/', ''));
    if (keys.includes(refused)) throw new CondemnedPacksError(['p' as PackId]);
    return entries.push(keys);
  };
  const group = new CommitGroup({ commit }, clock, () => most);
  /** Ends when it is told to; then it is to be committed. */
  const piece = (name: string, signal = calm) => {
    const ended = Promise.withResolvers<string>();
    const note = (made: string, draft: Draft): void => draft.set(`piece/${made}`, 1);
    const done = group.run(() => ended.promise, note, signal);
    return { end: () => ended.resolve(name), fail: ended.reject, done };
  };
  return { clock, entries, piece };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('pieces that end within a second are one entry, and a piece alone waits for nobody', async () => {
  const { clock, entries, piece } = world(10);
  const [a, b, c] = [piece('a'), piece('b'), piece('c')];
  a.end();
  b.end();
  await turn();
  await clock.advance(999);
  assert.deepEqual(entries, []);
  await clock.advance(1);
  await Promise.all([a.done, b.done]);
  assert.deepEqual(entries, [['a', 'b']]);
  c.end();
  assert.equal(await c.done, 'c');
  assert.deepEqual(entries, [['a', 'b'], ['c']]);
});

test('as many as work at a time wait for no more, and one that failed is waited for no longer', async () => {
  const { entries, piece } = world(2);
  const pieces = ['a', 'b', 'c', 'd'].map((name) => piece(name));
  for (const { end } of pieces.slice(0, 3)) end();
  await Promise.all(pieces.slice(0, 2).map(({ done }) => done));
  assert.deepEqual(entries, [['a', 'b']]);
  pieces[3]?.fail(new Error('the source'));
  await assert.rejects(pieces[3]?.done as Promise<string>, { message: 'the source' });
  await pieces[2]?.done;
  assert.deepEqual(entries, [['a', 'b'], ['c']]);
});

test('what is finished is committed at once when the rest is told to stop', async () => {
  const { entries, piece } = world(10);
  const stop = new AbortController();
  const [a] = [piece('a', stop.signal), piece('b', stop.signal)];
  a.end();
  await turn();
  stop.abort();
  await a.done;
  assert.deepEqual(entries, [['a']]);
});

test('of a group that is refused for condemned packs only the piece is that relies on them', async () => {
  const { entries, piece } = world(3, 'b');
  const pieces = ['a', 'b', 'c'].map((name) => piece(name));
  for (const { end } of pieces) end();
  const outcomes = await Promise.allSettled(pieces.map(({ done }) => done));
  const told = outcomes.map(({ status }) => status);
  assert.deepEqual(told, ['fulfilled', 'rejected', 'fulfilled']);
  assert.deepEqual(entries, [['a'], ['c']]);
});
