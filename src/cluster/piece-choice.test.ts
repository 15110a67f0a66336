import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { silentLogger } from '../base/log.ts';
import { SeededRandom } from '../base/random.ts';
import { choosePiece, type PieceFacts, type PlaceFacts } from './piece-choice.ts';
import { WorkPool, type Workplace } from './work-pool.ts';

const piece = (bytes: number, near: Record<string, number> = {}): PieceFacts => ({
  bytes,
  near: new Map(Object.entries(near)),
});
const open = (name: string, free = 1, slots = 1): PlaceFacts => ({ name, free, slots });

test('a place gets the piece of which it has most, and one that is far only when it is let', () => {
  const pieces = [piece(9, { b: 9 }), piece(9, { a: 3, b: 3 }), piece(9, { a: 6 })];
  const places = [open('a'), open('b', 0)];
  assert.deepEqual(choosePiece(pieces, places, false), { piece: 2, place: 0 });
  assert.deepEqual(choosePiece(pieces.slice(0, 2), places, false), { piece: 1, place: 0 });
  assert.equal(choosePiece(pieces.slice(0, 1), places, false), undefined);
  assert.deepEqual(choosePiece(pieces.slice(0, 1), places, true), { piece: 0, place: 0 });
});

test('of places that are equally near the one with most room gets it, and of equals the first', () => {
  const pieces = [piece(9, { a: 3, b: 3, c: 3 })];
  const places = [open('a', 1, 4), open('b', 2, 4), open('c', 2, 4), open('d', 4, 4)];
  assert.deepEqual(choosePiece(pieces, places, true), { piece: 0, place: 1 });
  const nowhere = [piece(9), piece(9, { gone: 9 })];
  assert.deepEqual(choosePiece(nowhere, places, false), { piece: 0, place: 3 });
  assert.deepEqual(choosePiece(nowhere.slice(1), places, false), { piece: 0, place: 3 });
});

test('what is taken from others costs least, comes from who has most to do, and is large', () => {
  const places = [open('a', 0), open('b', 0), open('c', 0), open('d')];
  const behind = [piece(5, { a: 5 }), piece(5, { b: 5 }), piece(6, { b: 6 })];
  assert.deepEqual(choosePiece(behind, places, true), { piece: 2, place: 3 });
  const near = [...behind, piece(5, { c: 3, d: 2 })];
  assert.deepEqual(choosePiece(near, places, true), { piece: 3, place: 3 });
});

test('a place that has enough to do takes what is nearest to it, and nothing else', () => {
  const places = [{ ...open('a', 2, 2), isHeld: true }, open('b', 0), open('c', 1, 2)];
  const pieces = [piece(9), piece(9, { b: 9 }), piece(9, { a: 9 })];
  assert.deepEqual(choosePiece(pieces, places, true), { piece: 2, place: 0 });
  assert.deepEqual(choosePiece(pieces.slice(0, 2), places, true), { piece: 0, place: 2 });
  assert.deepEqual(choosePiece(pieces.slice(1, 2), places, true), { piece: 0, place: 2 });
  assert.equal(choosePiece(pieces.slice(0, 2), places.slice(0, 2), true), undefined);
});

test('what is near to nobody waits no longer than what came later', () => {
  const pieces = [piece(9), piece(9, { a: 9 })];
  assert.deepEqual(choosePiece(pieces, [open('a')], false), { piece: 0, place: 0 });
});

test('what others have gone before for too long comes first where it is at home, and nowhere else', () => {
  const waits = { ...piece(9, { a: 3 }), isOverdue: true };
  const pieces = [waits, piece(9, { a: 9 }), piece(9, { b: 1 })];
  assert.deepEqual(choosePiece(pieces, [open('a')], false), { piece: 0, place: 0 });
  assert.deepEqual(choosePiece(pieces, [open('a', 0), open('b')], true), { piece: 2, place: 1 });
});

test('a piece comes to its turn though nearer ones of another operation come all the time', async () => {
  const pool = new WorkPool({
    ...{ self: 'a', slots: 1, places: () => [], log: silentLogger },
    clock: { monotonic: () => 0, sleep: async () => {} },
  });
  const done: string[] = [];
  const run = async (name: string, bytes: number): Promise<void> => {
    const facts = piece(9, { a: bytes });
    const here = async (): Promise<void> => {
      done.push(name);
      await new Promise((turn) => setImmediate(turn));
    };
    const order = () => ({ kind: 'test', input: name });
    const work = { facts, order, here, decode: () => {}, progress: () => {} };
    await pool.run(work, new AbortController().signal);
  };
  const nearer = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) await run('near', 9);
  };
  await Promise.all([nearer(), nearer(), run('less near', 3)]);
  const turn = done.indexOf('less near');
  assert.ok(turn >= 10 && turn <= 20, `${turn} went before`);
});

