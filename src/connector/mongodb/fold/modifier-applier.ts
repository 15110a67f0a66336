// Applies updates of the old form, `{$v: 1, $set: {…}, $unset: {…}}` with dotted paths. Servers since 5.0
// write the form of diff-applier.ts; this one stands in logs that were carried over from before.
// New fields go to the end in the order given. Page: docs/format/mongodb-changes.md.
import { view } from '../../../base/bytes.ts';
import { BsonWriter } from '../bson/bson-writer.ts';
import {
  arrayOf,
  type BsonElement,
  bsonTypes,
  damagedBson,
  documentOf,
  elementsOf,
  findElement,
  nameOf,
  valueBytes,
} from '../bson/raw-bson.ts';
import type { Fit } from './diff-applier.ts';

/** An element of an array farther than this behind its end is refused, as the server does. */
const paddingMax = 1_500_000;

/**
 * The document after the modifiers. Errors: `object-damaged` for other modifiers, and when `strict` for a
 * path that leads through a value; when `lenient` that part is passed over.
 */
export function applyModifiers(document: Uint8Array, modifiers: Uint8Array, fit: Fit): Buffer {
  let result = view(document);
  for (const modifier of elementsOf(modifiers)) {
    const name = nameOf(modifier);
    if (name === '$v') continue;
    const fields = documentOf(modifier);
    if (!fields || (name !== '$set' && name !== '$unset')) {
      throw damagedBson(`an update with the unknown modifier "${name}"`, modifier.start);
    }
    for (const element of elementsOf(fields)) {
      const path = nameOf(element).split('.');
      if (fit === 'lenient' && !reachable(result, path)) continue;
      result = write(result, path, name === '$set' ? element : undefined, false);
    }
  }
  return result;
}

/** False when `path` leads through a value that is no container. */
function reachable(document: Buffer, path: readonly string[]): boolean {
  let container = document;
  for (const field of path.slice(0, -1)) {
    const element = findElement(container, field);
    if (!element) return true;
    const inner = documentOf(element) ?? arrayOf(element);
    if (!inner) return false;
    container = inner;
  }
  return true;
}

/** `container` with the element at `path` set to `value`, or removed when there is no value. */
function write(
  container: Buffer,
  path: readonly string[],
  value: BsonElement | undefined,
  isArray: boolean,
): Buffer {
  const [field = '', ...rest] = path;
  const out = new BsonWriter(container.length + (value ? value.end - value.start : 0));
  let found = false;
  let count = 0;
  for (const element of elementsOf(container)) {
    count++;
    if (found || nameOf(element) !== field) {
      out.element(element);
      continue;
    }
    found = true;
    if (rest.length === 0) {
      if (value) out.renamed(field, value);
      else if (isArray) out.null(field);
    } else {
      descend(out, element, field, rest, value);
    }
  }
  if (!found && value) append(out, { field, rest, value, isArray, count });
  return out.finish();
}

function descend(
  out: BsonWriter,
  element: BsonElement,
  field: string,
  rest: readonly string[],
  value: BsonElement | undefined,
): void {
  const isArray = element.type === bsonTypes.array;
  if (isArray || element.type === bsonTypes.document) {
    out.value(element.type, field, write(valueBytes(element), rest, value, isArray));
  } else if (value) {
    throw damagedBson(`an update through the field "${field}", which holds no document`, 0);
  } else {
    out.element(element);
  }
}

interface Appended {
  readonly field: string;
  readonly rest: readonly string[];
  readonly value: BsonElement;
  readonly isArray: boolean;
  /** Elements that the container has. */
  readonly count: number;
}

function append(out: BsonWriter, { field, rest, value, isArray, count }: Appended): void {
  if (isArray) {
    const index = /^\d+$/.test(field) ? Number(field) : -1;
    if (index < count || index - count > paddingMax) {
      throw damagedBson(`an update of the array element "${field}"`, 0);
    }
    for (let i = count; i < index; i++) out.null(String(i));
  }
  if (rest.length === 0) out.renamed(field, value);
  else out.document(field, write(new BsonWriter().finish(), rest, value, false));
}

/** True for updates of the form that {@link applyModifiers} reads. */
export function isModifierUpdate(update: Uint8Array): boolean {
  return findElement(update, 'diff') === undefined;
}
