// Capturing, and looking at what was captured.
import type * as api from '../../api/codr-api.ts';
import { CodrError } from '../../base/error.ts';
import type { Connector } from '../../connector/connector.ts';
import { backup as runBackup } from '../../engine/capture/backup.ts';
import { countsAt, type DatasetCount } from '../../engine/read/counts.ts';
import { scopeMeaningAt } from '../../engine/read/empty-point.ts';
import { type PointContext, parseWhen, resolvePoint } from '../../engine/read/point.ts';
import { type FoundRecords, recordAt, recordHistory } from '../../engine/read/record-history.ts';
import type { SourceContext } from '../../engine/source-context.ts';
import { type SourceTime, timeFromHex } from '../../model/time.ts';
import { lostLineage } from '../../repository/collect/collect-context.ts';
import { isBegun } from '../../repository/collect/condemned.ts';
import { describeHoles, describePoint, describePoints, momentOf, spanOf } from '../describe.ts';
import type { NodeContext } from '../node-context.ts';
import { type FollowTry, followOn } from './follow-on.ts';

/** One range of about 256 KiB a minute: four hours for 60 MiB of random samples. */
const auditEveryMs = 60_000;

/** Following outlives a store or a source that is away. */
export async function backup(
  node: NodeContext,
  request: api.BackupRequest,
  call: api.Call,
): Promise<api.BackupResult> {
  if (!request.follow) return await backupOnce(node, request, call, { goesOn: false });
  const { clock, log } = node.world;
  const { signal } = call;
  const none: api.Progress = { phase: 'waiting', records: 0, bytes: 0, seconds: 0 };
  const once = async ({ goesOn, begun }: FollowTry): Promise<api.BackupResult> => {
    const progress = (report: api.Progress): void => {
      begun();
      call.progress?.(report);
    };
    return await backupOnce(node, request, { signal, progress }, { goesOn });
  };
  return await followOn(once, {
    ...{ clock, log, signal, isUnattended: node.cluster !== undefined },
    waiting: ({ message }) => call.progress?.({ ...none, note: message }),
  });
}

async function backupOnce(
  node: NodeContext,
  request: api.BackupRequest,
  call: api.Call,
  { goesOn }: Pick<FollowTry, 'goesOn'>,
): Promise<api.BackupResult> {
  const storedBefore = node.bytesStored;
  const bytesStored = (): number => node.bytesStored - storedBefore;
  const { registered, context } = await node.source(request.source, 'heavy');
  // A new history in its place would look as if there had never been another one.
  if (!isBegun(context.lineage.state)) throw lostLineage(registered.id);
  if (request.minGrade !== undefined) refuseGrade(context);
  await node.learnCommitted(context.repository);
  const outcome = await runBackup(
    context,
    {
      follow: request.follow,
      goesOn,
      rpoMs: rpoSecondsOf(context, request) * 1000,
      identity: registered.identity,
      auditEveryMs,
      minGrade: request.minGrade ?? 'quorum-safe',
      listener: (report) => call.progress?.({ ...report, bytesStored: bytesStored() }),
    },
    call.signal,
  );
  const { connector, lineage } = context;
  const { point, interval, ...counts } = outcome;
  node.world.log.debug({ source: request.source, seq: lineage.seq, point: point.id }, 'committed');
  const { id, time, wall, datasets } = describePoint(connector, point.id, point);
  return {
    source: request.source,
    point: { id, time, wall },
    interval: spanOf(connector, interval),
    datasets,
    records: counts.records,
    changes: counts.changes,
    bytesRead: counts.bytesRead,
    bytesStored: bytesStored(),
    bytesDeduplicated: counts.bytesDeduplicated,
    holes: describeHoles(context),
    ...(point.grade && { grade: point.grade }),
    warnings: [...(counts.notes ?? []), ...(await scopeWarnings(context, timeFromHex(point.time)))],
    seconds: counts.seconds,
  };
}

/** Points of a log are whole, or are not made: there is nothing to be content with. */
function refuseGrade({ name, connector }: SourceContext): void {
  if (!connector.capabilities.orderedLog) return;
  throw new CodrError('usage', `--min-grade means nothing for ${connector.kind}`, {
    object: name,
    remedy: 'leave it out: each point of a log is one moment of all members, and has no grade',
  });
}

/** A cut is a flush of every node: seconds apart they would be a burden. Errors: `usage`. */
function rpoSecondsOf({ connector }: SourceContext, { rpoSeconds }: api.BackupRequest): number {
  if (rpoSeconds === undefined) return connector.capabilities.orderedLog ? 5 : 900;
  if (Number.isFinite(rpoSeconds) && rpoSeconds > 0) return rpoSeconds;
  throw new CodrError('usage', `rpoSeconds is ${rpoSeconds}, which is no length of time`);
}

async function scopeWarnings(context: SourceContext, at: SourceTime): Promise<string[]> {
  const { isEmpty, idle } = await scopeMeaningAt(context, at);
  const see = `see \`codr source show ${context.name}\``;
  if (isEmpty) {
    return [`nothing that the source holds is in scope: this backup holds no data; ${see}`];
  }
  return idle.map((pattern) => `the scope names ${pattern}, and nothing is called so; ${see}`);
}

export async function points(
  node: NodeContext,
  { source }: api.SourceRequest,
): Promise<api.Points> {
  const { context } = await node.source(source);
  return describePoints(context, node.world.clock.now());
}

export async function listDatasets(
  node: NodeContext,
  request: api.ListRequest,
): Promise<api.DatasetList> {
  const { context } = await node.source(request.source);
  const at = parseWhen(pointContext(context), request.at);
  const { datasets } = resolvePoint(pointContext(context), at);
  const counts = await countsAt(context, datasets, at);
  return {
    source: request.source,
    at: momentOf(context.connector, at),
    datasets: datasets
      .map(({ entry }) => ({
        namespace: entry.namespace,
        id: entry.dataset,
        kind: entry.kind,
        ...(counts.get(entry.dataset) as DatasetCount),
      }))
      .sort((a, b) => (a.namespace < b.namespace ? -1 : 1)),
  };
}

export async function getRecord(
  node: NodeContext,
  request: api.GetRequest,
): Promise<api.RecordResult> {
  const { context } = await node.source(request.source);
  const { connector } = context;
  const at = parseWhen(pointContext(context), request.at);
  const { namespace, key } = request;
  const wanted = { namespace, key, at };
  const { found, versions } = request.history
    ? await recordHistory(context, wanted)
    : { found: await recordAt(context, wanted), versions: undefined };
  return {
    source: request.source,
    namespace,
    key,
    at: momentOf(connector, at),
    ...renderFound(connector, found),
    ...(versions && {
      history: versions.map(({ time, change, ...version }) => ({
        ...momentOf(connector, time),
        change,
        ...renderFound(connector, version),
      })),
    }),
  };
}

/** One record as its JSON text, several as an array with one a line. */
function renderFound(
  connector: Connector,
  { entry, records, hasMore, isOne }: FoundRecords,
): Pick<api.RecordResult, 'value' | 'more'> {
  if (records.length === 0) return {};
  const texts = connector.renderValue(entry, records);
  const value = isOne ? texts[0] : `[\n${texts.join(',\n')}\n]`;
  return { ...(value !== undefined && { value }), ...(hasMore && { more: true }) };
}

export function pointContext({ lineage, connector, scope }: SourceContext): PointContext {
  return { state: lineage.state, connector, scope };
}
