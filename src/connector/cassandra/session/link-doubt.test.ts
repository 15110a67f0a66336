import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableSchema } from '../schema/table-schema.ts';
import { type CutState, firstState } from './cut-state.ts';
import { strangersAfter, tablesAnew } from './link-doubt.ts';
import { pastsAfter, type TableNow } from './table-past.ts';

const day = 86_400;
const tables = [
  { id: 'short', gcGraceSeconds: 0 },
  { id: 'long', gcGraceSeconds: 10 * day },
  { id: 'unknown', gcGraceSeconds: 0 },
] as TableSchema[];
const known = { files: [], intervals: [] };
const host = (atMs: number) => ({
  ...{ address: 'a', cut: 1, atMs, runId: '1', truncations: {} },
  tables: { short: known, long: { ...known } },
});
const made = { madeAt: 1, toldAt: 2, hasLinks: true };
const now = new Map(
  tables.map(({ id, gcGraceSeconds }): [string, TableNow] => [id, { ...made, gcGraceSeconds }]),
);
/** Of all tables, what one of them is told. */
const nowWith = (id: string, more: Partial<TableNow>): Map<string, TableNow> =>
  new Map([...now, [id, { ...(now.get(id) as TableNow), ...more }]]);
const state: CutState = {
  ...{ ...firstState, cut: 1, pasts: pastsAfter({}, now, 0) },
  hosts: { one: host(0), two: host(0) },
};

function anew(more: Partial<Parameters<typeof tablesAnew>[0]>, beginDays = 1) {
  const given = {
    ...{ tables, state, doubts: [], now, captured: ['one', 'two'] },
    ...{ members: new Set(['one', 'two']), beginMs: beginDays * day * 1000, haveLost: false },
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

test('where our clock was set back nobody can say how old a doubt is', () => {
  const doubts = [{ hostId: 'one', reason: 'links were off' }];
  const later = { ...state, hosts: { one: host(5 * day * 1000), two: host(0) } };
  assert.deepEqual(anew({ doubts, state: later }), ['short', 'long']);
  assert.deepEqual(anew({ state: later }), []);
});

test('a host that left, and a table without links, are doubts too', () => {
  assert.deepEqual(anew({ members: new Set(['one']) }, 10), ['short', 'long']);
  const unlinked = nowWith('long', { hasLinks: false });
  assert.deepEqual(anew({ now: unlinked }), []);
  assert.deepEqual(anew({ now: unlinked }, 10), ['long']);
  const before = { ...state, pasts: pastsAfter(state, unlinked, 0) };
  assert.deepEqual(anew({ state: before }), []);
  assert.deepEqual(anew({ state: before }, 10), ['long']);
});

const late = 20;
const cutAt = (days: number, strangers: CutState['strangers']): CutState => ({
  ...{ ...state, strangers },
  hosts: { one: host(days * day * 1000), two: host(days * day * 1000) },
});
const isNew = [{ hostId: 'three', reason: 'it was not captured before' }];

test('a host that cuts saw and did not capture is a doubt since before it came, when it is captured and when it leaves', () => {
  const seen = strangersAfter(cutAt(1, {}), ['three'], true);
  assert.deepEqual(seen, { three: day * 1000 });
  const now = cutAt(late, strangersAfter(cutAt(5, seen), ['three'], false));
  for (const more of [{ doubts: isNew, members: new Set(['one', 'two', 'three']) }, {}]) {
    assert.deepEqual(anew({ state: now, ...more }, late), ['short', 'long']);
  }
  assert.deepEqual(anew({ state: cutAt(late, {}), doubts: isNew }, late), ['short']);
});

test('a host that no cut ever captured is a doubt only if another one has lost what it owned', () => {
  const first = strangersAfter(firstState, ['three'], false);
  assert.deepEqual(first, { three: null });
  const rested = cutAt(late, strangersAfter(cutAt(5, first), ['three'], false));
  assert.deepEqual(anew({ state: rested, doubts: isNew }, late), []);
  assert.deepEqual(anew({ state: rested, doubts: isNew, haveLost: true }, late), ['short', 'long']);
  const moved = cutAt(late, strangersAfter(cutAt(5, first), ['three'], true));
  assert.deepEqual(anew({ state: moved, doubts: isNew }, late), ['short', 'long']);
});

test('what an older version remembered does not say since when a host took part', () => {
  const older = cutAt(late, undefined);
  assert.deepEqual(anew({ state: older, doubts: isNew }, late), ['short', 'long']);
  assert.deepEqual(strangersAfter(older, ['three'], false), { three: 0 });
});

test('where options were changed meanwhile, a doubt costs the table however long deletions stay now', () => {
  const doubts = [{ hostId: 'one', reason: 'links were off' }];
  const told = nowWith('long', { toldAt: 3 });
  assert.deepEqual(anew({ now: told }), []);
  assert.deepEqual(anew({ now: told, doubts }), ['short', 'long']);
  const unlinked = nowWith('long', { toldAt: 3, hasLinks: false });
  assert.deepEqual(anew({ now: unlinked }), ['long']);
  const { pasts: _, ...older } = state;
  assert.deepEqual(anew({ state: older, doubts }), ['short', 'long']);
});

test('a host that was away is asked by the options of all the time since its capture', () => {
  const doubts = [{ hostId: 'one', reason: 'the server was restarted' }];
  const away = (pasts: CutState['pasts']): CutState => ({
    ...{ ...state, pasts },
    hosts: { one: host(0), two: host(2 * day * 1000) },
  });
  const altered = nowWith('long', { toldAt: 3 });
  const told = away(pastsAfter(state, altered, day * 1000));
  assert.deepEqual(anew({ state: told, now: altered, doubts }, 3), ['short', 'long']);
  const other = [{ hostId: 'two', reason: 'the server was restarted' }];
  assert.deepEqual(anew({ state: told, now: altered, doubts: other }, 3), ['short']);
  const linkless = pastsAfter(state, nowWith('short', { hasLinks: false }), day * 1000);
  assert.deepEqual(anew({ state: away(linkless) }, 3), ['short']);
  assert.deepEqual(anew({ state: away(linkless), captured: ['two'] }, 3), []);
});

test('a table that was made again with its id begins anew', () => {
  assert.deepEqual(anew({ now: nowWith('long', { madeAt: 2 }) }), ['long']);
  assert.deepEqual(anew({ now: nowWith('unknown', { madeAt: 2 }) }), []);
});

test('a file that could not be read is a doubt since the table was last read as a whole', () => {
  const hurtSinceMs = day * 1000;
  const hurt = cutAt(late, {});
  Object.assign(hurt.hosts.one?.tables.long ?? {}, { hurtSinceMs });
  assert.deepEqual(anew({ state: hurt }, 10.9), []);
  assert.deepEqual(anew({ state: hurt }, late), ['long']);
});
