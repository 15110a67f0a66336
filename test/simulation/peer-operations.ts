// What the operations of a simulated peer do, by the engine, as the calls of a node do it: each opens the source
// anew, learns what is committed, and reads under a pin.
import type { Call, CodrApi } from '../../src/api/codr-api.ts';
import { fakeApi } from '../../src/api/fake-api.fixture.ts';
import type { Clock } from '../../src/base/clock.ts';
import { CodrError } from '../../src/base/error.ts';
import { backup } from '../../src/engine/capture/backup.ts';
import { checkpoint } from '../../src/engine/checkpoint/checkpoint.ts';
import { restorableIntervals } from '../../src/engine/history/source-history.ts';
import { resolvePoint } from '../../src/engine/read/point.ts';
import { restore } from '../../src/engine/restore/restore.ts';
import type { SourceContext } from '../../src/engine/source-context.ts';
import { verify } from '../../src/engine/verify/verify.ts';
import { everything } from '../../src/model/namespace.ts';
import { timeFromHex } from '../../src/model/time.ts';
import { withPin } from '../../src/node/pin.ts';
import { collect } from '../../src/repository/collect/collect.ts';
import type { ProcessProbe } from '../../src/repository/lineage/writer.ts';
import { type Repository, repositoryLineage } from '../../src/repository/repository.ts';
import { databaseOf } from './cluster-world.ts';

/** What operations of a world ask for. */
export interface PeerRequest {
  readonly source?: string;
  readonly follow?: boolean;
  readonly rpoMs?: number;
  /** A collection gives what is stored and not committed no time. */
  readonly impatient?: boolean;
  /** Hex. */
  readonly at?: string;
  /** Name of a database. */
  readonly to?: string;
}

/** The process that runs them. */
export interface PeerEngine {
  readonly repository: Repository;
  /** Names of the sources that are registered now. */
  registered(): Promise<readonly string[]>;
  readonly clock: Clock;
  open(source: string): Promise<SourceContext>;
  probe(): ProcessProbe;
  /** What is read now, under pins: kept here. */
  readonly reading: Set<SourceContext>;
}

const auditEveryMs = 20_000;

export function peerApi(engine: PeerEngine): CodrApi {
  const methods: Partial<Record<string, (request: PeerRequest, call: Call) => Promise<object>>> = {
    backup: (request, { signal }) => runBackup(engine, request, signal),
    restore: (request, { signal }) => runRestore(engine, request, signal),
    verify: (request, { signal }) => runVerify(engine, request, signal),
    checkpoint: (request, { signal }) => runCheckpoint(engine, request, signal),
    collect: (request, { signal }) => runCollect(engine, request, signal),
  };
  return fakeApi(async ({ method, request, call }) => {
    const run = methods[method];
    if (!run) throw new CodrError('usage', `peers of a simulated world do not ${method}`);
    return await run(request as PeerRequest, call);
  });
}

/** Errors: `source-unknown`. */
async function assertRegistered(engine: PeerEngine, source: string): Promise<void> {
  if ((await engine.registered()).includes(source)) return;
  throw new CodrError('source-unknown', `no source is called ${source}`);
}

async function openRegistered(engine: PeerEngine, source: string): Promise<SourceContext> {
  await assertRegistered(engine, source);
  return await engine.open(source);
}

/** Reads what is registered when its pin stands: what was removed before may be gone. */
async function reading<T>(
  engine: PeerEngine,
  source: string,
  read: (context: SourceContext) => Promise<T>,
): Promise<T> {
  const context = await openRegistered(engine, source);
  return await withPin(context, async () => {
    await assertRegistered(engine, source);
    engine.reading.add(context);
    try {
      return await read(context);
    } finally {
      engine.reading.delete(context);
    }
  });
}

async function runBackup(
  engine: PeerEngine,
  { source = '', follow = false, rpoMs = 5000 }: PeerRequest,
  signal: AbortSignal,
): Promise<object> {
  const context = await openRegistered(engine, source);
  await learnCommitted(engine);
  const identity = databaseOf(source);
  const asked = { follow, rpoMs, identity, auditEveryMs, minGrade: 'complete' } as const;
  const { point } = await backup(context, asked, signal);
  return { time: point.time };
}

async function runRestore(
  engine: PeerEngine,
  { source = '', at = '', to = '' }: PeerRequest,
  signal: AbortSignal,
): Promise<object> {
  return await reading(engine, source, async (context) => {
    const options = {
      to: { kind: 'memory', uri: `memory:${to}` },
      when: timeFromHex(at),
      ...{ scope: everything, renames: [], drop: false, verify: true, usersAndRoles: false },
      ttl: 'keep' as const,
    };
    const { items } = await restore(context, options, signal);
    return { items: items.length };
  });
}

async function runVerify(
  engine: PeerEngine,
  { source = '', at = '' }: PeerRequest,
  signal: AbortSignal,
): Promise<object> {
  return await reading(engine, source, async (context) => {
    const { connector, lineage, scope } = context;
    const where = { state: lineage.state, connector, scope };
    const point = resolvePoint(where, timeFromHex(at), everything);
    const options = { point, scope: everything, readData: true };
    const { datasets } = await verify(context, options, signal);
    return { damaged: datasets.filter(({ verdict }) => verdict !== 'whole') };
  });
}

/** Of the newest time. */
async function runCheckpoint(
  engine: PeerEngine,
  { source = '' }: PeerRequest,
  signal: AbortSignal,
): Promise<object> {
  await learnCommitted(engine);
  return await reading(engine, source, async (context) => {
    const at = restorableIntervals(context.lineage.state).at(-1)?.to;
    if (at === undefined) throw new CodrError('time-not-restorable', 'nothing is restorable yet');
    const { datasets } = await checkpoint(context, { at }, signal);
    return { datasets: datasets.length };
  });
}

async function runCollect(
  engine: PeerEngine,
  { impatient }: PeerRequest,
  signal: AbortSignal,
): Promise<object> {
  const { repository } = engine;
  const lineage = await repository.openLineage(repositoryLineage);
  const { clock } = engine;
  const probe = engine.probe();
  const { packsRemoved } = await collect({
    ...{ repository, lineage, clock, probe, signal },
    ...(impatient && { uncommittedAgeMs: -1 }),
  });
  return { packsRemoved };
}

async function learnCommitted({ repository, registered, open }: PeerEngine): Promise<void> {
  for (const source of await registered()) repository.learn((await open(source)).lineage);
}
