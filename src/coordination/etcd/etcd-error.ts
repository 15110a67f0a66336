// What an error of an RPC says: whether another try may help, whether the call may have been carried out,
// and the error that the user reads.
import { status } from '@grpc/grpc-js';
import { CodrError, isCodrError } from '../../base/error.ts';

interface RpcError extends Error {
  readonly code: number;
  readonly details: string;
}

/** The end of a stream that should go on, or a connection that is closed, as if it were an error of the RPC. */
export class StreamError extends Error implements RpcError {
  readonly code: number;
  readonly details: string;

  constructor(details: string) {
    super(details);
    this.details = details;
    const refused = details.includes('permission denied');
    this.code = refused ? status.PERMISSION_DENIED : status.UNAVAILABLE;
  }
}

const isRpcError = (error: unknown): error is RpcError =>
  error instanceof Error && 'code' in error && typeof error.code === 'number';

const transientCodes: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.INTERNAL,
  status.UNAVAILABLE,
]);

/** Another member, or the same one later, may answer. */
export function isTransient(error: unknown): boolean {
  if (!isRpcError(error)) return false;
  return transientCodes.has(error.code) || error.details.includes('too many requests');
}

/** The request surely never left, or was turned away before it could do anything. */
export function wasNeverSent(error: unknown): boolean {
  if (!isRpcError(error)) return false;
  return /^No connection established|Waiting for LB pick|before call started|too many requests/.test(
    error.details,
  );
}

export function isLeaseGone(error: unknown): boolean {
  return isRpcError(error) && error.code === status.NOT_FOUND && /lease/.test(error.details);
}

/** A revision that a list wants is no longer kept. */
export function isCompacted(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {};
  return isRpcError(cause) && cause.code === status.OUT_OF_RANGE;
}

/** The translated form of an error that no other try can help. */
export function refusal(error: unknown, endpoint: string, prefix: string): unknown {
  if (isCodrError(error) || !isRpcError(error)) return error;
  const object = endpoint;
  const message = `etcd at ${endpoint} refuses: ${error.details}`;
  return new CodrError('coordinator-refused', message, {
    object,
    remedy: remedyOf(error, endpoint, prefix),
    cause: error,
  });
}

function remedyOf({ code, details }: RpcError, endpoint: string, prefix: string): string {
  if (code === status.PERMISSION_DENIED || code === status.UNAUTHENTICATED) {
    return `give the etcd user of the certificate readwrite on the keys below "${prefix}/"`;
  }
  if (details.includes('space exceeded')) {
    return `free space in etcd: compact, defragment, then etcdctl --endpoints ${endpoint} alarm disarm`;
  }
  return `see the log of etcd at ${endpoint}`;
}

/** What calls that run when their coordinator is disposed of end with. */
export function closedError(): CodrError {
  return new CodrError('interrupted', 'the coordinator was disposed of');
}

/** For `etcd at <endpoints> …`: what each endpoint last said. */
export function unreachable(lastErrors: ReadonlyMap<string, unknown>, cause: unknown): CodrError {
  const endpoints = [...lastErrors.keys()].sort().join(', ');
  const said = [...lastErrors].map(([endpoint, error]) => `${endpoint}: ${sentence(error)}`).sort();
  return new CodrError('coordinator-unreachable', `etcd does not answer (${said.join('; ')})`, {
    object: endpoints,
    remedy: `see that most members of etcd run and that ${endpoints} can be reached from here`,
    cause,
  });
}

export function sentence(error: unknown): string {
  // grpc-js leaves the end of its sentence empty when there is nothing to add.
  if (isRpcError(error)) return error.details.replace(/[.\s]*Resolution note:\s*$/, '');
  return error instanceof Error ? error.message : String(error);
}
