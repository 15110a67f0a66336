// Errors of the driver and the server as errors of CODR. Sources: the server's error_codes.yml, and
// messages seen on 5.0.4, 6.0.5 and 6.0.27.
import {
  MongoError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoParseError,
  MongoServerError,
  MongoServerSelectionError,
} from 'mongodb';
import { CodrError } from '../../../base/error.ts';
import type { ErrorCode } from '../../../base/error-catalogue.ts';

/** Codes of the server that CODR acts on. */
export const serverCodes = {
  unauthorized: 13,
  authenticationFailed: 18,
  namespaceNotFound: 26,
  namespaceExists: 48,
  cursorNotFound: 43,
  maxTimeExpired: 50,
  writeConcernTimeout: 64,
  cappedPositionLost: 136,
  queryPlanKilled: 175,
  cursorKilled: 237,
  snapshotTooOld: 239,
  snapshotUnavailable: 246,
  duplicateKey: 11000,
} as const;

/** Codes that say: this member cannot answer now, or not in time; another one or a later try can. */
const passingCodes = new Set([
  6, 7, 43, 50, 64, 89, 91, 134, 136, 175, 189, 237, 262, 9001, 10107, 11600, 11602, 13435, 13436,
]);

/** The server's code, when it answered with one; of a translated error too. */
export function codeOf(error: unknown): number | undefined {
  if (error instanceof CodrError) return codeOf(error.cause);
  if (!(error instanceof MongoServerError)) return undefined;
  const { code } = error;
  return code === undefined ? undefined : Number(code);
}

/** True for failures that pass: network, elections, killed cursors. */
export function isPassing(error: unknown): boolean {
  if (error instanceof CodrError) return error.code === 'source-unreachable';
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  return passingCodes.has(codeOf(error) ?? -1);
}

/** Which side of a backup or restore an error came from: it decides the code. */
export type Side = 'source' | 'target';

/**
 * `error` as a {@link CodrError} where it is one of the driver's; all else comes back as it is.
 * `where`: the hosts or the namespace it is about.
 */
export function translated(error: unknown, where: string, side: Side = 'source'): unknown {
  if (!(error instanceof MongoError)) return error;
  const wrap = (code: ErrorCode, message: string, remedy?: string): CodrError =>
    new CodrError(code, message, { object: where, cause: error, ...(remedy && { remedy }) });
  if (error instanceof MongoParseError || error instanceof MongoInvalidArgumentError) {
    return wrap('config-invalid', `the URI of the ${side} is not valid: ${error.message}`);
  }
  const code = codeOf(error);
  if (code === serverCodes.unauthorized) {
    const { action, remedy } = missingRight(error.message, side);
    return wrap(`${side}-rights`, `${where}: the ${side} refuses ${action}`, remedy);
  }
  if (code === serverCodes.authenticationFailed) {
    return wrap(
      `${side}-rights`,
      `${where}: the login was refused`,
      'check user, password, authSource',
    );
  }
  if (code === serverCodes.snapshotTooOld || code === serverCodes.snapshotUnavailable) {
    return wrap('snapshot-too-old', `${where}: ${error.message}`);
  }
  if (isPassing(error)) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return wrap('source-unreachable', `${where} does not answer: ${error.message}${cause}`);
  }
  return wrap(`${side}-unfit`, `${where}: the server answers: ${error.message}`);
}

const rolesNeeded = {
  source: 'grant the roles backup and clusterMonitor on admin',
  target: 'grant the roles restore and backup on admin',
} as const;

/** "not authorized on app to execute command { find: …" → "find on app". */
function missingRight(message: string, side: Side): { action: string; remedy: string } {
  const match = /not authorized on (\S+) to execute command \{ (\w+):/.exec(message);
  const action = match
    ? `the action ${match[2]} on database ${match[1]}`
    : `an action (${message})`;
  return { action, remedy: rolesNeeded[side] };
}
