// Where following must begin so that no transaction is seen without its beginning. `config.transactions`
// refuses snapshot reads, so a transaction may end between the two looks; the log itself tells of those.
import type { Document } from 'mongodb';
import type { Position, SourceTime } from '../../../model/time.ts';
import { comparePositions, minTime } from '../../../model/time.ts';
import type { MongodbConnection } from './connection.ts';
import { positionOf, timeOf, timestampOf } from './native-time.ts';

const chainEntriesMax = 100_000;

/** The newest entry of a majority, or the first entry of the oldest transaction open at it. */
export async function positionBefore(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<Position> {
  let before = await connection.majority(signal);
  const majority = before;
  const open = await connection.command(
    'config',
    {
      find: 'transactions',
      filter: { state: { $in: ['prepared', 'inProgress'] }, startOpTime: { $exists: true } },
      projection: { startOpTime: 1 },
      batchSize: chainEntriesMax,
      singleBatch: true,
    },
    signal,
  );
  for (const row of open.cursor.firstBatch as Document[]) {
    before = earlier(before, positionOf(row.startOpTime));
  }
  for (const link of await chainsAcross(connection, majority, signal)) {
    before = earlier(before, await chainStart(connection, link, signal));
  }
  return before;
}

/**
 * The first entry's time of the oldest transaction that a majority knows to be prepared and undecided. What a
 * majority holds after this call knows every decision that this one missed.
 */
export async function oldestPrepared(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<SourceTime | undefined> {
  const reply = await connection.command(
    'config',
    {
      find: 'transactions',
      filter: { state: 'prepared' },
      projection: { startOpTime: 1, lastWriteOpTime: 1 },
      batchSize: chainEntriesMax,
      singleBatch: true,
      readConcern: { level: 'majority' },
    },
    signal,
  );
  return (reply.cursor.firstBatch as Document[])
    .map((row) => timeOf((row.startOpTime ?? row.lastWriteOpTime).ts))
    .reduce<SourceTime | undefined>((a, b) => (a === undefined ? b : minTime(a, b)), undefined);
}

function earlier(a: Position, b: Position): Position {
  return comparePositions(b, a) < 0 ? b : a;
}

/** Entries after `position` that go on with a batch begun at or before it: their links back. */
async function chainsAcross(
  connection: MongodbConnection,
  position: Position,
  signal: AbortSignal,
): Promise<Position[]> {
  const ts = timestampOf(position.time);
  const reply = await connection.command(
    'local',
    {
      find: 'oplog.rs',
      filter: {
        ts: { $gt: ts },
        op: 'c',
        'prevOpTime.ts': { $lte: ts, $gt: timestampOf(0n) },
      },
      projection: { prevOpTime: 1 },
      batchSize: chainEntriesMax,
      singleBatch: true,
    },
    signal,
  );
  return (reply.cursor.firstBatch as Document[]).map((row) => positionOf(row.prevOpTime));
}

async function chainStart(
  connection: MongodbConnection,
  link: Position,
  signal: AbortSignal,
): Promise<Position> {
  let at = link;
  for (let i = 0; i < chainEntriesMax; i++) {
    const find = { find: 'oplog.rs', filter: { ts: timestampOf(at.time) }, limit: 1 };
    const projection = { op: 1, prevOpTime: 1, 'o.partialTxn': 1, 'o.prepare': 1 };
    const reply = await connection.command(
      'local',
      { ...find, projection, singleBatch: true },
      signal,
    );
    const row = reply.cursor.firstBatch[0] as Document | undefined;
    const goesOn = row?.op === 'c' && (row.o?.partialTxn || row.o?.prepare);
    if (!row || !goesOn) return at;
    const previous = row.prevOpTime && positionOf(row.prevOpTime);
    if (!previous || previous.time === 0n) return at;
    at = previous;
  }
  return at;
}
