// How operations lie in the coordinator:
//   operations/<id>                    what it is and how it ended; the request, sealed
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

/** Value of `operations/<id>`. */
export interface OperationRecord {
  readonly id: string;
  readonly kind: OperationKind;
  readonly source?: string;
  readonly by: string;
  readonly created: string;
  /** Base64, sealed. */
  readonly request: string;
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
}

/** Value of `operation-keys/<hash>`. */
export interface KeyRecord {
  readonly id: string;
  /** Hash of kind and request. */
  readonly asked: string;
}

export const operationsPrefix = 'operations/';
export const ownersPrefix = 'operation-owners/';
export const cancelsPrefix = 'operation-cancels/';
const resultsPrefix = 'operation-results/';
const keysPrefix = 'operation-keys/';

export const operationKey = (id: string): string => `${operationsPrefix}${id}`;
export const ownerKey = (id: string): string => `${ownersPrefix}${id}`;
export const cancelKey = (id: string): string => `${cancelsPrefix}${id}`;
export const resultKey = (id: string, part: string): string => `${resultsPrefix}${id}/${part}`;

/** Of a caller and the key that it gave. */
export function idempotencyName(by: string, key: string): string {
  return `${keysPrefix}${requestHash([by, key])}`;
}

/** Equal for requests of equal meaning. */
export function askedHash(kind: OperationKind, request: OperationRequest): string {
  return requestHash([kind, request]);
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

export function sealedError(seal: ValueSeal, error: ErrorDetail): string {
  const { factsJson, ...told } = error;
  const whole = sealedText(seal, error);
  if (whole.length <= requestLengthMax || factsJson === undefined) return whole;
  // Facts are for programs; a list that is too long for the coordinator is left out, its sentence is not.
  return sealedText(seal, told);
}

/**
 * After a takeover a target may be full of what the peer before gave back: it was lost between that and writing it
 * down, and a target that is done with remembers no restore.
 */
export async function toldAfterTakeover(
  coordinator: Coordinator,
  { id, claim }: { readonly id: string; readonly claim: number },
  error: ErrorDetail,
): Promise<ErrorDetail> {
  if (error.code !== 'target-not-empty') return error;
  const made = await coordinator.get(operationKey(id));
  if (!made || made.createRevision === claim) return error;
  const before = 'a peer that was lost had begun this restore and may have ended it';
  return { ...error, remedy: `${before}: see by \`codr verify --against\`, or ${error.remedy}` };
}

/** Begins the names of the parts that one owner wrote. */
const partsPrefix = (id: string, claim: number): string => `${resultsPrefix}${id}/${claim}-`;

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
  { id, resultParts, resultClaim }: OperationRecord,
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
  record: OperationRecord,
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

/** Ended operations that are still known. */
const endedMax = 1000;

/** Of what ended, the newest stay. */
export async function forgetOld(
  coordinator: Coordinator,
  entries: readonly CoordinatorEntry[],
): Promise<void> {
  const ended = entries.map(recordOf).filter(({ state }) => state !== 'running');
  if (ended.length <= endedMax) return;
  ended.sort((a, b) => ((a.ended ?? '') < (b.ended ?? '') ? -1 : 1));
  for (const { id, key } of ended.slice(0, ended.length - endedMax)) {
    for (const part of await coordinator.list(`${resultsPrefix}${id}/`)) {
      await coordinator.transact([], [{ delete: part.key }]);
    }
    await coordinator.transact([], [{ delete: operationKey(id) }, { delete: key }]);
  }
}

export function recordOf({ value }: Pick<CoordinatorEntry, 'value'>): OperationRecord {
  return JSON.parse(value) as OperationRecord;
}

/** Base64, sealed. */
export function sealedText(seal: ValueSeal, value: unknown): string {
  return toBase64(seal.seal(gzipSync(JSON.stringify(value))));
}

/** Of {@link sealedText}. */
export function openedText(seal: ValueSeal, text: string): unknown {
  return JSON.parse(gunzipSync(seal.open(fromBase64(text))).toString('utf8'));
}
