import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toBase64 } from '../../base/bytes.ts';
import { Draft } from '../../repository/lineage/draft.ts';
import { LineageState } from '../../repository/lineage/state.ts';
import { rememberCut, rememberedCut } from './cut-memory.ts';

function commit(state: LineageState, memory: Record<string, string>): string[] {
  const draft = new Draft(state, 1);
  rememberCut(draft, new Map(Object.entries(memory)));
  state.apply(draft.changes);
  return draft.changes.map(([key, value]) => `${key} ${value}`);
}

test('a commit holds what differs from the cut before, and what is gone', () => {
  const state = new LineageState();
  assert.equal(rememberedCut(state), undefined);
  commit(state, { head: '1', 'a/b/': 'x', 'a/c': 'y' });
  const changes = commit(state, { head: '2', 'a/b/': 'x', 'a/d': 'z' });
  assert.deepEqual(changes.sort(), ['cutstate/a/c null', 'cutstate/a/d z', 'cutstate/head 2']);
  const memory = new Map([
    ['a/b/', 'x'],
    ['a/d', 'z'],
    ['head', '2'],
  ]);
  assert.deepEqual(rememberedCut(state), memory);
});

test('what an earlier version wrote as one value is read, and goes with the next cut', () => {
  const state = new LineageState();
  state.apply([['cutstate/current', { state: toBase64(Buffer.from('{"cut":1}')) }]]);
  assert.deepEqual(rememberedCut(state), new Map([['current', '{"cut":1}']]));
  commit(state, { head: '2' });
  assert.deepEqual(rememberedCut(state), new Map([['head', '2']]));
});
