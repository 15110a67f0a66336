// Applies the server's own difference format (`$v: 2`) to raw documents, byte for byte as the server does:
// fields keep their places, inserted ones go to the end in the order of the difference.
// Source: mongodb/mongo src/mongo/db/update/document_diff_applier.cpp and document_diff_serialization.h;
// proved against a server by fold.mongod.test.ts. Page: docs/format/mongodb-changes.md.
import { view } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import { BsonWriter } from '../bson/bson-writer.ts';
import {
  type BsonElement,
  bsonTypes,
  damagedBson,
  depthMax,
  elementsOf,
  flagOf,
  nameOf,
  numberOf,
  valueBytes,
} from '../bson/raw-bson.ts';

/**
 * `lenient`: where the document is not what the difference was made for, do as the server does when it
 * applies an old difference again (a later one mends it); else that is an error.
 */
export type Fit = 'lenient' | 'strict';

/** What a difference does to one field. */
type FieldChange =
  | { readonly kind: 'delete' }
  /** In place, or at the end when the field is absent. */
  | { readonly kind: 'update'; readonly element: BsonElement; used: boolean }
  /** Always at the end. */
  | { readonly kind: 'insert'; readonly element: BsonElement }
  | { readonly kind: 'nested'; readonly difference: Buffer }
  | { readonly kind: 'binary'; readonly patch: Buffer };

/**
 * The document after `diff`, the document inside `{$v: 2, diff: …}`. Errors: `object-damaged` for a
 * difference of another form, and when `strict` for one that does not fit the document.
 */
export function applyDiff(document: Uint8Array, diff: Uint8Array, fit: Fit): Buffer {
  const out = new BsonWriter(document.length + diff.length);
  applyToDocument(view(document), view(diff), out, { fit, depth: 0 });
  return out.finish();
}

interface Context {
  readonly fit: Fit;
  readonly depth: number;
}

function applyToDocument(document: Buffer, diff: Buffer, out: BsonWriter, context: Context): void {
  const changes = readDocumentDiff(diff);
  for (const element of elementsOf(document)) {
    const change = changes.get(nameOf(element));
    if (!change) {
      out.element(element);
    } else if (change.kind === 'update') {
      out.element(change.element);
      change.used = true;
    } else if (change.kind === 'nested') {
      applyNested(nameOf(element), element, change.difference, out, context);
    } else if (change.kind === 'binary') {
      applyBinary(nameOf(element), element, change.patch, out, context.fit);
    }
  }
  for (const change of changes.values()) {
    const absent = change.kind === 'update' && !change.used;
    if (change.kind === 'insert' || absent) out.element(change.element);
  }
}

/** Changes by field, in the order of the difference: `d`, `u`, `i`, then `s…` and `b`. */
function readDocumentDiff(diff: Buffer): Map<string, FieldChange> {
  const changes = new Map<string, FieldChange>();
  const set = (name: string, change: FieldChange, at: number): void => {
    if (changes.has(name)) throw damagedBson('a difference with the same field twice', at);
    changes.set(name, change);
  };
  for (const section of elementsOf(diff)) {
    const name = nameOf(section);
    if (section.type !== bsonTypes.document) throw unknownSection(name, section.start);
    if (name.charCodeAt(0) === 0x73) {
      const difference = valueBytes(section);
      set(name.slice(1), { kind: 'nested', difference }, section.start);
      continue;
    }
    for (const element of elementsOf(section.source, section.valueStart)) {
      const field = nameOf(element);
      if (name === 'd') set(field, { kind: 'delete' }, element.start);
      else if (name === 'u') set(field, { kind: 'update', element, used: false }, element.start);
      else if (name === 'i') set(field, { kind: 'insert', element }, element.start);
      else if (name !== 'b') throw unknownSection(name, section.start);
      else set(field, { kind: 'binary', patch: valueBytes(element) }, element.start);
    }
  }
  return changes;
}

