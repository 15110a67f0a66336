// What `collMod` does to a collection's options and indexes. Source: mongodb/mongo
// src/mongo/db/catalog/coll_mod.cpp; held against a server by catalog-folder.mongod.test.ts.
import { BsonWriter } from '../bson/bson-writer.ts';
import {
  type BsonElement,
  bsonTypes,
  documentOf,
  elementsOf,
  findElement,
  flagOf,
  nameOf,
  numberOf,
  stringOf,
  valueBytes,
} from '../bson/raw-bson.ts';
import { type CollectionState, renamedElement, withField } from './catalog-body.ts';

/** Options under another name than in `create`. */
const renamedOptions: Readonly<Record<string, string>> = { cappedSize: 'size', cappedMax: 'max' };

/** Fields that are no options of the collection: the command itself, and views (system.views tells them). */
const notOptions = new Set(['collMod', 'viewOn', 'pipeline', 'dryRun', 'isTimeseriesNamespace']);

/** Applies the `o` of a `collMod`. */
export function modifyCollection(state: CollectionState, o: Uint8Array): void {
  for (const element of elementsOf(o)) {
    const name = nameOf(element);
    if (notOptions.has(name)) continue;
    if (name.startsWith('valid')) setValidationDefaults(state);
    if (name === 'index') modifyIndex(state, element);
    else if (name === 'timeseries') modifyTimeSeries(state, element);
    else modifyOption(state, name, element);
  }
}

/** Touching any part of the validation writes the defaults of the other parts down. */
function setValidationDefaults({ options }: CollectionState): void {
  for (const absent of elementsOf(validationDefaults)) {
    if (!options.has(nameOf(absent))) options.set(nameOf(absent), absent);
  }
}

const validationDefaults = new BsonWriter()
  .text('validationLevel', 'strict')
  .text('validationAction', 'error')
  .finish();

function modifyOption(state: CollectionState, name: string, element: BsonElement): void {
  const option = renamedOptions[name] ?? name;
  const removed =
    (name === 'validator' && documentOf(element)?.length === 5) ||
    (name === 'expireAfterSeconds' && stringOf(element) === 'off');
  if (removed) state.options.delete(option);
  else state.options.set(option, option === name ? element : renamedElement(option, element));
}

/** `index: {name | keyPattern, hidden?, expireAfterSeconds?, unique?, prepareUnique?}`. */
function modifyIndex(state: CollectionState, element: BsonElement): void {
  const change = documentOf(element);
  const name = change && indexName(state, change);
  let spec = name === undefined ? undefined : state.indexes.get(name);
  if (!change || name === undefined || !spec) return;
  for (const field of elementsOf(change)) {
    const option = nameOf(field);
    if (option === 'hidden' || option === 'prepareUnique') {
      spec = withField(spec, option, flagOf(field) ? field : undefined);
    } else if (option === 'unique' && flagOf(field)) {
      spec = withField(withField(spec, 'prepareUnique', undefined), option, field);
    } else if (option === 'expireAfterSeconds') {
      spec = withField(spec, option, field);
    }
  }
  state.indexes.set(name, spec);
}

function indexName(state: CollectionState, change: Buffer): string | undefined {
  const name = stringOf(findElement(change, 'name'));
  const pattern = documentOf(findElement(change, 'keyPattern'));
  if (name !== undefined || !pattern) return name;
  for (const [known, spec] of state.indexes) {
    if (documentOf(findElement(spec, 'key'))?.equals(pattern)) return known;
  }
  return undefined;
}

/** Longest span of a bucket by granularity, in seconds. */
const bucketSpans: Readonly<Record<string, number>> = {
  seconds: 3600,
  minutes: 86_400,
  hours: 2_592_000,
};

/** Granularity implies the span of buckets, unless both are told. */
function modifyTimeSeries(state: CollectionState, element: BsonElement): void {
  const change = documentOf(element);
  const before = documentOf(state.options.get('timeseries'));
  if (!change || !before) return;
  let after = before;
  for (const field of elementsOf(change)) after = withField(after, nameOf(field), field);
  const span = bucketSpans[stringOf(findElement(change, 'granularity')) ?? ''];
  if (span !== undefined && numberOf(findElement(change, 'bucketMaxSpanSeconds')) === undefined) {
    const told = new BsonWriter().int32('bucketMaxSpanSeconds', span).finish();
    after = withField(after, 'bucketMaxSpanSeconds', findElement(told, 'bucketMaxSpanSeconds'));
  }
  const wrapped = new BsonWriter(after.length + 32).value(bsonTypes.document, 'timeseries', after);
  const option = findElement(wrapped.finish(), 'timeseries');
  if (option) state.options.set('timeseries', option);
}

/** Applies the `o` of `dropIndexes`: one name, or `*` for all but the one on `_id`. */
export function dropIndexes(state: CollectionState, o: Uint8Array): void {
  const name = stringOf(findElement(o, 'index'));
  if (name === '*') state.indexes.clear();
  else if (name !== undefined) state.indexes.delete(name);
}

/** The specification beside the command in the `o` of `createIndexes`. */
export function indexOfCommand(o: Uint8Array): Buffer {
  const out = new BsonWriter(o.length);
  for (const element of elementsOf(o)) {
    if (nameOf(element) !== 'createIndexes') out.element(element);
  }
  return out.finish();
}

/** The specifications in the `o` of `commitIndexBuild`. */
export function indexesOfBuild(o: Uint8Array): Buffer[] {
  const indexes = findElement(o, 'indexes');
  if (indexes?.type !== bsonTypes.array) return [];
  return [...elementsOf(indexes.source, indexes.valueStart)].map(valueBytes);
}
