import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { SeededRandom } from '../../../base/random.ts';
import { memoryOf, stateOfMemory } from './cut-memory.ts';
import { type CutState, firstState, type KnownTable } from './cut-state.ts';

const random = new SeededRandom(3);
const number = (): number => Buffer.from(random.bytes(4)).readUInt32BE();

function tableOf(count: number): KnownTable {
  const all = Array.from({ length: count }, (_, i) => `nb-${i + 1}-big:${number()}:${number()}`);
  const files = all.sort();
  const floors = files.map((_, i) => (i % 7 === 0 ? null : number()));
  const rows = files.map((_, i) => (i % 5 === 0 ? null : number() % 1_000));
  return { files, floors, rows, intervals: [[1, 2, 3, number()]], floor: 5, durableAt: 17 };
}

function stateOf(count: number): CutState {
  const host = (address: string) => ({
    ...{ address, cut: 7, atMs: 1, runId: '5', streamedBytes: 9 },
    truncations: { t: { segment: 1, position: 2, atMs: 3 } },
    owned: [{ keyspaces: ['ks', 'other'], ranges: [['-5', '5'] as [string, string]] }],
    tables: { t: tableOf(count), empty: { files: [], floors: [], rows: [], intervals: [] } },
  });
  return {
    ...{ version: 1, cut: 7, ringDigest: 'r', schemaDigest: 's' },
    hosts: { a: host('10.0.0.1'), b: host('10.0.0.2'), c: host('10.0.0.3') },
    strangers: { d: 5, e: null },
    epochs: { t: 4 },
    pasts: { t: { madeAt: 1, toldAt: 2, sinceMs: 3, linklessMs: 4 } },
    horizon: { beginMs: 8, ranges: { ks: [['-5', '5']] }, floors: { t: 6 } },
  };
}

const bytesOf = (parts: Iterable<readonly [string, string]>): number =>
  [...parts].reduce((sum, [name, text]) => sum + name.length + text.length, 0);

/** What a commit would hold. */
function differing(before: CutState, after: CutState): [string, string][] {
  const known = memoryOf(before);
  const now = memoryOf(after);
  const gone = [...known.keys()]
    .filter((name) => !now.has(name))
    .map((name) => [name, ''] as [string, string]);
  return [...[...now].filter(([name, text]) => known.get(name) !== text), ...gone];
}

test('a state is read back as it was, whatever the order of its parts', () => {
  for (const count of [0, 1, 7, 300]) {
    const state = stateOf(count);
    const memory = memoryOf(state);
    assert.deepEqual(stateOfMemory(memory), state);
    assert.deepEqual(stateOfMemory(new Map([...memory].reverse())), state);
  }
  assert.deepEqual(stateOfMemory(undefined), firstState);
});

test('a state that an earlier version wrote as one text is read, and replaced by parts', () => {
  const state = stateOf(3);
  const earlier = new Map([['current', JSON.stringify(state)]]);
  assert.deepEqual(stateOfMemory(earlier), state);
  assert.equal(memoryOf(state).has('current'), false);
});

test('a file that comes and one that goes change some parts of a few files, however many there are', () => {
  const before = stateOf(2_000);
  const after = structuredClone(before);
  for (const { tables } of Object.values(after.hosts)) {
    const table = tables.t as KnownTable;
    table.files.splice(100, 1);
    table.floors?.splice(100, 1);
    table.rows?.splice(100, 1);
    table.files.push('nb-99999-big:1:2');
    table.floors?.push(3);
    table.rows?.push(4);
  }
  const parts = differing(before, after);
  assert.ok(bytesOf(parts) < 8_000, `${bytesOf(parts)} bytes`);
  assert.ok(bytesOf(memoryOf(after)) > 250_000);
});

test('parts of another version, or that are lost, are refused', () => {
  const memory = memoryOf(stateOf(20));
  const refused = (change: (parts: Map<string, string>) => void): void => {
    const parts = new Map(memory);
    change(parts);
    assert.throws(
      () => stateOfMemory(parts),
      (error) => isCodrError(error, 'format-unknown'),
    );
  };
  refused((parts) => parts.set('head', '{"version":3}'));
  refused((parts) => parts.delete('head'));
  refused((parts) => parts.delete('table/a/t'));
  refused((parts) => parts.set('host/a', '{'));
});
