// Long work as resources: an operation is created, watched, cancelled and asked for its result, by whoever
// may, and goes on when its creator hangs up. Behind this interface lies one process, or a cluster that
// keeps them where every peer finds them.
import type { Progress } from './call.ts';
import type { CodrApi, OperationDescription } from './codr-api.ts';

/** What can be an operation, by the words of the command line, and the method of the API that does it. */
export const operationMethods = {
  backup: 'backup',
  restore: 'restore',
  verify: 'verify',
  checkpoint: 'checkpoint',
  collect: 'collect',
  check: 'check',
  'source-add': 'addSource',
  'source-check': 'checkSource',
  'source-rebase': 'rebaseSource',
  'source-remove': 'removeSource',
} as const satisfies Record<string, keyof CodrApi>;

export type OperationKind = keyof typeof operationMethods;

/** False for one that a newer version has begun, as while peers are replaced one by one. */
export function isKnownKind(kind: string): kind is OperationKind {
  return Object.hasOwn(operationMethods, kind);
}

/** Request and result of a kind. */
export type OperationRequest<K extends OperationKind = OperationKind> = Parameters<
  CodrApi[(typeof operationMethods)[K]]
>[0];
export type OperationResult<K extends OperationKind = OperationKind> = Awaited<
  ReturnType<CodrApi[(typeof operationMethods)[K]]>
>;

/** Why a call or an operation failed; `src/api/error-detail.ts` makes it of an error, and back. */
export interface ErrorDetail {
  readonly code: string;
  readonly message: string;
  readonly object?: string;
  readonly remedy: string;
  readonly exitCode: number;
  /** Sentences, nearest cause first. */
  readonly causes: readonly string[];
  /** A JSON object. */
  readonly factsJson?: string;
}

/** An operation as all may see it: its request, which may hold secrets, is not shown. */
export interface Operation {
  readonly id: string;
  readonly kind: string;
  /** Absent when it is about the repository. */
  readonly source?: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled';
  /** Name of the caller who created it. */
  readonly by: string;
  /** RFC 3339. */
  readonly created: string;
  /** RFC 3339; absent while it runs. */
  readonly ended?: string;
  /** Of the newest event. */
  readonly sequence: number;
  readonly progress?: Progress;
  /** Somebody has asked it to end; it has not yet. */
  readonly cancelling: boolean;
  /** When the state is `done`; survives JSON. */
  readonly result?: OperationResult;
  /** When it failed or was cancelled. */
  readonly error?: ErrorDetail;
}

/** One thing that happened. Exactly one of `progress` and `changed` is there. */
export interface OperationEvent {
  /** Grows with each event of the operation; 1 is the first. */
  readonly sequence: number;
  /** RFC 3339. */
  readonly at: string;
  readonly progress?: Progress;
  /** The state is another one now; the last event has its result or error. */
  readonly changed?: Operation;
}

/** Where operations are kept and run. */
export interface OperationStore {
  /**
   * Starts work. The same key with the same request gives the same operation; with another request it is
   * refused (`usage`). `by` is the caller's name; keys of different callers have nothing to do with each other.
   */
  create(
    kind: OperationKind,
    request: OperationRequest,
    idempotencyKey: string,
    by: string,
  ): Promise<Operation>;
  /** Errors: `operation-unknown`. */
  get(id: string): Promise<Operation>;
  /** Newest first; those that ended long ago are forgotten. `running`: those that have ended may be left out. */
  list(only?: 'running' | 'all'): Promise<readonly Operation[]>;
  /**
   * Events after a sequence number, until it has ended. Old reports may be left out, the last state is
   * always there. Errors: `operation-unknown`; the signal's reason.
   */
  watch(id: string, afterSequence: number, signal: AbortSignal): AsyncIterable<OperationEvent>;
  /** Asks it to end at the next safe place. Changes nothing when it has ended. Errors: `operation-unknown`. */
  cancel(id: string): Promise<Operation>;
}

/** The source that a request is about. */
export function sourceOf(request: OperationRequest): string | undefined {
  return 'source' in request ? request.source : undefined;
}

export const isEnded = ({ state }: Operation): boolean => state !== 'running';

/** As lists and people have it: no result, the error as its sentence. */
export function describeOperation(operation: Operation): OperationDescription {
  const { result: _, error, sequence: __, ...rest } = operation;
  return { ...rest, ...(error && { failure: error.message }) };
}
