// Giving back.
import type * as api from '../../api/codr-api.ts';
import { CodrError } from '../../base/error.ts';
import { countsAt } from '../../engine/read/counts.ts';
import { parseWhen, type ResolvedPoint, resolvePoint } from '../../engine/read/point.ts';
import { parseDatacenters } from '../../engine/restore/map-datacenters.ts';
import { planRestore as runPlan } from '../../engine/restore/plan-restore.ts';
import {
  type RestoreOptions,
  type RestoreOutcome,
  restore as runRestore,
} from '../../engine/restore/restore.ts';
import { type PartsWish, parseDatasetQuery } from '../../engine/restore/restore-ranges.ts';
import type { SourceContext } from '../../engine/source-context.ts';
import { verify as runVerify, type VerifiedDataset } from '../../engine/verify/verify.ts';
import { globMatches, parseRenames, parseScope } from '../../model/namespace.ts';
import { momentOf } from '../describe.ts';
import type { NodeContext } from '../node-context.ts';
import { withPin } from '../pin.ts';
import { namedCluster } from '../source-registry.ts';
import { pointContext } from './history-calls.ts';
import { finishedBefore, handOver } from './restore-handover.ts';

export async function planRestore(
  node: NodeContext,
  request: api.RestoreRequest,
  call: api.Call,
): Promise<api.RestorePlan> {
  const { context } = await node.source(request.source, 'heavy');
  const options = await optionsOf(node, context, request, call);
  const { at, resumes, items, definitions, plan, estimate, warnings } = await runPlan(
    context,
    options,
    call.signal,
  );
  return {
    source: request.source,
    at: momentOf(context.connector, at),
    resumes,
    datasets: items
      .filter(({ entry }) => entry.role === 'data')
      .map(({ entry, namespace, count, ranges, expiring }) => ({
        from: entry.namespace,
        to: namespace,
        ...count,
        ranges,
        ...(expiring && { expiring: expiring.count, expiringExact: expiring.exact }),
      })),
    definitions,
    conflicts: plan.conflicts,
    dropped: plan.dropped,
    skipped: plan.skipped,
    warnings,
    estimate,
  };
}

export async function restore(
  node: NodeContext,
  request: api.RestoreRequest,
  call: api.Call,
): Promise<api.RestoreResult> {
  const { context } = await node.source(request.source, 'heavy');
  const { source } = request;
  return await withPin(context, async () => {
    const options = await optionsOf(node, context, request, call);
    const before = await finishedBefore(context, options, call);
    if (before) return before;
    const finishing = async (outcome: RestoreOutcome): Promise<void> =>
      await handOver(context, call, { at: outcome.at, result: resultOf(context, source, outcome) });
    const outcome = await runRestore(context, { ...options, finishing }, call.signal);
    return resultOf(context, source, outcome);
  });
}

function resultOf(
  { connector }: SourceContext,
  source: string,
  outcome: RestoreOutcome,
): api.RestoreResult {
  return {
    source,
    at: momentOf(connector, outcome.at),
    datasets: outcome.items.map(({ from, to, records, bytes, root, proven, reads }) => ({
      from,
      to,
      records,
      bytes,
      root,
      proven,
      ...(reads && { reads: { made: reads.made, own: reads.own, expired: reads.expired } }),
    })),
    definitions: outcome.definitions,
    dropped: outcome.finish.dropped,
    skipped: outcome.skipped,
    changedByTarget: outcome.items.flatMap(({ to, changedByTarget }) =>
      changedByTarget.map(({ text }) => ({ namespace: to, key: text })),
    ),
    tornTransactions: outcome.tornTransactions,
    warnings: outcome.warnings,
    seconds: outcome.seconds,
  };
}

export async function verify(
  node: NodeContext,
  request: api.VerifyRequest,
  call: api.Call,
): Promise<api.VerifyResult> {
  const { context } = await node.source(request.source, 'heavy');
  const { connector } = context;
  const { readData, against } = request;
  const { include, exclude } = parseScope(request);
  const other =
    against === undefined ? undefined : await namedCluster(node.connectors, against, node.env);
  return await withPin(context, async () => {
    const at = parseWhen(pointContext(context), request.at);
    const point = resolvePoint(pointContext(context), at, { include, exclude });
    const outcome = await runVerify(
      context,
      {
        point,
        scope: { include, exclude },
        readData,
        ...(other && { against: other.config }),
        ...(call.progress && { listener: call.progress }),
      },
      call.signal,
    );
    return {
      source: request.source,
      at: momentOf(connector, at),
      ...(other && { against: connector.redact(other.config.uri) }),
      ...outcome,
      datasets: await withEstimates(context, point, outcome.datasets),
    };
  });
}

/** What was not folded is counted by its base copy. */
async function withEstimates(
  context: SourceContext,
  { at, datasets }: ResolvedPoint,
  verified: readonly VerifiedDataset[],
): Promise<api.VerifiedDataset[]> {
  const unfolded = verified.filter(({ root }) => root === undefined);
  const names = new Set(unfolded.map(({ namespace }) => namespace));
  const asked = datasets.filter(({ entry }) => names.has(entry.namespace));
  const counts = await countsAt(context, asked, at);
  const estimated = new Set(
    asked
      .filter(({ entry }) => counts.get(entry.dataset)?.estimated)
      .map(({ entry }) => entry.namespace),
  );
  return verified.map((dataset) =>
    dataset.root === undefined && estimated.has(dataset.namespace)
      ? { ...dataset, estimated: true }
      : dataset,
  );
}

async function optionsOf(
  node: NodeContext,
  context: SourceContext,
  request: api.RestoreRequest,
  call: api.Call,
): Promise<RestoreOptions> {
  const { include, drop, ttl, verify, to } = request;
  const scope = parseScope(request);
  const { at } = request;
  return {
    to: (await namedCluster(node.connectors, to, node.env)).config,
    when: at === 'latest' ? at : parseWhen(pointContext(context), at),
    scope,
    renames: parseRenames(request.renames),
    drop,
    ttl,
    usersAndRoles: include.some(namesUsersOrRoles),
    verify,
    ...limitOf(request),
    ...partsOf(request),
    ...datacentersOf(request),
    ...(request.tombstones === 'keep' && { keepsDeletions: true }),
    ...(call.progress && { listener: call.progress }),
  };
}

/** Errors: `usage`. */
function limitOf({ bytesPerSecond = 0 }: api.RestoreRequest): { bytesPerSecond?: number } {
  if (bytesPerSecond === 0) return {};
  if (Number.isSafeInteger(bytesPerSecond) && bytesPerSecond > 0) return { bytesPerSecond };
  const message = `bytesPerSecond is ${bytesPerSecond}, which is no number of 0 or more`;
  throw new CodrError('usage', message);
}

function partsOf({ ranges = [], queries = [] }: api.RestoreRequest): { parts?: PartsWish } {
  if (ranges.length === 0 && queries.length === 0) return {};
  return { parts: { ranges, queries: queries.map(parseDatasetQuery) } };
}

function datacentersOf({ datacenters = [] }: api.RestoreRequest) {
  return datacenters.length === 0 ? {} : { datacenters: parseDatacenters(datacenters) };
}

/** Only a filter that names them means users and roles: `*` alone must not change who may log in. */
function namesUsersOrRoles(pattern: string): boolean {
  const means = (name: string): boolean => globMatches(pattern, name);
  return pattern.startsWith('admin.') && usersAndRoles.some(means);
}

const usersAndRoles = ['admin.system.users', 'admin.system.roles'];
