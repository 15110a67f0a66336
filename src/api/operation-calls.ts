// Requests and results about long work of peers.
import type { Progress } from './call.ts';

export interface ListOperationsRequest {
  /** Only those that run. */
  readonly running: boolean;
}

export interface OperationList {
  readonly operations: readonly OperationDescription[];
}

export interface CancelOperationRequest {
  readonly id: string;
}

/** An operation without its request, which may hold secrets, and without its result. */
export interface OperationDescription {
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
  readonly progress?: Progress;
  /** Somebody has asked it to end; it has not yet. */
  readonly cancelling: boolean;
  /** Why it failed or was cancelled: a sentence. */
  readonly failure?: string;
}
