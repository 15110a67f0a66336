import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Point, Points, Span } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

function cut(n: number, grade: Point['grade'] = 'complete'): Point & { grade: string } {
  const wall = `2026-11-22T12:${String(n).padStart(2, '0')}:00.000Z`;
  const id = `cut:${n}`;
  return { id, time: id, wall, datasets: 3, records: 1000 + n, bytes: 2048, grade } as Point & {
    grade: string;
  };
}

function cutsOf(points: readonly Point[], lost: readonly string[] = []): Points {
  const intervals = points
    .filter(({ id }) => !lost.includes(id))
    .map(({ time, wall }): Span => ({ from: { time, wall }, to: { time, wall } }));
  return { source: 'ring', intervals, holes: [], points, lagSeconds: 60 };
}

async function shown(points: Points, argv: readonly string[] = []): Promise<string> {
  return (await runFake(['points', 'ring', ...argv], { api: { points: async () => points } }))
    .stdout;
}

test('cuts are shown as a table and one line from the first to the last, without a timeline', async () => {
  const text = await shown(cutsOf([cut(1), cut(2, 'quorum-safe'), cut(3)]));
  assert.doesNotMatch(text, /━|●/);
  assert.equal(text.match(/restorable/g)?.length, 1);
  assert.match(text, /restorable +2026-11-22T12:01:00\.000Z to 2026-11-22T12:03:00\.000Z, 3 cuts/);
  assert.match(text, /CUT +WALL CLOCK +GRADE +DATASETS +RECORDS +BYTES/);
  assert.match(text, /cut:2 +2026-11-22T12:02:00\.000Z +quorum-safe +3 +1,002 +2\.00 KiB/);
});

test('a cut that something is lost of is said to lie in a hole', async () => {
  const text = await shown(cutsOf([cut(1), cut(2), cut(3)], ['cut:2']));
  assert.match(text, /, 2 cuts/);
  assert.match(text, /cut:2 +\S+ +in a hole/);
  assert.match(text, /cut:3 +\S+ +complete/);
});

test('a source that is new is told from one that has lost something of every moment', async () => {
  assert.match(
    await shown(cutsOf([])),
    /^nothing of ring can be restored yet: run codr backup ring/,
  );
  const lost = await shown(cutsOf([cut(1)], ['cut:1']));
  assert.match(lost, /^no moment of ring can be restored as a whole, since some of it is lost/);
});

test('of many cuts the newest are listed, and --json has all', async () => {
  const points = cutsOf(Array.from({ length: 50 }, (_, i) => cut(i + 1)));
  const text = await shown(points);
  assert.match(text, /the newest 20 of 50 cuts:/);
  assert.doesNotMatch(text, /cut:30 /);
  const json = JSON.parse(await shown(points, ['--json'])) as Points;
  assert.deepEqual([json.intervals.length, json.points.length], [50, 50]);
  assert.equal(json.points[0]?.grade, 'complete');
});

test('a point of a log that no interval holds is said to lie in a hole', async () => {
  const at = (minute: number) => ({
    time: `${minute}:1`,
    wall: `2026-11-22T12:0${minute}:00.000Z`,
  });
  const points = [1, 3].map((n) => ({
    ...{ id: `p${n}`, ...at(n), datasets: 1, records: 2, bytes: 3 },
  }));
  const intervals = [{ from: at(2), to: at(3) }];
  const text = await shown({ source: 'shop', intervals, holes: [], points });
  assert.match(text, /\np1 .* {2}in a hole\n/);
  assert.match(text, /\np3 .* 3 B\n/);
});
