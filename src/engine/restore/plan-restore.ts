// What a restore would do, looked at in repository and target without changing either: what is made, what stands in the
// way, what cannot be kept, in how many ranges it is folded, and about how long it takes.
import type { RestoreTarget, TargetPlan } from '../../connector/restore-target.ts';
import { type KeyRange, wholeRange } from '../../model/key-range.ts';
import type { SourceTime } from '../../model/time.ts';
import { countsAt, type DatasetCount } from '../read/counts.ts';
import { coveringRanges } from '../read/covering-ranges.ts';
import { readDefinitions, refuseUnmatched } from '../read/definitions.ts';
import { OpenedRuns } from '../read/fold.ts';
import { rangesOf } from '../read/fold-work.ts';
import type { SourceContext } from '../source-context.ts';
import { countExpiring, type Expiring, expiringWarnings } from './expiring.ts';
import type { RestoreItem } from './range-work.ts';
import { checkRenames } from './rename-check.ts';
import {
  type Definition,
  itemsOf,
  openTarget,
  type RestoreAsk,
  targetOptions,
} from './restore-ask.ts';
import { askedPoint, choosePoint } from './restore-point.ts';
import { intersections, refuseParts, wantedParts } from './restore-ranges.ts';

export interface PlannedRestore {
  readonly at: SourceTime;
  /** It goes on with what an earlier run has left unfinished. */
  readonly resumes: boolean;
  readonly items: readonly PlannedItem[];
  /** Views, users and roles that would be made, by their names in the target. */
  readonly definitions: readonly Definition[];
  readonly plan: TargetPlan;
  readonly estimate: RestoreEstimate;
  readonly warnings: readonly string[];
}

/** Of a kind of target that has not been measured. */
const paceUnknown = { load: 20e6, proof: 40e6 };

/** A guess: what others were seen to take, not what this target will. */
export interface RestoreEstimate {
  /** Of records of all datasets, as their base copies hold them; of what is wanted in part, all. */
  readonly bytes: number;
  /** The assumed rate: `bytes` in `seconds`, proof and limit reckoned in. */
  readonly bytesPerSecond: number;
  readonly seconds: number;
}

export interface PlannedItem extends RestoreItem {
  readonly count: DatasetCount;
  /** Ranges of keys that are folded one by one, side by side; a target may want fewer. */
  readonly ranges: number;
  /** Records that would expire at once; absent for datasets without expiry, and when it is held. */
  readonly expiring?: Expiring | undefined;
}

/** What a restore would do; changes nothing. Datasets with expiry are folded to count what has expired. */
export async function planRestore(
  context: SourceContext,
  options: RestoreAsk,
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
  const items = itemsOf(context, options, { point: chosen.point, parts });
  const plan = await target.plan(items, targetOptions(options, chosen, names), signal);
  const { at } = chosen.point;
  const counts = await countsAt(context, chosen.point.datasets, at);
  const planned: PlannedItem[] = [];
  for (const item of items) {
    const where = { at, ttl: options.ttl };
    const expiring = await countExpiring(context, runs, item.dataset, where, signal);
    const whole = counts.get(item.entry.dataset) as DatasetCount;
    const count = parts.has(item.entry.dataset) ? { ...whole, estimated: true as const } : whole;
    const ranges = await foldedRanges(context, target, item, parts.get(item.entry.dataset));
    planned.push({ ...item, count, ranges, expiring });
  }
  const leftOut = new Set(plan.skipped.map(({ namespace }) => namespace));
  const defined = await planDefinitions(context, { target, items, runs, at }, signal);
  return {
    at,
    resumes: chosen.resumes,
    items: planned,
    definitions: defined.definitions,
    plan: { ...plan, skipped: [...plan.skipped, ...defined.skipped] },
    estimate: estimateOf(
      planned.filter(({ namespace }) => !leftOut.has(namespace)),
      target,
      options,
    ),
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

/** What is loaded and read back passes a limit twice. */
const passes = 2;

/** By the target's pace, or the limit where that is slower. */
function estimateOf(
  planned: readonly PlannedItem[],
  { pace = paceUnknown }: Pick<RestoreTarget, 'pace'>,
  { verify, bytesPerSecond: limit }: Pick<RestoreAsk, 'verify' | 'bytesPerSecond'>,
): RestoreEstimate {
  const bytes = planned.reduce((sum, { count }) => sum + count.bytes, 0);
  const atPace = 1 / pace.load + (verify ? 1 / pace.proof : 0);
  const atLimit = limit ? (verify ? passes : 1) / limit : 0;
  const perByte = Math.max(atPace, atLimit);
  return { bytes, bytesPerSecond: Math.round(1 / perByte), seconds: bytes * perByte };
}

/** As a restore cuts the dataset, of which only `wanted` may be wanted. */
async function foldedRanges(
  context: SourceContext,
  target: Pick<RestoreTarget, 'serial'>,
  item: RestoreItem,
  wanted: readonly KeyRange[] | undefined,
): Promise<number> {
  const ranges = target.serial(item) ? [wholeRange] : await rangesOf(context, item.dataset);
  if (!wanted) return ranges.length;
  const covering = coveringRanges(context.connector, wanted);
  return ranges.reduce((sum, range) => sum + intersections(covering, [range]).length, 0);
}
