// One operation of the oplog: the same fields stand in an entry and in each element of an `applyOps`.
// Knows every operation and command of MongoDB 5.0 to 8.x; what it does not know it names, so that nothing
// is passed over in silence. Source: mongodb/mongo src/mongo/db/repl/oplog_entry.idl and op_observer_impl.cpp.
import { type DatasetId, datasetId } from '../../../model/id.ts';
import {
  arrayOf,
  type BsonElement,
  bsonTypes,
  documentOf,
  elementsOf,
  findElement,
  nameOf,
  numberOf,
  stringOf,
  uuidOf,
  valueBytes,
} from '../bson/raw-bson.ts';

interface OnCollection {
  readonly namespace: string;
  readonly dataset: DatasetId;
}

/** What one operation does to one record. All buffers are views of the entry. */
export type RecordOperation =
  | (OnCollection & { readonly kind: 'insert'; readonly document: Buffer })
  /** `id` is the document key (o2): a document that holds `_id`. */
  | (OnCollection & { readonly kind: 'replace'; readonly id: Buffer; readonly document: Buffer })
  /** `difference` is the whole `o`: `{$v: 2, diff: …}` or `{$v: 1, $set: …, $unset: …}`. */
  | (OnCollection & { readonly kind: 'patch'; readonly id: Buffer; readonly difference: Buffer })
  | (OnCollection & { readonly kind: 'delete'; readonly id: Buffer });

/** What one operation does. */
export type Operation =
  | RecordOperation
  | CatalogOperation
  | { readonly kind: 'nothing' }
  | UnknownOperation;

/** A command that changes the catalog, or (`emptycapped`) a collection as a whole. */
export interface CatalogOperation {
  readonly kind: 'catalog';
  readonly command: string;
  readonly database: string;
  readonly dataset: DatasetId | undefined;
  readonly fields: OperationFields;
}

export interface UnknownOperation {
  readonly kind: 'unknown';
  /** `op "xx"`, `command "frobnicate"`. */
  readonly name: string;
  readonly namespace: string;
  readonly dataset: DatasetId | undefined;
}

/** The fields of an operation as they stand in the log. */
export interface OperationFields {
  readonly op: string;
  readonly namespace: string;
  readonly ui: BsonElement | undefined;
  readonly o: Buffer | undefined;
  readonly o2: Buffer | undefined;
}

/** Commands whose effects the catalog's fold knows; `emptycapped` changes records only. */
const catalogCommands = new Set([
  'create',
  'drop',
  'dropDatabase',
  'renameCollection',
  'collMod',
  'createIndexes',
  'commitIndexBuild',
  'dropIndexes',
  'deleteIndexes',
  'dropIndex',
  'deleteIndex',
  'emptycapped',
]);

/** Commands about the node itself, or about steps whose outcome another entry tells. */
const emptyCommands = new Set([
  'startIndexBuild',
  'abortIndexBuild',
  'dbCheck',
  'setMultikeyMetadata',
  'createIdent',
  'dropIdent',
  'createDatabaseMetadata',
  'dropDatabaseMetadata',
  'modifyCollectionShardingIndexCatalog',
]);

/** Operations without effect on documents: notes, keys of global indexes, storage containers. */
const emptyOps = new Set(['n', 'xi', 'xd', 'ci', 'cu', 'cd', 'km', 'db']);

const nothing: Operation = { kind: 'nothing' };

/** Decodes one operation; `applyOps` and the ends of transactions are for the entry decoder. */
export function decodeOperation(fields: OperationFields): Operation {
  const { op } = fields;
  if (op === 'c') return decodeCommand(fields);
  if (emptyOps.has(op)) return nothing;
  if (op !== 'i' && op !== 'u' && op !== 'd') return unknown(fields, `op "${op}"`);
  const { namespace, o } = fields;
  const dataset = datasetOf(fields);
  if (!o) return unknown(fields, `op "${op}" without its document`);
  if (!dataset) return unknown(fields, `op "${op}" without a collection UUID`);
  if (op === 'i') return { kind: 'insert', namespace, dataset, document: o };
  if (op === 'd') return { kind: 'delete', namespace, dataset, id: o };
  return decodeUpdate(fields, dataset, o);
}

