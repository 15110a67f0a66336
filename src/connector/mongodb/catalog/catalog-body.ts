// The bodies of catalog changes and entries, each one BSON document. A survey's: {ns, uuid, options,
// indexes}, one per collection, as `listCollections` and `listIndexes` tell them. An entry's: {type, options,
// idIndex?, indexes}. Specifications are spliced, never rebuilt. Page: docs/format/mongodb-catalog.md.
import { BsonWriter } from '../bson/bson-writer.ts';
import {
  arrayOf,
  type BsonElement,
  bsonTypes,
  documentOf,
  elementsOf,
  findElement,
  flagOf,
  nameOf,
  stringOf,
  valueBytes,
} from '../bson/raw-bson.ts';

/** One collection as a live server describes it. */
export interface SurveyedCollection {
  /** `db.collection`. */
  readonly namespace: string;
  /** The collection's UUID, 32 hex digits. */
  readonly uuid: string;
  /** `options` of listCollections, raw BSON. */
  readonly options: Uint8Array;
  /** The documents of listIndexes, raw BSON. */
  readonly indexes: readonly Uint8Array[];
}

/** The body of a catalog change of kind `survey`. The caller owns it. */
export function surveyBody(collection: SurveyedCollection): Uint8Array {
  const uuid = Buffer.concat([Buffer.from([16, 0, 0, 0, 4]), Buffer.from(collection.uuid, 'hex')]);
  const out = new BsonWriter()
    .text('ns', collection.namespace)
    .value(bsonTypes.binary, 'uuid', uuid)
    .document('options', collection.options)
    .open(bsonTypes.array, 'indexes');
  collection.indexes.forEach((spec, i) => {
    out.document(String(i), spec);
  });
  return out.finish();
}

/** What the fold keeps of one collection. Elements and specifications are views of the changes' bodies. */
export interface CollectionState {
  namespace: string;
  /** Options of `create` by name. */
  readonly options: Map<string, BsonElement>;
  /** Specification of the index on `_id`; absent for clustered collections. */
  idIndex: Buffer | undefined;
  /** Specifications of all other indexes by name, in the order of creation. */
  readonly indexes: Map<string, Buffer>;
}

/** Reads {@link surveyBody}. */
export function stateOfSurvey(body: Uint8Array): CollectionState {
  const state = emptyState(stringOf(findElement(body, 'ns')) ?? '');
  const options = documentOf(findElement(body, 'options'));
  for (const option of options ? elementsOf(options) : [])
    state.options.set(nameOf(option), option);
  const indexes = arrayOf(findElement(body, 'indexes'));
  for (const spec of indexes ? elementsOf(indexes) : []) addIndex(state, valueBytes(spec));
  return state;
}

/** Reads the `o` of `create`: `{create: name, idIndex?, …options}`. */
export function stateOfCreate(database: string, o: Uint8Array): CollectionState {
  const state = emptyState(`${database}.${stringOf(findElement(o, 'create')) ?? ''}`);
  for (const element of elementsOf(o)) {
    const name = nameOf(element);
    if (name === 'idIndex') state.idIndex = withoutField(valueBytes(element), 'ns');
    else if (name !== 'create') state.options.set(name, element);
  }
  return state;
}

/** Adds or replaces an index. What the server derives from a clustered collection is no index. */
export function addIndex(state: CollectionState, spec: Buffer): void {
  const name = stringOf(findElement(spec, 'name'));
  if (name === undefined || flagOf(findElement(spec, 'clustered'))) return;
  const clean = withoutField(spec, 'ns');
  if (name === '_id_') state.idIndex = clean;
  else state.indexes.set(name, clean);
}

/** The body of a catalog entry. */
export function entryBody(state: CollectionState): Uint8Array {
  const type = state.options.has('timeseries') ? 'timeseries' : 'collection';
  const out = new BsonWriter(512).text('type', type).open(bsonTypes.document, 'options');
  for (const option of state.options.values()) out.element(option);
  out.close();
  if (state.idIndex) out.document('idIndex', state.idIndex);
  out.open(bsonTypes.array, 'indexes');
  [...state.indexes.values()].forEach((spec, i) => {
    out.document(String(i), spec);
  });
  return out.finish();
}

/** `document` with the field replaced in place or appended; without an element, removed. */
export function withField(document: Buffer, name: string, value: BsonElement | undefined): Buffer {
  const out = new BsonWriter(document.length + 64);
  let found = false;
  for (const element of elementsOf(document)) {
    if (nameOf(element) !== name) out.element(element);
    else if (value && !found) out.renamed(name, value);
    if (nameOf(element) === name) found = true;
  }
  if (value && !found) out.renamed(name, value);
  return out.finish();
}

function withoutField(document: Buffer, name: string): Buffer {
  return findElement(document, name) ? withField(document, name, undefined) : document;
}

/** The only element of the document `{value: …}` that holds `element` under another name. */
export function renamedElement(name: string, element: BsonElement): BsonElement {
  const document = new BsonWriter(element.end - element.start + 64).renamed(name, element).finish();
  return findElement(document, name) as BsonElement;
}

function emptyState(namespace: string): CollectionState {
  return { namespace, options: new Map(), idIndex: undefined, indexes: new Map() };
}
