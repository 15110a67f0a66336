// Gives a moment back: plans, folds, loads, indexes, proves by reading back, then swaps and lets expiry
// begin. Nothing is replayed on the target; every record is loaded once, in its final form.
import { forEachLimit, Semaphore } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Job, Task } from '../../cluster/task-runner.ts';
import type {
  FinishResult,
  RestoreTarget,
  TargetOptions,
  TargetPlan,
} from '../../connector/restore-target.ts';
import type { SourceTime } from '../../model/time.ts';
import { type ProgressListener, ProgressMeter } from '../progress.ts';
import { countsAt, totalsOf } from '../read/counts.ts';
import { readDefinitions, refuseUnmatched } from '../read/definitions.ts';
import { OpenedRuns } from '../read/fold.ts';
import { describeTime } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { DividedRate } from './divided-rate.ts';
import { countExpiring, expiringWarnings } from './expiring.ts';
import { ItemRestore, type RestoredItem, restoredItem } from './item-restore.ts';
import { sayingWhatIsLeft } from './left-behind.ts';
import { groupsOf, smallAtOnce } from './load-groups.ts';
import { tellPlan } from './plan-lines.ts';
import { referenceOf } from './range-order.ts';
import type { RestoreItem } from './range-work.ts';
import { checkRenames } from './rename-check.ts';
import {
  type Definition,
  itemsOf,
  openTarget,
  type RestoreAsk,
  targetOptions,
} from './restore-ask.ts';
import { openOwner } from './restore-owner.ts';
import { askedPoint, type ChosenPoint, choosePoint } from './restore-point.ts';
import { refuseParts, type WantedParts, wantedParts } from './restore-ranges.ts';
import { countTornTransactions } from './torn-transactions.ts';
import { liveForm } from './wanted-form.ts';

export interface RestoreOptions extends RestoreAsk {
  readonly listener?: ProgressListener;
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
  const items = itemsOf(context, options, { point: chosen.point, parts });
  const asked = targetOptions(options, chosen, names);
  const plan = await target.plan(items, { ...asked, owner }, signal);
  refuseConflicts(plan);
  tellPlan(context, meter, { ...plan, warnings: [...chosen.warnings, ...plan.warnings] });
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
  // How much a part of a dataset holds is not known before it is folded.
  const totals = work.parts.size > 0 ? {} : totalsOf(counts.values());
  meter.phase(options.verify ? 'loading and proving' : 'loading', totals);
  const { sharing, clock } = context.world;
  const rate = bytesPerSecond ? new DividedRate(bytesPerSecond, clock) : undefined;
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
    ...(rate && { rate, throttle: rate.throttle }),
  };
  const { run, asked } = work;
  const { to, parts } = options;
  const wide = {
    ...shared,
    ...referenceOf(context, target, {
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
