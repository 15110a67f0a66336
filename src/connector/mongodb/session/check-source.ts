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
  const hours = Number(((last as bigint) >> 32n) - ((first as bigint) >> 32n)) / 3600;
  const stats = await connection.command('local', { collStats: 'oplog.rs' }, signal);
  const filled = stats.size / stats.maxSize;
  const message = `the oplog holds ${hours.toFixed(1)} h in ${Math.round(stats.size / 2 ** 20)} MiB`;
  // A young log that is not full yet says nothing about how long it will reach back.
  if (hours >= logHoursLeast || filled < 0.9) return [{ level: 'fine', message }];
  return [
    {
      level: 'warning',
      message: `${message}: after a longer pause a new base copy is needed`,
      remedy: `db.adminCommand({ replSetResizeOplog: 1, minRetentionHours: ${logHoursLeast} })`,
    },
  ];
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
