import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Binary, BSON, type Document } from 'mongodb';
import { applyDiff, type Fit } from './diff-applier.ts';
import { applyModifiers } from './modifier-applier.ts';

function diffed(before: Document, diff: Document, fit: Fit = 'strict'): Document {
  const after = applyDiff(BSON.serialize(before), BSON.serialize(diff), fit);
  return BSON.deserialize(after, { promoteBuffers: true });
}

test('updated fields keep their places, inserted ones move to the end in the order given', () => {
  const after = diffed({ a: 1, b: 2, c: 3 }, { d: { a: false }, u: { c: 4 }, i: { b: 5, z: 6 } });
  assert.deepEqual(Object.entries(after), [
    ['c', 4],
    ['b', 5],
    ['z', 6],
  ]);
});

test('arrays are cut, padded with null and changed inside', () => {
  assert.deepEqual(diffed({ x: [1, 2, 3] }, { sx: { a: true, l: 2, u0: 9 } }), { x: [9, 2] });
  assert.deepEqual(diffed({ x: [1] }, { sx: { a: true, u3: 4 } }), { x: [1, null, null, 4] });
  assert.deepEqual(diffed({ x: [{ y: 1 }] }, { sx: { a: true, s0: { u: { y: 2 } } } }), {
    x: [{ y: 2 }],
  });
});

test('a binary difference keeps the bytes before its offset and ends with its own', () => {
  const x = new Binary(Buffer.from('abcdef'), 7);
  const after = applyDiff(
    BSON.serialize({ x }),
    BSON.serialize({ b: { x: { o: 2, d: new Binary(Buffer.from('XY'), 7) } } }),
    'strict',
  );
  assert.deepEqual(
    Buffer.from(after),
    Buffer.from(BSON.serialize({ x: new Binary(Buffer.from('abXY'), 7) })),
  );
});

test('where types do not match, a lenient fit gives null and a strict one an error', () => {
  const diff = { sx: { u: { y: 1 } } };
  assert.deepEqual(diffed({ x: 5 }, diff, 'lenient'), { x: null });
  assert.throws(() => diffed({ x: 5 }, diff), /expects a document in the field "x"/);
});

test('an unknown section and a field named twice are refused', () => {
  assert.throws(() => diffed({}, { q: { a: 1 } }), /unknown section "q"/);
  assert.throws(() => diffed({}, { u: { a: 1 }, i: { a: 1 } }), /same field twice/);
});

test('updates of the old form set and remove by dotted paths', () => {
  const update = { $v: 1, $set: { 'a.b': 2, 'n.m': 3, 'l.2': 'x' }, $unset: { c: true } };
  const before = BSON.serialize({ a: { b: 1 }, c: 1, l: [0] });
  const after = BSON.deserialize(applyModifiers(before, BSON.serialize(update), 'strict'));
  assert.deepEqual(after, { a: { b: 2 }, l: [0, null, 'x'], n: { m: 3 } });
  const through = BSON.serialize({ $set: { 'c.d': 1 } });
  assert.throws(() => applyModifiers(before, through, 'strict'), /holds no document/);
  assert.deepEqual(Buffer.from(applyModifiers(before, through, 'lenient')), Buffer.from(before));
});
