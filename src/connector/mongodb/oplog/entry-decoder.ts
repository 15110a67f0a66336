// One entry of the oplog as what it means: an operation, a batch of them, the end of a transaction, a note.
// Only a top-level `lsid` and `txnNumber` make a batch part of a transaction: a client's own `applyOps`
// carries an `lsid` inside `o`, and vectored inserts of 8.0 (`multiOpType: 1`) stand for themselves.
// Source: mongodb/mongo src/mongo/db/repl/README.md and oplog_entry.idl.
import { view } from '../../../base/bytes.ts';
import type { Position, SourceTime } from '../../../model/time.ts';
import {
  type BsonElement,
  bsonTypes,
  damagedBson,
  documentEnd,
  documentOf,
  elementAt,
  findElement,
  flagOf,
  hasName,
  numberOf,
  stringOf,
  uint64Of,
  uuidOf,
  valueBytes,
} from '../bson/raw-bson.ts';
import {
  commandOf,
  decodeOperation,
  decodeOperations,
  type Operation,
  type OperationFields,
} from './operation-decoder.ts';

/** Operations that were logged together. */
export interface Batch {
  readonly kind: 'batch';
  /** Names the transaction; absent for a batch outside of one. */
  readonly transaction: string | undefined;
  /** More entries of the same batch follow. */
  readonly partial: boolean;
  /** The last entry before the decision of a transaction over shards. */
  readonly prepared: boolean;
  /** The entry before it in the same batch; absent in the first. */
  readonly previous: Position | undefined;
  readonly operations: readonly Operation[];
}

export type EntryMeaning =
  | { readonly kind: 'operation'; readonly operation: Operation }
  | Batch
  /** Effects become visible at `time`, which is at or before the entry's own. */
  | { readonly kind: 'commit'; readonly transaction: string; readonly time: SourceTime }
  | { readonly kind: 'abort'; readonly transaction: string };

export interface OplogEntry {
  readonly position: Position;
  readonly meaning: EntryMeaning;
}

/** The fields of an entry that matter here, as they stand. */
interface Envelope extends OperationFields {
  readonly ts: bigint | undefined;
  readonly term: bigint;
  readonly lsid: BsonElement | undefined;
  readonly txnNumber: BsonElement | undefined;
  readonly previous: Position | undefined;
  readonly multiOpType: number;
}

/**
 * Decodes one raw oplog entry; the result's buffers are views of `bytes`. What is not known becomes an
 * operation of kind `unknown`. Errors: `object-damaged` for bytes that are no BSON or have no `ts`.
 */
export function decodeEntry(bytes: Uint8Array): OplogEntry {
  const envelope = readEnvelope(bytes);
  if (envelope.ts === undefined) throw damagedBson('no ts in an oplog entry', 0);
  return { position: { time: envelope.ts, term: envelope.term }, meaning: meaningOf(envelope) };
}

/** The position of a raw oplog entry. Errors: `object-damaged`. */
export function positionOfEntry(bytes: Uint8Array): Position {
  const time = uint64Of(findElement(bytes, 'ts'));
  if (time === undefined) throw damagedBson('no ts in an oplog entry', 0);
  return { time, term: termOf(findElement(bytes, 't')) };
}

/** On the path of every entry: names are compared as bytes, not made into texts. */
function readEnvelope(bytes: Uint8Array): Envelope {
  let [op, namespace] = ['', ''];
  let ts: bigint | undefined;
  let term = 0n;
  let ui: BsonElement | undefined;
  let o: Buffer | undefined;
  let o2: Buffer | undefined;
  let lsid: BsonElement | undefined;
  let txnNumber: BsonElement | undefined;
  let previous: Position | undefined;
  let multiOpType = 0;
  const source = view(bytes);
  const end = documentEnd(source, 0);
  for (let next = elementAt(source, 4, end); next; next = elementAt(source, next.end, end)) {
    if (hasName(next, 'op')) op = stringOf(next) ?? '';
    else if (hasName(next, 'ns')) namespace = stringOf(next) ?? '';
    else if (hasName(next, 'ui')) ui = next;
    else if (hasName(next, 'o')) o = documentOf(next);
    else if (hasName(next, 'o2')) o2 = documentOf(next);
    else if (hasName(next, 'ts')) ts = uint64Of(next);
    else if (hasName(next, 't')) term = termOf(next);
    else if (hasName(next, 'lsid')) lsid = next;
    else if (hasName(next, 'txnNumber')) txnNumber = next;
    else if (hasName(next, 'prevOpTime')) previous = opTimeOf(next);
    else if (hasName(next, 'multiOpType')) multiOpType = numberOf(next) ?? 0;
  }
  return { op, namespace, ts, term, ui, o, o2, lsid, txnNumber, previous, multiOpType };
}

function meaningOf(envelope: Envelope): EntryMeaning {
  const { op, o } = envelope;
  if (op !== 'c' || !o) return { kind: 'operation', operation: decodeOperation(envelope) };
  const command = commandOf(o);
  if (command === 'applyOps') return batchOf(envelope, o);
  if (command === 'commitTransaction' || command === 'abortTransaction') {
    const transaction = transactionOf(envelope);
    const time = uint64Of(findElement(o, 'commitTimestamp'));
    if (transaction && command === 'abortTransaction') return { kind: 'abort', transaction };
    if (transaction && time !== undefined) return { kind: 'commit', transaction, time };
    const name = `command "${command}" without ${transaction ? 'its time' : 'a transaction'}`;
    const { namespace } = envelope;
    return {
      kind: 'operation',
      operation: { kind: 'unknown', name, namespace, dataset: undefined },
    };
  }
  return { kind: 'operation', operation: decodeOperation(envelope) };
}

function batchOf(envelope: Envelope, o: Buffer): Batch {
  const separate = envelope.multiOpType === 1;
  return {
    kind: 'batch',
    transaction: separate ? undefined : transactionOf(envelope),
    partial: !separate && flagOf(findElement(o, 'partialTxn')),
    prepared: !separate && flagOf(findElement(o, 'prepare')),
    previous: separate ? undefined : envelope.previous,
    operations: decodeOperations(findElement(o, 'applyOps')),
  };
}

/** Session and number: the same for all entries of a transaction. */
function transactionOf({ lsid, txnNumber }: Envelope): string | undefined {
  if (!lsid || !txnNumber) return undefined;
  return `${valueBytes(lsid).toString('hex')}:${uint64Of(txnNumber) ?? numberOf(txnNumber)}`;
}

/** A transaction's name as the server's own tools show it: the session's id and the number. */
export function describeTransaction(name: string): string {
  const colon = name.lastIndexOf(':');
  const session = uuidOf(findElement(Buffer.from(name.slice(0, colon), 'hex'), 'id'));
  const id = session?.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') ?? 'unknown';
  return `lsid ${id} txnNumber ${name.slice(colon + 1)}`;
}

/** `{ts, t}`; undefined for the null one that opens a chain. */
function opTimeOf(element: BsonElement): Position | undefined {
  if (element.type !== bsonTypes.document) return undefined;
  const time = uint64Of(findElement(element.source, 'ts', element.valueStart));
  if (time === undefined || time === 0n) return undefined;
  return { time, term: termOf(findElement(element.source, 't', element.valueStart)) };
}

/** Terms start at 1; -1 (no term) and an absent one are 0. */
function termOf(element: BsonElement | undefined): bigint {
  const term = BigInt(numberOf(element) ?? 0);
  return term < 0n ? 0n : term;
}
