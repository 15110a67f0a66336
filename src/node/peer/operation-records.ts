// How operations lie in the coordinator:
//   operations/<id>                    what it is, while it runs; the request, sealed
//   operations-ended/<id>              what it was, and how it ended (moves: operation-archive.ts)
//   operation-owners/<id>              the peer that runs it, under that peer's lease
//   operation-cancels/<id>             somebody wants it to end
//   operation-results/<id>/<claim>-<n> what came of it for one owner, sealed, in parts (handovers: operation-handover.ts)
//   operation-keys/<hash>              the idempotency key that made it
import { gunzipSync, gzipSync } from 'node:zlib';
import { requestHash } from '../../api/idempotency.ts';
import type {
  ErrorDetail,
  Operation,
  OperationKind,
  OperationRequest,
} from '../../api/operations.ts';
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Coordinator, CoordinatorEntry } from '../../coordination/coordinator.ts';
import type { ValueSeal } from './value-seal.ts';

/** Value of `operations-ended/<id>`. */
export interface EndedRecord {
  readonly id: string;
  readonly kind: OperationKind;
  readonly source?: string;
  readonly by: string;
  readonly created: string;
  /** Name of its idempotency key. */
  readonly key: string;
  readonly state: Operation['state'];
  readonly ended?: string;
  /** Of the last event. */
  readonly sequence: number;
  readonly resultParts?: number;
  /** Of the owner that wrote the result. */
  readonly resultClaim?: number;
  /** Base64, sealed: sentences may name data. */
  readonly error?: string;
  /** Of its end, when that was written by an older version, among those that run, and moved later. */
  readonly revision?: number;
}

/** Value of `operations/<id>`. */
export interface OperationRecord extends EndedRecord {
  /** Base64, sealed. */
  readonly request: string;
}

/** Value of `operation-keys/<hash>`. */
export interface KeyRecord {
  readonly id: string;
  /** Mark of kind and request: see {@link askedMarks}. */
  readonly asked: string;
}

export const operationsPrefix = 'operations/';
export const endedPrefix = 'operations-ended/';
export const ownersPrefix = 'operation-owners/';
export const cancelsPrefix = 'operation-cancels/';
const resultsPrefix = 'operation-results/';
const keysPrefix = 'operation-keys/';

export const operationKey = (id: string): string => `${operationsPrefix}${id}`;
export const endedKey = (id: string): string => `${endedPrefix}${id}`;
export const ownerKey = (id: string): string => `${ownersPrefix}${id}`;
export const cancelKey = (id: string): string => `${cancelsPrefix}${id}`;
export const resultKey = (id: string, part: string): string => `${resultsOf(id)}${part}`;
/** Begins the names of all that came of it. */
export const resultsOf = (id: string): string => `${resultsPrefix}${id}/`;

/** Of a caller and the key that it gave. */
export function idempotencyName(by: string, key: string): string {
  return `${keysPrefix}${requestHash([by, key])}`;
}

/**
 * Equal for requests of equal meaning: how that is written down, and how an older version did, which is still understood.
 * A plain hash says whether a password was guessed.
 */
export function askedMarks(
  seal: ValueSeal,
  kind: OperationKind,
  request: OperationRequest,
): readonly [now: string, before: string] {
  const plain = requestHash([kind, request]);
  return [seal.mark(plain), plain];
}

/** Base64 characters of a part of a result: below the coordinator's limit for a value. */
const partLength = 60_000;
/** A value is at most 64 KiB. */
const requestLengthMax = 60_000;

/** Errors: `usage` for a request that is too large. */
export function sealedRequest(seal: ValueSeal, request: OperationRequest): string {
  const text = sealedText(seal, request);
  if (text.length <= requestLengthMax) return text;
  throw new CodrError('usage', 'the request is too large', {
    remedy: 'use patterns such as db.* in place of long lists of names',
  });
}

export function openedRequest(seal: ValueSeal, { request }: OperationRecord): OperationRequest {
  return openedText(seal, request) as OperationRequest;
}

/** What is least needed is left out until it fits: facts, which are for programs, far causes, ends of sentences. */
export function sealedError(seal: ValueSeal, error: ErrorDetail): string {
  const { factsJson: _, ...told } = error;
  const cut: ErrorDetail = {
    ...told,
    message: cutText(told.message),
    remedy: cutText(told.remedy),
    ...(told.object !== undefined && { object: cutText(told.object) }),
    causes: told.causes.map(cutText),
  };
  const texts = [error, told, cut].map((one) => () => sealedText(seal, one));
  for (const text of texts) {
    const sealed = text();
    if (sealed.length <= requestLengthMax) return sealed;
  }
  return sealedText(seal, { ...cut, causes: [] });
}

