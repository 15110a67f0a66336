import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFiles, type FileChoice } from './choose-files.ts';
import type { FileProof, LogInterval } from './commit-log-intervals.ts';
import { identityOf, type ListedSstable } from './node-files.ts';

const file = (name: string, more: Partial<ListedSstable> = {}): ListedSstable => ({
  hostId: 'h',
  tableId: 't',
  keyspace: 'ks',
  table: 'tab',
  folder: '/f',
  name,
  version: 'nb',
  format: 'big',
  components: ['Data.db'],
  dataBytes: 10,
  digest: '1',
  modifiedMs: 1000,
  ...more,
});
const [a, b, c, d] = ['nb-1-big', 'nb-2-big', 'nb-3-big', 'nb-4-big'].map((name) => file(name)) as [
  ListedSstable,
  ListedSstable,
  ListedSstable,
  ListedSstable,
];
/** a, b and c were flushed one after the other. */
const spans: Record<string, LogInterval[]> = {
  'nb-1-big': [[1, 0, 1, 10]],
  'nb-2-big': [[1, 10, 2, 5]],
  'nb-3-big': [[2, 5, 2, 9]],
  'nb-4-big': [],
};
const proof = (
  intervals: readonly LogInterval[],
  { floorSeconds = 100, rows = 1 }: Partial<FileProof> = {},
): FileProof => ({ intervals, floorSeconds, rows });
const choose = (more: Partial<FileChoice>) =>
  chooseFiles({
    links: [],
    live: [],
    known: { files: [identityOf(a)], floors: [100], rows: [1], intervals: [[1, 0, 1, 10]] },
    subsumed: new Set(),
    early: new Set(),
    proven: true,
    rereads: false,
    truncation: undefined,
    proofOf: async ({ name }) => proof(spans[name] ?? []),
    ...more,
  });
const names = (files: readonly ListedSstable[]): string[] => files.map(({ name }) => name);

test('a first cut reads what is live, and of the links those made since its listing', async () => {
  const chosen = await choose({
    known: undefined,
    live: [a],
    links: [a, b, c],
    subsumed: new Set([identityOf(a), identityOf(b)]),
  });
  assert.deepEqual(names(chosen.read).sort(), ['nb-1-big', 'nb-3-big']);
});

test('a later cut reads new links, once each, and nothing that is known', async () => {
  const chosen = await choose({ links: [a, b], live: [a, b] });
  assert.deepEqual(names(chosen.read), ['nb-2-big']);
  assert.deepEqual(chosen.next.intervals, [[1, 0, 2, 5]]);
});

test('a file that compaction made of captured ones is left out, if that is proven', async () => {
  const joined = file('nb-9-big');
  const proofOf = async ({ name }: ListedSstable): Promise<FileProof> =>
    proof(name === 'nb-9-big' ? [[1, 0, 2, 5]] : (spans[name] ?? []));
  const proven = await choose({ links: [b], live: [joined], proofOf });
  assert.deepEqual([names(proven.read), proven.covered], [['nb-2-big'], 1]);
  const doubtful = await choose({ links: [b], live: [joined], proofOf, proven: false });
  assert.deepEqual([names(doubtful.read), doubtful.covered], [['nb-2-big', 'nb-9-big'], 0]);
});

test('what is live is read again where more of it counts, and a link that was captured is not', async () => {
  const joined = file('nb-9-big');
  const made = { links: [a, b], live: [joined], rereads: true };
  const proofOf = async ({ name }: ListedSstable): Promise<FileProof> =>
    proof(name === 'nb-9-big' ? [[1, 0, 2, 5]] : (spans[name] ?? []));
  const known = { files: [a, joined].map(identityOf), intervals: spans['nb-1-big'] ?? [] };
  const again = await choose({ ...made, known, proofOf });
  assert.deepEqual(names(again.read), ['nb-2-big', 'nb-9-big']);
  const compacted = await choose({ ...made, proofOf });
  assert.deepEqual([names(compacted.read), compacted.covered], [['nb-2-big', 'nb-9-big'], 0]);
  assert.deepEqual([again.isUnlinked, compacted.isUnlinked], [false, false]);
});

test('a file with a span that was never captured is read, and one without spans too', async () => {
  assert.deepEqual(names((await choose({ live: [a, c] })).read), ['nb-3-big']);
  assert.deepEqual(names((await choose({ live: [a, d] })).read), ['nb-4-big']);
  const unreadable = await choose({ live: [a, b], proofOf: async () => undefined });
  assert.deepEqual(names(unreadable.read), ['nb-2-big']);
});

test('a file with an empty span, as writes past the commit log leave, is read', async () => {
  const proofOf = async (): Promise<FileProof> => proof([[1, 10, 1, 10]]);
  assert.deepEqual(names((await choose({ live: [a, b], proofOf })).read), ['nb-2-big']);
});

