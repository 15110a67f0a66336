import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFiles, type FileChoice } from './choose-files.ts';
import type { LogInterval } from './commit-log-intervals.ts';
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
const choose = (more: Partial<FileChoice>) =>
  chooseFiles({
    links: [],
    live: [],
    known: { files: [identityOf(a)], intervals: [[1, 0, 1, 10]] },
    subsumed: new Set(),
    proven: true,
    truncation: undefined,
    intervalsOf: async ({ name }) => spans[name],
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
  const intervalsOf = async ({ name }: ListedSstable): Promise<LogInterval[]> =>
    name === 'nb-9-big' ? [[1, 0, 2, 5]] : (spans[name] ?? []);
  const proven = await choose({ links: [b], live: [joined], intervalsOf });
  assert.deepEqual([names(proven.read), proven.covered], [['nb-2-big'], 1]);
  const doubtful = await choose({ links: [b], live: [joined], intervalsOf, proven: false });
  assert.deepEqual([names(doubtful.read), doubtful.covered], [['nb-2-big', 'nb-9-big'], 0]);
});

test('a file with a span that was never captured is read, and one without spans too', async () => {
  assert.deepEqual(names((await choose({ live: [a, c] })).read), ['nb-3-big']);
  assert.deepEqual(names((await choose({ live: [a, d] })).read), ['nb-4-big']);
  const unreadable = await choose({ live: [a, b], intervalsOf: async () => undefined });
  assert.deepEqual(names(unreadable.read), ['nb-2-big']);
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
