// What can be known of a source before work begins: version, kind, rights, how long its log and its
// snapshots reach back. Each finding says what to do.
import type { Document } from 'mongodb';
import { isCodrError } from '../../../base/error.ts';
import type { Finding } from '../../connector.ts';
import type { MongodbConnection } from './connection.ts';
import { timeOf } from './native-time.ts';

const oldestMajor = 5;
/** A base copy and a night without CODR should both fit into the log. */
const logHoursLeast = 24;
/** The least that replSetResizeOplog takes, and that a server chooses by itself. */
const logMibLeast = 990;
/** Below this share of its maximum a log says nothing about how long it will reach back. */
const logShareLeast = 0.1;
const snapshotSecondsLeast = 60;

export async function checkSource(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Finding[]> {
  const parts = [checkVersion, checkRights, checkLog, checkSnapshots, checkMembers];
  const findings: Finding[] = [];
  for (const part of parts) {
    try {
      findings.push(...(await part(connection, signal)));
    } catch (error) {
      signal.throwIfAborted();
      if (!isCodrError(error)) throw error;
      findings.push({ level: 'error', message: error.message, remedy: error.remedy });
    }
  }
  return findings;
}

async function checkVersion(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { version, versionArray } = await connection.admin({ buildInfo: 1 }, signal);
  if (versionArray[0] >= oldestMajor) return [{ level: 'fine', message: `server ${version}` }];
  return [
    {
      level: 'error',
      message: `server ${version} has no snapshot reads outside of transactions`,
      remedy: 'upgrade to MongoDB 5.0 or later',
    },
  ];
}

/** What a backup does, tried once each. */
async function checkRights(connection: MongodbConnection, signal: AbortSignal): Promise<Finding[]> {
  const one = { limit: 1, singleBatch: true };
  const tries: readonly [string, Document][] = [
    ['local', { find: 'oplog.rs', ...one }],
    ['config', { find: 'transactions', ...one }],
    ['admin', { find: 'system.users', projection: { _id: 1 }, ...one }],
    ['admin', { listDatabases: 1, nameOnly: true }],
    ['admin', { replSetGetStatus: 1 }],
    ['admin', { appendOplogNote: 1, data: { msg: 'codr: check' } }],
  ];
  const refused: Finding[] = [];
  for (const [database, command] of tries) {
    try {
      await connection.command(database, command, signal);
    } catch (error) {
      if (!isCodrError(error, 'source-rights')) throw error;
      refused.push({ level: 'error', message: error.message, remedy: error.remedy });
    }
  }
  return refused.length > 0 ? refused : [{ level: 'fine', message: 'the rights suffice' }];
}

async function checkLog(connection: MongodbConnection, signal: AbortSignal): Promise<Finding[]> {
  const [first, last] = await Promise.all(
    ([1, -1] as const).map(async ($natural) => {
      const find = { find: 'oplog.rs', sort: { $natural }, limit: 1, singleBatch: true };
      const reply = await connection.command('local', { ...find, projection: { ts: 1 } }, signal);
      return reply.cursor.firstBatch[0] ? timeOf(reply.cursor.firstBatch[0].ts) : 0n;
    }),
  );
  const spanHours = Number(((last as bigint) >> 32n) - ((first as bigint) >> 32n)) / 3600;
  const stats = await connection.command('local', { collStats: 'oplog.rs' }, signal);
  const { oplogTruncation } = await connection.admin({ serverStatus: 1 }, signal);
  const keptHours = Number(oplogTruncation?.oplogMinRetentionHours ?? 0);
  return [judgeLog({ spanHours, bytes: stats.size, bytesMax: stats.maxSize, keptHours })];
}

/** How far a log reaches back, by its maximum and by the time that it spans. Exported for tests. */
export function judgeLog(log: {
  readonly spanHours: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** What the server keeps whatever the maximum says. */
  readonly keptHours: number;
}): Finding {
  const { spanHours, bytes, bytesMax, keptHours } = log;
  const mibMax = Math.round(bytesMax / 2 ** 20);
  const share = Math.min(1, bytes / bytesMax);
  const message =
    `the oplog spans ${hoursText(spanHours)}, ` +
    `${Math.round(share * 100)} % of its maximum of ${mibMax} MiB`;
  const reachHours = Math.max(spanHours / share, keptHours);
  const isShort = share >= logShareLeast && reachHours < logHoursLeast;
  const isSmall = mibMax < logMibLeast && keptHours < logHoursLeast;
  if (!isShort && !isSmall) return { level: 'fine', message };
  const why = isShort
    ? `at this pace it reaches back ${hoursText(reachHours)}, less than ${logHoursLeast} h`
    : `that is less than ${logMibLeast} MiB`;
  const size = isSmall ? ` size: Double(${logMibLeast}),` : '';
  return {
    level: 'warning',
    message: `${message}; ${why}: after a longer pause there is a hole, and a new base copy is needed`,
    remedy: `on each member: db.adminCommand({ replSetResizeOplog: 1,${size} minRetentionHours: Double(${logHoursLeast}) })`,
  };
}

function hoursText(hours: number): string {
  return hours < 1 ? `${Math.round(hours * 60)} min` : `${hours.toFixed(1)} h`;
}

async function checkSnapshots(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Finding[]> {
  const name = 'minSnapshotHistoryWindowInSeconds';
  const reply = await connection.admin({ getParameter: 1, [name]: 1 }, signal);
  const seconds = Number(reply[name]);
  const message = `snapshots reach back ${seconds} s`;
  if (seconds >= snapshotSecondsLeast) return [{ level: 'fine', message }];
  const remedy = `db.adminCommand({ setParameter: 1, ${name}: 300 })`;
  return [{ level: 'warning', message: `${message}: long reads are cut off and repeated`, remedy }];
}

async function checkMembers(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Finding[]> {
  const readers = await connection.readers(signal);
  const secondaries = readers.length - 1;
  if (secondaries > 0)
    return [{ level: 'fine', message: `${secondaries} secondaries to read from` }];
  return [
    { level: 'fine', message: 'reads go to the primary: there is no secondary to read from' },
  ];
}