/** Reads the fields of the operation that is the document `bytes`. */
function operationFields(bytes: Buffer): OperationFields {
  let op = '';
  let namespace = '';
  let ui: BsonElement | undefined;
  let o: Buffer | undefined;
  let o2: Buffer | undefined;
  for (const element of elementsOf(bytes)) {
    switch (nameOf(element)) {
      case 'op':
        op = stringOf(element) ?? '';
        break;
      case 'ns':
        namespace = stringOf(element) ?? '';
        break;
      case 'ui':
        ui = element;
        break;
      case 'o':
        o = documentOf(element);
        break;
      case 'o2':
        o2 = documentOf(element);
        break;
      default:
    }
  }
  return { op, namespace, ui, o, o2 };
}

/** Name of the command in `o`: its first field. */
export function commandOf(o: Buffer | undefined): string {
  if (!o) return '';
  for (const element of elementsOf(o)) return nameOf(element);
  return '';
}

/**
 * The operations of an `applyOps` array, those of an `applyOps` inside it in their place.
 * Errors: `object-damaged`.
 */
export function decodeOperations(applyOps: BsonElement | undefined): Operation[] {
  const array = arrayOf(applyOps);
  const operations: Operation[] = [];
  if (!array) return operations;
  for (const element of elementsOf(array)) {
    if (element.type !== bsonTypes.document) continue;
    const fields = operationFields(valueBytes(element));
    if (fields.op === 'c' && fields.o && commandOf(fields.o) === 'applyOps') {
      operations.push(...decodeOperations(findElement(fields.o, 'applyOps')));
    } else {
      const operation = decodeOperation(fields);
      if (operation.kind === 'catalog') operations.push(...withReplaced(operation));
      else operations.push(operation);
    }
  }
  return operations;
}

/**
 * A rename over another collection comes after the drop of that one, which the log tells nowhere else: what
 * ends a dataset has to be a change of its own, or one that was made shortly before is never seen.
 */
export function withReplaced(operation: Operation): readonly Operation[] {
  if (operation.kind !== 'catalog' || operation.command !== 'renameCollection') return [operation];
  const { o } = operation.fields;
  const uuid = uuidOf(o && findElement(o, 'dropTarget'));
  if (uuid === undefined) return [operation];
  return [{ ...operation, command: 'drop', dataset: datasetId(uuid) }, operation];
}

function decodeCommand(fields: OperationFields): Operation {
  const command = commandOf(fields.o);
  if (emptyCommands.has(command)) return nothing;
  if (!catalogCommands.has(command)) return unknown(fields, `command "${command}"`);
  return {
    kind: 'catalog',
    command,
    database: fields.namespace.replace(/\.\$cmd$/, ''),
    dataset: datasetOf(fields),
    fields,
  };
}

/** The server's own rule: a document with `_id`, or without `$v`, is a replacement. */
function decodeUpdate(fields: OperationFields, dataset: DatasetId, o: Buffer): Operation {
  const { namespace, o2: id } = fields;
  if (!id) return unknown(fields, 'op "u" without its document key');
  if (findElement(o, '_id')) return { kind: 'replace', namespace, dataset, id, document: o };
  const version = findElement(o, '$v');
  if (version ? [1, 2].includes(numberOf(version) ?? 0) : /^\$(un)?set$/.test(commandOf(o))) {
    return { kind: 'patch', namespace, dataset, id, difference: o };
  }
  if (version) return unknown(fields, `update of version ${numberOf(version)}`);
  return { kind: 'replace', namespace, dataset, id, document: o };
}

function datasetOf(fields: OperationFields): DatasetId | undefined {
  const uuid = uuidOf(fields.ui);
  return uuid === undefined ? undefined : datasetId(uuid);
}

function unknown(fields: OperationFields, name: string): UnknownOperation {
  return { kind: 'unknown', name, namespace: fields.namespace, dataset: datasetOf(fields) };
}