test('the same name with another size or digest is another file', async () => {
  const reused = file('nb-1-big', { digest: '2' });
  assert.deepEqual((await choose({ live: [reused], proven: false })).read, [reused]);
  assert.deepEqual((await choose({ live: [file('nb-1-big')], proven: false })).read, []);
});

test('links that end at or before a truncate are dropped, live files never', async () => {
  const truncation = { segment: 2, position: 5, atMs: 1000 };
  const streamedLater = file('nb-5-big', { modifiedMs: 1001 });
  const chosen = await choose({
    known: undefined,
    proven: false,
    truncation,
    links: [a, b, c, d, streamedLater],
    live: [a],
  });
  assert.deepEqual(names(chosen.read).sort(), ['nb-1-big', 'nb-3-big', 'nb-5-big']);
});

test('the floor of deletions is the least of the live files, told again by what is known', async () => {
  const floors: Record<string, number> = { 'nb-1-big': 70, 'nb-2-big': 50, 'nb-3-big': 60 };
  const asked: string[] = [];
  const proofOf = async ({ name }: ListedSstable): Promise<FileProof> => {
    asked.push(name);
    return proof(spans[name] ?? [], { floorSeconds: floors[name] ?? 0 });
  };
  const first = await choose({ known: undefined, links: [b], live: [a, c], proofOf });
  assert.equal(first.next.floor, 60, 'a link of a file that is gone holds nothing back');
  assert.deepEqual(asked, ['nb-2-big', 'nb-1-big', 'nb-3-big']);
  const second = await choose({ known: first.next, live: [a, c], proofOf });
  assert.deepEqual([second.next.floor, asked.length], [60, 3]);
  const { floors: _, floor: __, rows: ___, ...older } = first.next;
  const third = await choose({ known: older, live: [a], proofOf });
  assert.deepEqual([third.next.floor, names(third.read)], [70, []]);
});

test('a live file that cannot tell leaves the table without a floor', async () => {
  const proofOf = async ({ name }: ListedSstable): Promise<FileProof | undefined> =>
    name === 'nb-1-big' ? undefined : proof([]);
  const older = { files: [identityOf(a)], intervals: [] };
  assert.equal((await choose({ known: older, live: [a, b], proofOf })).next.floor, undefined);
  assert.equal((await choose({ live: [], proofOf })).next.floor, Number.MAX_SAFE_INTEGER);
});

test('what compaction made has no more rows than what went into it, else something came without a link', async () => {
  const rows: Record<string, number> = { 'nb-1-big': 10, 'nb-2-big': 5, 'nb-9-big': 15 };
  const proofOf = async ({ name }: ListedSstable): Promise<FileProof> =>
    proof(name === 'nb-9-big' ? [[1, 0, 2, 5]] : (spans[name] ?? []), { rows: rows[name] ?? 1 });
  const first = await choose({ known: undefined, live: [a], proofOf });
  const made = { known: first.next, links: [b], live: [file('nb-9-big')], proofOf };
  const all = { ...made, early: new Set([identityOf(b)]) };
  const chosen = await choose(all);
  assert.deepEqual(
    [names(chosen.read), chosen.covered, chosen.isUnlinked],
    [['nb-2-big'], 1, false],
  );
  rows['nb-9-big'] = 16;
  const more = await choose(all);
  assert.deepEqual([names(more.read), more.covered], [['nb-2-big', 'nb-9-big'], 0]);
  assert.equal(more.isUnlinked, true);
  // Flushed since the snapshot: no part of what compaction made before.
  rows['nb-9-big'] = 15;
  const perhaps = await choose(made);
  assert.deepEqual([perhaps.covered, perhaps.isUnlinked], [0, false]);
});

test('rows of files that were compacted already count once, and where they cannot be told nothing follows', async () => {
  const rows: Record<string, number> = { 'nb-9-big': 2, 'nb-8-big': 2 };
  const proofOf = async ({ name }: ListedSstable): Promise<FileProof> =>
    proof(rows[name] ? [[1, 0, 2, 5]] : (spans[name] ?? []), { rows: rows[name] ?? 1 });
  const first = await choose({ known: undefined, live: [a], proofOf });
  const second = await choose({
    known: first.next,
    links: [b],
    live: [file('nb-9-big')],
    early: new Set([identityOf(b)]),
    proofOf,
  });
  assert.deepEqual(second.next.rows, [0, 2]);
  const third = { known: second.next, live: [file('nb-8-big')], proofOf };
  assert.equal((await choose(third)).covered, 1);
  rows['nb-8-big'] = 3;
  assert.equal((await choose(third)).covered, 0, 'the link is counted no second time');
  const { rows: _, ...older } = second.next;
  assert.equal((await choose({ ...third, known: older })).covered, 1);
});
