// Gives a moment back: plans, folds, loads, indexes, proves by reading back, then swaps and lets expiry
// begin. Nothing is replayed on the target; every record is loaded once, in its final form.
import { forEachLimit, Semaphore } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { Throttle } from '../../base/throttle.ts';
import type { Job, Task } from '../../cluster/task-runner.ts';
import type { SourceConfig } from '../../connector/connector.ts';
import type {
  FinishResult,
  GivenName,
  RestoreTarget,
  TargetOptions,
  TargetPlan,
} from '../../connector/restore-target.ts';
import { renamed } from '../../model/namespace.ts';
import { type SourceTime, timeToHex } from '../../model/time.ts';
import { type ProgressListener, ProgressMeter } from '../progress.ts';
import { countsAt, type DatasetCount, totalsOf } from '../read/counts.ts';
import { readDefinitions, refuseUnmatched } from '../read/definitions.ts';
import { OpenedRuns } from '../read/fold.ts';
import { describeTime } from '../read/point.ts';
import { connectorContext, type SourceContext } from '../source-context.ts';
import { countExpiring, type Expiring, expiringWarnings } from './expiring.ts';
import { ItemRestore, type RestoredItem, restoredItem } from './item-restore.ts';
import { sayingWhatIsLeft } from './left-behind.ts';
import { groupsOf, smallAtOnce } from './load-groups.ts';
import { refuseDatacenters } from './map-datacenters.ts';
import { referenceOf } from './range-order.ts';
import type { RestoreItem } from './range-work.ts';
import { checkRenames } from './rename-check.ts';
import { openOwner } from './restore-owner.ts';
import { askedPoint, type ChosenPoint, choosePoint, type RestoreWish } from './restore-point.ts';
import { refuseParts, type WantedParts, wantedParts } from './restore-ranges.ts';
import { countTornTransactions } from './torn-transactions.ts';
import { liveForm, refuseDeletions } from './wanted-form.ts';

export interface RestoreOptions extends RestoreWish {
  readonly to: SourceConfig;
  readonly usersAndRoles: boolean;
  /** Read everything back and compare roots. */
  readonly verify: boolean;
  readonly listener?: ProgressListener;
  /** Of what is loaded and read back, by this process alone; absent: no limit, and other peers take part. */
  readonly bytesPerSecond?: number;
  /** Told when all is loaded and proven, before the target's marker goes: of the finish it has what was planned. */
  readonly finishing?: (outcome: RestoreOutcome) => Promise<void>;
}

export interface RestoreOutcome {
  readonly at: SourceTime;
  readonly items: readonly RestoredItem[];
  readonly definitions: readonly Definition[];
  readonly finish: FinishResult;
  readonly warnings: readonly string[];
  readonly skipped: readonly { readonly namespace: string; readonly reason: string }[];
  readonly tornTransactions: number;
  readonly seconds: number;
}

/** A view, a user, a role: `kind` is that of the dataset which defines it, `name` what the target calls it. */
export interface Definition {
  readonly kind: string;
  readonly name: string;
}

export interface PlannedRestore {
  readonly at: SourceTime;
  /** It goes on with what an earlier run has left unfinished. */
  readonly resumes: boolean;
  readonly items: readonly PlannedItem[];
  /** Views, users and roles that would be made, by their names in the target. */
  readonly definitions: readonly Definition[];
  readonly plan: TargetPlan;
  readonly warnings: readonly string[];
}

export interface PlannedItem extends RestoreItem {
  readonly count: DatasetCount;
  /** Records that would expire at once; absent for datasets without expiry, and when it is held. */
  readonly expiring?: Expiring | undefined;
}