interface Ring {
  readonly names: readonly string[];
  readonly slots: number;
  readonly pieces: readonly PieceFacts[];
}

interface Seen {
  /** By piece. */
  readonly places: string[];
  /** Moments at which somebody had room though something waited. */
  idle: number;
  /** Bytes that their place did not have. */
  far: number;
}

/** Runs all pieces on a pool; the first place is the pool's own process. Each takes its bytes as its time. */
async function runAll({ names, slots, pieces }: Ring, knowsWhere: boolean): Promise<Seen> {
  const [self = '', ...others] = names;
  const seen: Seen = { places: [], idle: 0, far: 0 };
  const running: { readonly name: string; readonly until: number; end(): void }[] = [];
  let now = 0;
  const runOn = (name: string, i: number): Promise<void> => {
    assert.equal(seen.places[i], undefined, 'no piece runs twice');
    seen.places[i] = name;
    const { bytes, near } = pieces[i] as PieceFacts;
    seen.far += bytes - (near.get(name) ?? 0);
    return new Promise((end) => running.push({ name, until: now + bytes, end }));
  };
  const places = others.map((name): Workplace => {
    return { name, slots, run: ({ input }) => runOn(name, Number(input)) };
  });
  const pool = new WorkPool({
    ...{ self, slots, places: () => places, log: silentLogger },
    clock: { monotonic: () => now, sleep: async () => {} },
  });
  const all = pieces.map((facts, i) =>
    pool.run(
      {
        ...(knowsWhere && { facts }),
        order: () => ({ kind: 'test', input: i }),
        here: () => runOn(self, i),
        decode: () => {},
        progress: () => {},
      },
      new AbortController().signal,
    ),
  );
  for (;;) {
    await new Promise((turn) => setImmediate(turn));
    const begun = seen.places.filter(Boolean).length;
    if (begun < pieces.length && running.length < names.length * slots) seen.idle++;
    running.sort((a, b) => a.until - b.until);
    const next = running.shift();
    if (!next) break;
    now = next.until;
    next.end();
  }
  await Promise.all(all);
  return seen;
}

const places = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`);

test('no place is idle while a piece waits, and every piece is done once', async () => {
  const near = (count: number) =>
    fc.dictionary(fc.constantFrom(...places(count), 'gone'), fc.nat(100), { maxKeys: 4 });
  const rings = fc.integer({ min: 1, max: 6 }).chain((count) =>
    fc.record({
      names: fc.constant(places(count)),
      slots: fc.integer({ min: 1, max: 3 }),
      pieces: fc.array(fc.tuple(fc.integer({ min: 1, max: 120 }), near(count)), { maxLength: 40 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(rings, async ({ pieces, ...ring }) => {
      const facts = pieces.map(([bytes, where]) => piece(bytes, where));
      const { idle, places } = await runAll({ ...ring, pieces: facts }, true);
      assert.equal(idle, 0);
      assert.equal(places.filter(Boolean).length, pieces.length);
    }),
    { numRuns: 60 },
  );
});

/** Each piece has copies of about its size with some places, merged: of each it holds an equal part. */
function ringOf(count: number, copies: number, seed: number): Ring {
  const random = new SeededRandom(seed);
  const names = places(count);
  const pieces = Array.from({ length: count * 24 }, () => {
    const left = [...names];
    const holders = Array.from(
      { length: copies },
      () => left.splice(random.below(left.length), 1)[0],
    );
    const near = Object.fromEntries(holders.map((name) => [name as string, 90 + random.below(20)]));
    return piece(
      Object.values(near).reduce((sum, bytes) => sum + bytes, 0),
      near,
    );
  });
  return { names, slots: 1, pieces };
}

for (const [count, copies] of [
  [4, 1],
  [6, 3],
  [12, 3],
  [24, 3],
] as const) {
  test(`of ${copies} copies on ${count} places one is read where it lies, nine times of ten`, async () => {
    const ring = ringOf(count, copies, count);
    const bytes = ring.pieces.reduce((sum, one) => sum + one.bytes, 0);
    const near = 1 - (await runAll(ring, true)).far / bytes;
    const blind = 1 - (await runAll(ring, false)).far / bytes;
    assert.ok(Math.abs(blind - 1 / count) < 0.06, `${blind} without knowing where it lies`);
    assert.ok(near > 0.9 / copies, `${near} of ${1 / copies}`);
  });
}