/** Three of them, however badly they compress, fit into a value. */
const sentenceLengthMax = 4000;

function cutText(text: string): string {
  return text.length <= sentenceLengthMax ? text : `${text.slice(0, sentenceLengthMax - 1)}…`;
}

interface MetAgain {
  readonly code: string;
  /** Of this kind alone. */
  readonly kind?: OperationKind;
  readonly see: string;
}

/** Errors by which what is begun again meets what was done before, and how a user sees that. */
const metAgain: readonly MetAgain[] = [
  { code: 'target-not-empty', see: 'by `codr verify --against`' },
  { code: 'source-exists', see: 'it by `codr source show`' },
  { code: 'source-unknown', kind: 'source-remove', see: 'by `codr source list`' },
];

/**
 * After a takeover a target may be full of what the peer before gave back: it was lost between that and writing it
 * down, and a target that is done with remembers no restore. A source may be registered, or removed, likewise.
 */
export async function toldAfterTakeover(
  coordinator: Coordinator,
  { id, kind, claim }: Pick<EndedRecord, 'id' | 'kind'> & { readonly claim: number },
  error: ErrorDetail,
): Promise<ErrorDetail> {
  const met = metAgain.find((one) => one.code === error.code && (one.kind ?? kind) === kind);
  if (!met) return error;
  const made = await coordinator.get(operationKey(id));
  if (!made || made.createRevision === claim) return error;
  const before = 'a peer that was lost had begun this and may have ended it';
  return { ...error, remedy: `${before}: see ${met.see}, or ${error.remedy}` };
}

/** Begins the names of the parts that one owner wrote. */
const partsPrefix = (id: string, claim: number): string => `${resultsOf(id)}${claim}-`;

/**
 * Writes the result under the claim of an owner; returns the number of its parts, undefined when another peer is the
 * owner by now. Idempotent.
 */
export async function writeResult(
  coordinator: Coordinator,
  seal: ValueSeal,
  { id, claim, result }: { readonly id: string; readonly claim: number; readonly result: unknown },
): Promise<number | undefined> {
  const parts = partsOf(sealedText(seal, result ?? null));
  const guard = { key: ownerKey(id), createRevision: claim };
  for (const [n, value] of parts.entries()) {
    const put = { put: `${partsPrefix(id, claim)}${String(n).padStart(6, '0')}`, value };
    if (!(await coordinator.transact([guard], [put])).done) return undefined;
  }
  return parts.length;
}

async function readResult(
  coordinator: Coordinator,
  seal: ValueSeal,
  { id, resultParts, resultClaim }: EndedRecord,
): Promise<Operation['result']> {
  if (resultParts === undefined || resultClaim === undefined) return undefined;
  const parts = await coordinator.list(partsPrefix(id, resultClaim));
  // Written before the record: they are missing only while the operation is being forgotten.
  if (parts.length !== resultParts) throw unknownOperation(id);
  return openedText(seal, parts.map(({ value }) => value).join('')) as Operation['result'];
}

export function unknownOperation(id: string): CodrError {
  return new CodrError('operation-unknown', `no operation has the id ${id}`, { object: id });
}

/** Each fits into a value of the coordinator. */
export function partsOf(text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += partLength) parts.push(text.slice(at, at + partLength));
  return parts;
}

/** The operation as all may see it. */
export async function describeOperation(
  coordinator: Coordinator,
  seal: ValueSeal,
  record: EndedRecord,
  { cancelling, withResult }: { readonly cancelling: boolean; readonly withResult: boolean },
): Promise<Operation> {
  const { id, kind, source, by, created, state, ended, sequence, error } = record;
  const result = withResult ? await readResult(coordinator, seal, record) : undefined;
  return {
    ...{ id, kind, by, created, state, sequence },
    ...(source !== undefined && { source }),
    ...(ended !== undefined && { ended }),
    cancelling: cancelling && state === 'running',
    ...(result !== undefined && { result }),
    ...(error !== undefined && { error: openedText(seal, error) as ErrorDetail }),
  };
}

/** Of one that runs. */
export function recordOf({ value }: Pick<CoordinatorEntry, 'value'>): OperationRecord {
  return JSON.parse(value) as OperationRecord;
}

/** Of any. */
export function endedRecordOf({ value }: Pick<CoordinatorEntry, 'value'>): EndedRecord {
  return JSON.parse(value) as EndedRecord;
}

/** Base64, sealed. */
export function sealedText(seal: ValueSeal, value: unknown): string {
  return toBase64(seal.seal(gzipSync(JSON.stringify(value))));
}

/** Of {@link sealedText}. */
export function openedText(seal: ValueSeal, text: string): unknown {
  return JSON.parse(gunzipSync(seal.open(fromBase64(text))).toString('utf8'));
}