/** What a restore would do; changes nothing. Datasets with expiry are folded to count what has expired. */
export async function planRestore(
  context: SourceContext,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<PlannedRestore> {
  refuseParts(context.connector, options.parts);
  const asked = askedPoint(context, options);
  await using target = await openTarget(context, options, signal);
  const chosen = await choosePoint(context, options, asked, target, signal);
  const runs = new OpenedRuns(context);
  await refuseUnmatched(context, runs, chosen.point);
  const parts = wantedParts(context.connector, options.parts, chosen.point.datasets);
  const names = await checkRenames(context, runs, chosen.point, options);
  const items = itemsOf(options, chosen);
  const plan = await target.plan(items, targetOptions(options, chosen, names), signal);
  const { at } = chosen.point;
  const counts = await countsAt(context, chosen.point.datasets, at);
  const planned: PlannedItem[] = [];
  for (const item of items) {
    const where = { at, ttl: options.ttl };
    const expiring = await countExpiring(context, runs, item.dataset, where, signal);
    const whole = counts.get(item.entry.dataset) as DatasetCount;
    const count = parts.has(item.entry.dataset) ? { ...whole, estimated: true as const } : whole;
    planned.push({ ...item, count, expiring });
  }
  const defined = await planDefinitions(context, { target, items, runs, at }, signal);
  return {
    at,
    resumes: chosen.resumes,
    items: planned,
    definitions: defined.definitions,
    plan: { ...plan, skipped: [...plan.skipped, ...defined.skipped] },
    warnings: [
      ...chosen.warnings,
      ...plan.warnings,
      ...defined.warnings,
      ...expiringWarnings(planned),
    ],
  };
}

async function planDefinitions(
  context: SourceContext,
  from: { target: RestoreTarget; items: readonly RestoreItem[]; runs: OpenedRuns; at: SourceTime },
  signal: AbortSignal,
): Promise<Pick<PlannedRestore, 'definitions' | 'warnings'> & Pick<TargetPlan, 'skipped'>> {
  const definitions: Definition[] = [];
  const skipped: { namespace: string; reason: string }[] = [];
  const warnings: string[] = [];
  for (const item of from.items) {
    if (item.entry.role !== 'definitions') continue;
    const { kind } = item.entry;
    const records = await readDefinitions(context, from.runs, item.dataset, from.at);
    const planned = await from.target.planDefinitions(item, records, signal);
    definitions.push(...planned.defined.map((name) => ({ kind, name })));
    skipped.push(...planned.skipped);
    warnings.push(...planned.warnings);
  }
  return { definitions, skipped, warnings };
}

/**
 * Errors: `target-not-empty`, `target-rights`, `target-unfit`, `proof-failed`, which name the dataset;
 * `interrupted`, which names the moment. A `target-*` says what was left in the target, if anything was.
 */
export async function restore(
  context: SourceContext,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoreOutcome> {
  const meter = new ProgressMeter(context.world.clock, options.listener);
  meter.phase('plan');
  refuseParts(context.connector, options.parts);
  const asked = askedPoint(context, options);
  await using target = await openTarget(context, options, signal);
  const chosen = await choosePoint(context, options, asked, target, signal);
  for (const warning of chosen.warnings) context.world.log.warn({ source: context.name }, warning);
  try {
    return await giveBack(context, { target, options, chosen, meter }, signal);
  } catch (error) {
    throw signal.aborted ? interruptedAt(context, chosen) : error;
  }
}

async function giveBack(
  context: SourceContext,
  { target, options, chosen, meter }: Pick<Work, 'target' | 'options' | 'chosen' | 'meter'>,
  signal: AbortSignal,
): Promise<RestoreOutcome> {
  const runs = new OpenedRuns(context);
  await refuseUnmatched(context, runs, chosen.point);
  const parts = wantedParts(context.connector, options.parts, chosen.point.datasets);
  const names = await checkRenames(context, runs, chosen.point, options);
  const { probe, random } = context.world;
  const run = toHex(random.bytes(16));
  using owner = openOwner(probe, run);
  const items = itemsOf(options, chosen);
  const asked = targetOptions(options, chosen, names);
  const plan = await target.plan(items, { ...asked, owner }, signal);
  refuseConflicts(plan);
  await target.begin(signal);
  try {
    const work = { target, options, chosen, parts, items, plan, meter, run, asked };
    return await loadAndFinish(context, work, signal);
  } catch (error) {
    throw await sayingWhatIsLeft(target, error, signal);
  }
}

/** All that writes. */
async function loadAndFinish(
  context: SourceContext,
  work: Work,
  signal: AbortSignal,
): Promise<RestoreOutcome> {
  const { target, chosen, items, plan, meter } = work;
  const loaded = await loadAll(context, work, signal);
  const defined = await defineAll(context, work, signal);
  meter.phase('finishing');
  const tornTransactions = await countTornTransactions(context, chosen.point);
  const ended = (finish: FinishResult): RestoreOutcome => {
    const notMade = new Set(finish.skipped.map(({ namespace }) => namespace));
    return {
      at: chosen.point.at,
      items: loaded,
      definitions: defined.definitions.filter(({ name }) => !notMade.has(name)),
      finish,
      skipped: [...plan.skipped, ...defined.skipped, ...finish.skipped],
      warnings: [
        ...chosen.warnings,
        ...plan.warnings,
        ...expiringWarnings(loaded.map(({ to, expiring }) => ({ namespace: to, expiring }))),
        ...loaded.flatMap(({ reads }) => reads?.warnings ?? []),
        ...finish.warnings,
      ],
      tornTransactions,
      seconds: meter.seconds,
    };
  };
  await work.options.finishing?.(ended({ dropped: plan.dropped, skipped: [], warnings: [] }));
  return ended(await target.finish(items, signal));
}

async function openTarget(
  { connector, world }: SourceContext,
  { to, ttl, datacenters, ...wish }: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoreTarget> {
  refuseDatacenters(connector, datacenters);
  refuseDeletions(connector, wish);
  const { ttlModes } = connector.capabilities;
  if (!ttlModes.includes(ttl)) {
    throw new CodrError('usage', `--ttl ${ttl} means nothing for ${connector.kind}`, {
      remedy: `give one of ${ttlModes.join(', ')}`,
    });
  }
  return await connector.openTarget(to, connectorContext(world), signal);
}

function itemsOf({ renames, parts }: RestoreOptions, { point }: ChosenPoint): RestoreItem[] {
  return point.datasets.map((dataset) => ({
    dataset,
    entry: dataset.entry,
    ...(!parts && dataset.base.tree && { bytes: dataset.base.tree.bytes }),
    namespace: renamed(renames, dataset.entry.namespace),
  }));
}

function refuseConflicts(plan: TargetPlan): void {
  if (plan.conflicts.length === 0) return;
  const [first] = plan.conflicts;
  const others = plan.conflicts.length - 1;
  const more = others > 0 ? ` and ${others} more` : '';
  throw new CodrError('target-not-empty', `the target holds ${first}${more} already`, {
    object: first as string,
    facts: { conflicts: plan.conflicts },
  });
}

function targetOptions(
  { renames, drop, ttl, usersAndRoles, scope, datacenters, keepsDeletions }: RestoreOptions,
  { operation, begunMs, point }: ChosenPoint,
  defined: readonly GivenName[],
): TargetOptions {
  const moment = timeToHex(point.at);
  const more = { ...(datacenters && { datacenters }), ...(keepsDeletions && { keepsDeletions }) };
  const run = { operation, moment, begunMs };
  return { ...run, renames, defined, drop, ttl, usersAndRoles, scope, ...more };
}

/** Also the command that names the moment goes on, whatever `latest` is by then. */
function interruptedAt({ connector }: SourceContext, { point }: ChosenPoint): CodrError {
  const at = connector.formatTime(point.at);
  const message = `the restore to ${describeTime(connector, point.at)} was interrupted`;
  return new CodrError('interrupted', message, {
    remedy: `the same command goes on with it; so it does with --at ${at}`,
  });
}

interface Work {
  readonly target: RestoreTarget;
  readonly options: RestoreOptions;
  readonly chosen: ChosenPoint;
  readonly parts: WantedParts;
  readonly items: readonly RestoreItem[];
  readonly plan: TargetPlan;
  readonly meter: ProgressMeter;
  /** Tells this run from all others. */
  readonly run: string;
  readonly asked: TargetOptions;
}

/** Datasets of role `data`, as a job: what is wanted minus what the target's marker says is done. */
async function loadAll(
  context: SourceContext,
  work: Work,
  signal: AbortSignal,
): Promise<RestoredItem[]> {
  const { target, options, chosen, plan, meter } = work;
  const { bytesPerSecond } = options;
  const skipped = new Set(plan.skipped.map(({ namespace }) => namespace));
  const wanted = work.items.filter(
    ({ entry, namespace }) => entry.role === 'data' && !skipped.has(namespace),
  );
  const datasets = wanted.map(({ dataset }) => dataset);
  const counts = await countsAt(context, datasets, chosen.point.at);
  meter.phase(options.verify ? 'loading and proving' : 'loading', totalsOf(counts.values()));
  const { sharing } = context.world;
  const { at } = chosen.point;
  const form = liveForm(context, options, { at, begunMs: chosen.begunMs });
  const shared = {
    context,
    target,
    runs: new OpenedRuns(context),
    counts,
    at,
    parts: work.parts,
    verify: options.verify,
    ttl: options.ttl,
    ...form,
    meter,
    slots: new Semaphore(sharing.slots),
    ...(bytesPerSecond && { throttle: new Throttle(bytesPerSecond, context.world.clock) }),
  };
  const { run, asked } = work;
  const { to, parts } = options;
  const wide = {
    ...shared,
    ...referenceOf(context, bytesPerSecond ? { identity: target.identity } : target, {
      run,
      at,
      to,
      target: asked,
      ...form,
      ...(parts && { parts }),
    }),
  };
  const finished = new Map(plan.finished.map((item) => [item.namespace, item]));
  const done = new Map<string, RestoredItem>();
  for (const { namespace, entry, dataset } of wanted) {
    const before = finished.get(namespace);
    const toProve = options.verify && target.unprovable === undefined;
    if (!before || (toProve && !before.proven)) continue;
    const where = { at: shared.at, ttl: shared.ttl };
    const expiring = await countExpiring(context, shared.runs, dataset, where, signal);
    done.set(namespace, restoredItem(entry.namespace, before, expiring));
  }
  const beside = { ...shared, slots: new Semaphore(context.world.limits.workers * smallAtOnce) };
  const load = async (item: RestoreItem, isSmall: boolean, stop: AbortSignal): Promise<void> => {
    const restoring = new ItemRestore(isSmall ? beside : wide, item);
    const before = finished.get(item.namespace);
    const restored = before
      ? await restoring.proveFinished(before, stop)
      : await restoring.run(stop);
    done.set(item.namespace, restored);
  };
  const job: Job = {
    id: `restore/${toHex(context.world.random.bytes(8))}`,
    plan: async () =>
      groupsOf(wanted.filter(({ namespace }) => !done.has(namespace))).map((group): Task => {
        const isSmall = group.length > 1;
        return {
          id: `load-${group[0]?.entry.dataset}-${group.length}`,
          weight: group.reduce((sum, { dataset }) => sum + (dataset.base.tree?.bytes ?? 0), 0),
          run: ({ signal: stop }) =>
            forEachLimit(group, smallAtOnce, (item, one) => load(item, isSmall, one), stop),
        };
      }),
  };
  await context.world.runJob(job, signal);
  return wanted.map(({ namespace }) => done.get(namespace) as RestoredItem);
}

/** Views, users and roles: few records, handed over whole, after the data they stand on. */
async function defineAll(
  context: SourceContext,
  { target, chosen, items }: Work,
  signal: AbortSignal,
): Promise<Pick<RestoreOutcome, 'definitions' | 'skipped'>> {
  const runs = new OpenedRuns(context);
  const definitions: Definition[] = [];
  const skipped: { namespace: string; reason: string }[] = [];
  for (const item of items) {
    if (item.entry.role !== 'definitions') continue;
    const records = await readDefinitions(context, runs, item.dataset, chosen.point.at);
    // None at all is a definition too: with `drop`, what the target has goes.
    const result = await target.define(item, records, signal);
    const { kind } = item.entry;
    definitions.push(...result.defined.map((name) => ({ kind, name })));
    skipped.push(...result.skipped);
  }
  return { definitions, skipped };
}
