// Errors of the driver and the server as errors of CODR. Sources: the server's error_codes.yml, and
// messages seen on 5.0.4, 6.0.5 and 6.0.27.
import {
  MongoError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoParseError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
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
  invalidOptions: 72,
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
  // Of a client that is connecting for two reads at a time: the driver tells one why it cannot, and the other this.
  if (error instanceof MongoTopologyClosedError) return true;
  return passingCodes.has(codeOf(error) ?? -1) || isBehind(error);
}

/** The member has not heard yet of the time at which it is to be read. Seen on 6.0.5, of a busy secondary. */
function isBehind(error: unknown): boolean {
  if (codeOf(error) !== serverCodes.invalidOptions) return false;
  return (error as MongoServerError).message.includes('greater than the current clusterTime');
}

/** Which side of a backup or restore an error came from: it decides the code. */
export type Side = 'source' | 'target';

/**
 * `error` as a {@link CodrError} where it is one of the driver's; all else comes back as it is.
 * `where`: the hosts or the namespace it is about.
 */
export function translated(error: unknown, where: string, side: Side = 'source'): unknown {
  if (isUnresolved(error)) {
    const message = `${where} does not answer: ${error.message}`;
    return new CodrError('source-unreachable', message, { object: where, cause: error });
  }
  if (!(error instanceof MongoError)) return error;
  shorten(error);
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
  const otherSet = nameOfStrangeSet(error);
  if (otherSet !== undefined) {
    const message = `${where}: none of these hosts is a member of a replica set ${otherSet}`;
    return wrap('source-unreachable', message, 'correct replicaSet, or the hosts, in the URI');
  }
  if (isPassing(error)) {
    const cause = error.cause instanceof Error ? error.cause.message : '';
    const why = error.message.includes(cause) ? '' : ` (${cause})`;
    return wrap('source-unreachable', `${where} does not answer: ${error.message}${why}`);
  }
  return wrap(`${side}-unfit`, `${where}: the server answers: ${error.message}`);
}

/**
 * Whatever the driver says when it reads a URI, as `config-invalid`. Its parser has error classes of its own.
 * The driver's words are left out where they could be a part of a password with signs that it took for
 * the end of the login.
 */
export function invalidUri(error: unknown, uri: string, side: Side): CodrError {
  const what = `the URI of the ${side} is not valid`;
  const hasLogin = uri.includes('@');
  const message = error instanceof Error ? error.message : String(error);
  if (/unescaped|malformed|Invalid connection string/.test(message)) {
    return new CodrError('config-invalid', hasLogin ? `${what}: its login cannot be read` : what, {
      remedy: hasLogin
        ? 'write these signs of user and password percent-encoded: % as %25, @ as %40, : as %3A, / as %2F, ' +
          '? as %3F, # as %23'
        : 'write mongodb://user@host1:27017,host2:27017/?replicaSet=name',
    });
  }
  if (/^Unable to parse/.test(message)) {
    const place = hasLogin
      ? 'a host or port'
      : message.replace(/^Unable to parse | with URL$/g, '');
    return new CodrError('config-invalid', `${what}: ${place} cannot be read`, {
      remedy:
        'write host:port, with a port from 1 to 65535' +
        (hasLogin ? ', and @ in user and password as %40' : ''),
    });
  }
  return new CodrError('config-invalid', `${what}: ${message}`, { cause: error });
}

/** The set of the URI, when all hosts answered and none is of it: the driver forgets those, and waits for others. */
function nameOfStrangeSet(error: MongoError): string | undefined {
  if (!(error instanceof MongoServerSelectionError)) return undefined;
  const { reason } = error;
  return reason?.servers?.size === 0 ? (reason.setName ?? undefined) : undefined;
}

/** DNS does not know the name of a `mongodb+srv` URI, or does not answer: an error of Node's own. */
function isUnresolved(error: unknown): error is Error {
  const call = error instanceof Error && 'syscall' in error ? error.syscall : undefined;
  return call === 'querySrv' || call === 'queryTxt';
}

/** A refusal repeats the whole command, with session and signature: only its beginning says something. */
function shorten(error: MongoError): void {
  error.message = error.message.replace(/(to execute command \{ \w+: [^,{}]+),.*$/s, '$1, … }');
}

const rolesNeeded = {
  source: 'grant the roles backup and clusterMonitor on admin',
  target: 'grant the roles restore and backup on admin',
} as const;

/** "not authorized on app to execute command { find: …" → "find on app". */
function missingRight(message: string, side: Side): { action: string; remedy: string } {
  if (/requires authentication/.test(message)) {
    return { action: 'to answer without a login', remedy: 'name a user in the URI' };
  }
  const match = /not authorized on (\S+) to execute command \{ (\w+):/.exec(message);
  const action = match
    ? `the action ${match[2]} on database ${match[1]}`
    : `an action (${message})`;
  return { action, remedy: rolesNeeded[side] };
}
