import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableSchema } from '../schema/table-schema.ts';
import { type CutState, firstState } from './cut-state.ts';
import { tablesAnew } from './link-doubt.ts';

const day = 86_400;
const tables = [
  { id: 'short', gcGraceSeconds: 0 },
  { id: 'long', gcGraceSeconds: 10 * day },
  { id: 'unknown', gcGraceSeconds: 0 },
] as TableSchema[];
const known = { files: [], intervals: [] };
const host = (atMs: number) => ({
  ...{ address: 'a', cut: 1, atMs, runId: '1', truncations: {} },
  tables: { short: known, long: known },
});
const state: CutState = { ...firstState, cut: 1, hosts: { one: host(0), two: host(0) } };

function anew(more: Partial<Parameters<typeof tablesAnew>[0]>, beginDays = 1) {
  const given = {
    ...{ tables, state, doubts: [], withoutLinks: new Set<string>(), captured: ['one', 'two'] },
    ...{ members: new Set(['one', 'two']), beginMs: beginDays * day * 1000 },
  };
  return [...tablesAnew({ ...given, ...more }).keys()];
}

test('without a doubt no table begins anew, however long ago the cut before was', () => {
  assert.deepEqual(anew({}, 100), []);
});

test('a doubt costs the tables of which deletions may have been purged since', () => {
  const doubts = [{ hostId: 'one', reason: 'links were off' }];
  assert.deepEqual(anew({ doubts }), ['short']);
  assert.deepEqual(anew({ doubts }, 10), ['short', 'long']);
});

test('a host that left, and a table without links, are doubts too', () => {
  assert.deepEqual(anew({ members: new Set(['one']) }, 10), ['short', 'long']);
  assert.deepEqual(anew({ withoutLinks: new Set(['long']) }), []);
  assert.deepEqual(anew({ withoutLinks: new Set(['long']) }, 10), ['long']);
});
