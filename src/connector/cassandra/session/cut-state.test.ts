import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { type CutState, firstState, parseCutState, truncatedTables } from './cut-state.ts';
import { decodeTruncation } from './truncation.ts';

const at = (segment: number, atMs: number) => ({ segment, position: 1, atMs });
const host = (cut: number, truncations: CutState['hosts'][string]['truncations'] = {}) => ({
  ...{ address: 'x', runId: '1', tables: {} },
  ...{ cut, truncations },
});
const before: CutState = {
  ...firstState,
  cut: 7,
  hosts: { a: host(7, { t: at(1, 1000) }), away: host(5) },
  epochs: { t: 1000 },
};
const found = (marks: Record<string, Record<string, ReturnType<typeof at>>>, state = before) =>
  Object.fromEntries(
    truncatedTables(
      state,
      new Map(Object.entries(marks).map(([id, own]) => [id, new Map(Object.entries(own))])),
    ),
  );

test('a new record on a host of the last cut is a truncate, the known one is not', () => {
  assert.deepEqual(found({ a: { t: at(1, 1000) } }), {});
  assert.deepEqual(found({ a: { t: at(2, 1200) } }), { t: 1200 });
  assert.deepEqual(found({ a: { u: at(1, 5) } }), { u: 5 });
});

test('a host that was away tells of a truncate again only when it is another one', () => {
  assert.deepEqual(found({ away: { t: at(9, 1500) } }), {});
  assert.deepEqual(found({ away: { t: at(9, 90_000) } }), { t: 90_000 });
});

test('truncates before the first cut of a host say nothing', () => {
  assert.deepEqual(found({ fresh: { t: at(9, 90_000) } }), {});
  assert.deepEqual(found({ a: { t: at(9, 1) } }, firstState), {});
});

test('a state is read back as it was written, and another shape is refused', () => {
  assert.deepEqual(parseCutState(JSON.parse(JSON.stringify(before))), before);
  assert.deepEqual(parseCutState(undefined), firstState);
  assert.throws(
    () => parseCutState({ version: 2 }),
    (error) => isCodrError(error, 'format-unknown'),
  );
});

test('a truncation record is a segment, a position and a time', () => {
  // As 5.0.9 wrote it.
  const blob = Buffer.from('000001a21ab79e1e0000001c000001a21abe504c', 'hex');
  const read = { segment: 1_795_744_570_910, position: 28, atMs: 1_795_745_009_740 };
  assert.deepEqual(decodeTruncation(blob), read);
  assert.throws(() => decodeTruncation(blob.subarray(1)), /19 bytes/);
});