function applyNested(
  name: string,
  element: BsonElement | undefined,
  difference: Buffer,
  out: BsonWriter,
  context: Context,
): void {
  const depth = context.depth + 1;
  if (depth > depthMax) throw damagedBson('a difference nested too deep', 0);
  const ofArray = isArrayDiff(difference);
  const type = ofArray ? bsonTypes.array : bsonTypes.document;
  if (element?.type !== type) {
    misfit(context.fit, name, ofArray ? 'an array' : 'a document');
    out.null(name);
    return;
  }
  out.open(type, name);
  const apply = ofArray ? applyToArray : applyToDocument;
  apply(valueBytes(element), difference, out, { ...context, depth });
  out.close();
}

/** One element of an array: a new value, or a difference. */
interface ArrayChange {
  readonly index: number;
  readonly nested: boolean;
  readonly element: BsonElement;
}

function applyToArray(array: Buffer, diff: Buffer, out: BsonWriter, context: Context): void {
  const { length, changes } = readArrayDiff(diff);
  let index = 0;
  let next = 0;
  const changeAt = (): ArrayChange | undefined => {
    const change = changes[next];
    if (change?.index !== index) return undefined;
    next++;
    return change;
  };
  const write = (element: BsonElement | undefined): void => {
    const change = changeAt();
    const name = String(index++);
    if (!change) {
      if (element) out.renamed(name, element);
      else out.null(name);
    } else if (change.nested) {
      applyNested(name, element, valueBytes(change.element), out, context);
    } else {
      out.renamed(name, change.element);
    }
  };
  for (const element of elementsOf(array)) {
    if (length !== undefined && index >= length) break;
    write(element);
  }
  // The array was too short: gaps become null.
  const last = changes.at(-1)?.index ?? -1;
  const end = Math.max(length ?? 0, last + 1);
  while (index < end) write(undefined);
}

function readArrayDiff(diff: Buffer): {
  length: number | undefined;
  changes: ArrayChange[];
} {
  let length: number | undefined;
  const changes: ArrayChange[] = [];
  for (const element of elementsOf(diff)) {
    const name = nameOf(element);
    const kind = name.charAt(0);
    if (name === 'a') continue;
    if (name === 'l') {
      length = numberOf(element);
      continue;
    }
    const index = Number(name.slice(1));
    const nested = kind === 's';
    const last = changes.at(-1)?.index ?? -1;
    const fine = /^[us]\d{1,8}$/.test(name) && index > last;
    if (!fine || (nested && element.type !== bsonTypes.document)) {
      throw unknownSection(name, element.start);
    }
    changes.push({ index, nested, element });
  }
  return { length, changes };
}

/** `{o: offset, d: bytes}`: the old bytes up to the offset, then the new ones (time-series buckets). */
function applyBinary(
  name: string,
  element: BsonElement,
  patch: Buffer,
  out: BsonWriter,
  fit: Fit,
): void {
  let offset = -1;
  let tail: Buffer | undefined;
  for (const part of elementsOf(patch)) {
    if (nameOf(part) === 'o') offset = numberOf(part) ?? -1;
    else if (nameOf(part) === 'd' && part.type === bsonTypes.binary) tail = valueBytes(part);
    else throw unknownSection(`b.${nameOf(part)}`, part.start);
  }
  if (offset < 0 || !tail) throw unknownSection('b', 0);
  const old = element.type === bsonTypes.binary ? valueBytes(element) : undefined;
  if (!old || old.length - 5 < offset) {
    misfit(fit, name, `binary data of ${offset} bytes`);
    out.null(name);
    return;
  }
  // The value is a length, a subtype and the bytes.
  const value = Buffer.concat([old.subarray(0, 5 + offset), tail.subarray(5)]);
  value.writeInt32LE(value.length - 5, 0);
  out.value(bsonTypes.binary, name, value);
}

/** `a: true` comes first in the difference of an array. */
function isArrayDiff(difference: Buffer): boolean {
  for (const first of elementsOf(difference)) return nameOf(first) === 'a' && flagOf(first);
  return false;
}

function misfit(fit: Fit, name: string, wanted: string): void {
  if (fit === 'lenient') return;
  throw new CodrError('object-damaged', `a change expects ${wanted} in the field "${name}"`);
}

function unknownSection(name: string, at: number): CodrError {
  return damagedBson(`a difference with the unknown section "${name}"`, at);
}
