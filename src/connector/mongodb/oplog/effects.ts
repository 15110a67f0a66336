// Operations of the log as changes of records and of the catalog. Records of capped collections carry an
// order number before their bytes, since nothing else in them tells their natural order.
// Page: docs/format/mongodb-changes.md.
import { concatBytes, emptyBytes } from '../../../base/bytes.ts';
import type { CatalogChange } from '../../../model/catalog.ts';
import { type Change, changeKinds, type Order } from '../../../model/change.ts';
import type { DatasetId } from '../../../model/id.ts';
import { BsonWriter } from '../bson/bson-writer.ts';
import { withIdFirst } from '../bson/id-first.ts';
import { findElement, flagOf } from '../bson/raw-bson.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { followsDatabase, followsRecords } from './namespace-rules.ts';
import type {
  CatalogOperation,
  Operation,
  RecordOperation,
  UnknownOperation,
} from './operation-decoder.ts';

/** Bytes before each record of a capped collection: its place in natural order, big-endian. */
export const orderPrefixBytes = 8;

/** The prefix of an update of a capped collection's record: "keep the number that the record has". */
const keepOrder: Uint8Array = new Uint8Array(orderPrefixBytes);

/** `document` as a record of a capped collection. `order`: its place; 0 keeps the place it has. */
export function cappedValue(order: bigint, document: Uint8Array): Uint8Array {
  if (order === 0n) return concatBytes([keepOrder, document]);
  const prefix = Buffer.allocUnsafe(orderPrefixBytes);
  prefix.writeBigUInt64BE(order);
  return concatBytes([prefix, document]);
}

/** What one operation comes to. */
export interface EffectSink {
  change(change: Change): void;
  catalog(change: CatalogChange): void;
  unknown(operation: UnknownOperation, order: Order): void;
}

/** Gives the effect of `operation` to `sink`; learns from `create` which datasets are capped. */
export function emitEffect(
  operation: Operation,
  order: Order,
  capped: Set<DatasetId>,
  sink: EffectSink,
): void {
  if (operation.kind === 'nothing') return;
  if (operation.kind === 'catalog') {
    emitCatalog(operation, order, capped, sink);
    return;
  }
  // What belongs to the node itself cannot touch user data, known or not.
  if (!followsRecords(operation.namespace)) return;
  if (operation.kind === 'unknown') sink.unknown(operation, order);
  else sink.change(recordChange(operation, order, capped.has(operation.dataset)));
}

/** The change that one operation makes to one record. */
function recordChange(operation: RecordOperation, order: Order, isCapped: boolean): Change {
  const { stream, time, position, index } = order;
  const { dataset } = operation;
  const common = { time, stream, position, index, dataset };
  if (operation.kind === 'delete') {
    const key = keyOfDocument(operation.id);
    return { ...common, key, kind: changeKinds.delete, value: emptyBytes };
  }
  if (operation.kind === 'insert') {
    const { document } = operation;
    const value = isCapped ? cappedValue(position.time, document) : document;
    return { ...common, key: keyOfDocument(document), kind: changeKinds.put, value };
  }
  const key = keyOfDocument(operation.id);
  const isPatch = operation.kind === 'patch';
  const bytes = isPatch ? operation.difference : withIdFirst(operation.document);
  const value = isCapped ? cappedValue(0n, bytes) : bytes;
  return { ...common, key, kind: isPatch ? changeKinds.patch : changeKinds.put, value };
}

/** A command as one document `{ns, ui?, o, o2?}`: the body of a catalog change. */
function catalogBody({ fields }: CatalogOperation): Uint8Array {
  const { namespace, ui, o, o2 } = fields;
  const out = new BsonWriter((o?.length ?? 0) + (o2?.length ?? 0) + 128).text('ns', namespace);
  if (ui) out.element(ui);
  if (o) out.document('o', o);
  if (o2) out.document('o2', o2);
  return out.finish();
}

function emitCatalog(
  operation: CatalogOperation,
  order: Order,
  capped: Set<DatasetId>,
  sink: EffectSink,
): void {
  const { command, database, dataset, fields } = operation;
  if (!followsDatabase(database)) return;
  if (command === 'emptycapped') {
    if (!dataset) {
      const unknown = {
        kind: 'unknown',
        name: `command "${command}" without a collection UUID`,
      } as const;
      sink.unknown({ ...unknown, namespace: fields.namespace, dataset }, order);
      return;
    }
    const key = emptyBytes;
    sink.change({ ...order, dataset, key, kind: changeKinds.clear, value: emptyBytes });
    return;
  }
  if (command === 'create' && dataset && fields.o && flagOf(findElement(fields.o, 'capped'))) {
    capped.add(dataset);
  }
  sink.catalog({
    ...order,
    ...(dataset && { dataset }),
    ...(dataset && command === 'create' && { creates: true as const }),
    kind: command,
    body: catalogBody(operation),
  });
}
