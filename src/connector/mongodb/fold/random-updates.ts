// Random documents and updates for tests, as raw BSON of the `insert` and `update` commands: every update
// operator that the server logs in its own way, on documents deep enough to be logged as differences.
import type { Random } from '../../../base/random.ts';
import { BsonWriter } from '../bson/bson-writer.ts';
import { bsonTypes } from '../bson/raw-bson.ts';
import { appendRandom } from '../key/random-values.ts';

const fields = ['a', 'b', 'c', '', '0', '1', 'n', 'd', 'u', 'i', 'l', 'sa', 'ünï'];
const paths = [
  ...fields,
  ...['o.p', 'o.p.q', 'o.p.r', 'o.x', 'o.d', 'o.p.0', 'list.0', 'list.3', 'list.7.x', 'list.2.y.z'],
  ...['list.12', 'list.1.deep.er', 'arr.0', 'arr.2', 'arr.9', 'o.arr.1', 'o.arr.4.k', 'o.p.list.5'],
];

/** A large document of nested documents and arrays. */
export function randomDocument(random: Random, id: number): Buffer {
  const out = new BsonWriter(2048).int32('_id', id);
  appendBody(out, random);
  return out.finish();
}

/** One statement of an `update` command, for one of the documents 0 to `ids` - 1. */
export function randomUpdate(random: Random, ids: number): Buffer {
  const out = new BsonWriter(512);
  const id = random.below(ids);
  out.open(bsonTypes.document, 'q').int32('_id', id).close();
  const kind = random.below(20);
  if (kind < 2) appendReplacement(out, random, id);
  else if (kind < 6) appendPipeline(out, random);
  else appendOperators(out, random);
  if (random.below(4) === 0) out.value(bsonTypes.bool, 'upsert', Buffer.from([1]));
  return out.finish();
}

function appendBody(out: BsonWriter, random: Random): void {
  out.text('pad', 'x'.repeat(400)).int32('n', random.below(100));
  out.open(bsonTypes.document, 'o').text('long', 'y'.repeat(100));
  out.open(bsonTypes.document, 'p').text('q', 'q'.repeat(50)).text('r', 'r');
  appendList(out, 'list', random);
  out.close();
  appendList(out, 'arr', random);
  out.close();
  appendList(out, 'list', random);
  appendList(out, 'arr', random);
  for (const field of fields)
    if (random.below(3) === 0 && field !== 'n') appendRandom(out, field, random);
}

function appendList(out: BsonWriter, name: string, random: Random): void {
  out.open(bsonTypes.array, name);
  const count = random.below(12);
  for (let i = 0; i < count; i++) {
    if (random.below(2) === 0) {
      out.open(bsonTypes.document, String(i)).text('k', 'some text that is long enough');
      appendRandom(out, 'x', random, 2);
      out.open(bsonTypes.document, 'y').int32('z', i).close().close();
    } else {
      appendRandom(out, String(i), random, 1);
    }
  }
  out.close();
}

/** Whole documents may hold names that begin with $, which operators cannot reach. */
function appendReplacement(out: BsonWriter, random: Random, id: number): void {
  out.open(bsonTypes.document, 'u').int32('_id', id);
  appendBody(out, random);
  if (random.below(2) === 0) {
    out.open(bsonTypes.document, 'w').int32('$set', 1).int32('$v', 2).int32('x.y', 3).close();
  }
  out.close();
}

function appendOperators(out: BsonWriter, random: Random): void {
  out.open(bsonTypes.document, 'u');
  const used = new Set<string>();
  const operators = pickSome(random, Object.keys(operatorsByName), 1 + random.below(2));
  for (const name of operators) {
    out.open(bsonTypes.document, name);
    const count = 1 + random.below(3);
    for (let i = 0; i < count; i++) {
      const path = pick(random, paths);
      // Two operators on one path, or on a path and its parent, are refused.
      const root = path.split('.')[0] ?? '';
      if (used.has(root)) continue;
      used.add(root);
      operatorsByName[name]?.(out, path, random);
    }
    out.close();
  }
  out.close();
}

const operatorsByName: Readonly<
  Record<string, (out: BsonWriter, path: string, random: Random) => void>
> = {
  $set: (out, path, random) => appendRandom(out, path, random),
  $unset: (out, path) => out.int32(path, 1),
  $inc: (out, path, random) => out.int32(random.below(2) ? 'n' : path, random.below(9)),
  $mul: (out, path) => out.int32(path, 3),
  $min: (out, path, random) => appendRandom(out, path, random, 3),
  $rename: (out, path, random) => out.text(path, pick(random, fields)),
  $pop: (out, path, random) => out.int32(arrayPath(random, path), random.below(2) ? 1 : -1),
  $addToSet: (out, path, random) => appendRandom(out, arrayPath(random, path), random),
  $pull: (out, path, random) => appendRandom(out, arrayPath(random, path), random, 3),
  $push: (out, path, random) => {
    out.open(bsonTypes.document, arrayPath(random, path)).open(bsonTypes.array, '$each');
    const count = random.below(4);
    for (let i = 0; i < count; i++) appendRandom(out, String(i), random);
    out.close();
    if (random.below(2) === 0) out.int32('$slice', random.below(12) - 4);
    if (random.below(3) === 0) out.int32('$position', random.below(5));
    out.close();
  },
};

function arrayPath(random: Random, path: string): string {
  return random.below(4) === 0 ? path : pick(random, ['list', 'arr', 'o.arr', 'o.p.list']);
}

/** Pipelines are logged as the difference between before and after, with deep sections. */
function appendPipeline(out: BsonWriter, random: Random): void {
  out.open(bsonTypes.array, 'u');
  const literal = (name: string): void => {
    out.open(bsonTypes.document, name);
    appendRandom(out, '$literal', random);
    out.close();
  };
  const stages = 1 + random.below(3);
  for (let i = 0; i < stages; i++) {
    out.open(bsonTypes.document, String(i));
    const kind = random.below(5);
    if (kind < 2) {
      out.open(bsonTypes.document, '$set');
      literal(pick(random, ['a', 'b', 'o.p.q', 'o.new', 'list.x', 'o.arr.y', 'sa.d']));
      out.close();
    } else if (kind === 2) {
      out.text('$unset', pick(random, ['a', 'o.p', 'o.p.q', 'list.k', 'c', 'o.arr.y']));
    } else if (kind === 3) {
      // Shortens, turns or doubles an array.
      out
        .open(bsonTypes.document, '$set')
        .open(bsonTypes.document, pick(random, ['list', 'o.p.list']));
      const expression = pick(random, ['$slice', '$reverseArray', '$concatArrays']);
      if (expression === '$reverseArray') out.text(expression, '$list');
      else {
        out.open(bsonTypes.array, expression).text('0', '$list');
        if (expression === '$slice') out.int32('1', random.below(9) + 1);
        else out.text('1', '$arr');
        out.close();
      }
      out.close().close();
    } else {
      out.open(bsonTypes.document, '$replaceWith').open(bsonTypes.array, '$mergeObjects');
      out.open(bsonTypes.document, '0');
      literal('first');
      out.close().text('1', '$$ROOT').close().close();
    }
    out.close();
  }
  out.close();
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

function pickSome<T>(random: Random, items: readonly T[], count: number): Set<T> {
  return new Set(Array.from({ length: count }, () => pick(random, items)));
}
