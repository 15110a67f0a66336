import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { SeededRandom } from '../../../base/random.ts';
import { appendRandom } from '../key/random-values.ts';
import { BsonWriter } from './bson-writer.ts';
import { withIdFirst } from './id-first.ts';
import { type BsonElement, bsonTypes, elementsOf, nameOf, valueBytes } from './raw-bson.ts';

function randomDocument(random: SeededRandom): Buffer {
  const out = new BsonWriter();
  for (let i = 0; i < 8; i++) appendRandom(out, `f${i}`, random);
  return out.finish();
}

function walk(document: Uint8Array, visit: (element: BsonElement) => void = () => {}): void {
  for (const element of elementsOf(document)) {
    visit(element);
    const { type } = element;
    if (type === bsonTypes.document || type === bsonTypes.array) walk(valueBytes(element), visit);
  }
}

test('a document put together from its own elements is the same document', () => {
  const random = new SeededRandom(1);
  for (let i = 0; i < 300; i++) {
    const document = randomDocument(random);
    const out = new BsonWriter(1);
    for (const element of elementsOf(document)) out.renamed(nameOf(element), element);
    assert.deepEqual(out.finish(), document);
  }
});

test('damaged bytes give an error of ours or elements inside the document, never more', () => {
  const random = new SeededRandom(2);
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const document = Buffer.from(randomDocument(random));
    document[random.below(document.length)] = random.below(256);
    const cut =
      random.below(3) === 0 ? document.subarray(0, random.below(document.length)) : document;
    try {
      walk(cut, ({ end, source }) => assert.ok(end < source.length));
    } catch (error) {
      assert.ok(isCodrError(error, 'object-damaged'), String(error));
      refused++;
    }
  }
  assert.ok(refused > 500, `${refused} refused`);
});

test('_id goes to the front and all else keeps its order', () => {
  const names = (document: Buffer): string[] => [...elementsOf(document)].map(nameOf);
  const late = new BsonWriter().int32('a', 1).int32('_id', 2).int32('b', 3).finish();
  assert.deepEqual(names(withIdFirst(late)), ['_id', 'a', 'b']);
  const early = new BsonWriter().int32('_id', 2).int32('a', 1).finish();
  assert.equal(withIdFirst(early), early);
});
