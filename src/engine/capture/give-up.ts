// Gives up what a check found lost: nothing new relies on the packs, the times that needed them become
// holes, and the next backup copies anew what has no base copy any more. What is lost is no longer
// retained, so that the next check is about the rest.
import type { Connector } from '../../connector/connector.ts';
import { type DatasetId, datasetId, type PackId } from '../../model/id.ts';
import type { Scope } from '../../model/namespace.ts';
import { lastTime, type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { LineageLosses } from '../../repository/check/losses.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import { lostKey } from '../../repository/lineage/pack-table.ts';
import type { BaseRecord, RunRecord, WantRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import { hasCuts } from '../history/cut-history.ts';
import { addHole } from '../history/ledger.ts';
import { catalogChanges, epochsOf, inScope } from '../history/source-history.ts';
import { closeEpoch } from './epoch.ts';
import { giveUpCuts } from './give-up-cuts.ts';
import { unfoldBases } from './unfold.ts';

const reason = 'a check found its data lost';

/** Tells when a dataset went, or left the scope; undefined while it is protected. */
export type LeftAt = (
  state: StateView,
  epoch: number,
  dataset: DatasetId,
) => SourceTime | undefined;

/**
 * Notes the packs in a lineage. First in every one, before any gives up what retains them: content of theirs
 * that another source asks for must be stored anew too. Its state is stored anew: the one before may be lost.
 */
export async function noteLost(lineage: Lineage, packs: readonly PackId[]): Promise<void> {
  await lineage.commit(
    (draft): undefined => {
      for (const pack of packs) draft.set(lostKey(pack), {});
    },
    { withState: true },
  );
}

/**
 * Gives up what one source has lost. False when no time is lost by it: what was folded or merged of others, or was
 * not finished, is made again of what is there.
 */
export async function giveUp(
  lineage: Lineage,
  { bases, runs, segments, deltas }: LineageLosses,
  leftAt: LeftAt,
): Promise<boolean> {
  let isLost = false;
  await lineage.commit((draft): undefined => {
    const before = whatLacks(draft);
    giveUpIn(draft, { bases, runs, segments, deltas }, leftAt);
    isLost = whatLacks(draft) !== before;
  });
  return isLost;
}

/** Every hole, every base copy that is wanted, and every epoch that ended. */
function whatLacks(draft: Draft): string {
  const ended = epochsOf(draft).filter(({ closedAt }) => closedAt !== undefined);
  return JSON.stringify([draft.list('hole'), draft.list('want'), ended.length]);
}

function giveUpIn(
  draft: Draft,
  { bases, runs, segments, deltas }: Omit<LineageLosses, 'lineage'>,
  leftAt: LeftAt,
): void {
  for (const rest of segments) draft.set(`segment/${rest}`, null);
  const lost = unfoldBases(draft, { bases, deltas });
  if (hasCuts(draft)) {
    giveUpCuts(draft, lost, { leftAt, reason });
    return;
  }
  // Of two base copies of a dataset the earlier is hurt up to the later: that one is looked at first.
  for (const rest of [...lost.bases].sort().reverse()) giveUpBase(draft, rest, leftAt);
  giveUpRuns(draft, runs);
}

function giveUpRuns(draft: Draft, runs: Iterable<string>): void {
  let isRunning = false;
  for (const rest of runs) isRunning = giveUpRun(draft, rest) || isRunning;
  if (isRunning) closeEpoch(draft, reason);
}

/** Until the next base copy of the dataset its times are a hole; when there is none, one is wanted. */
function giveUpBase(draft: Draft, rest: string, leftAt: LeftAt): void {
  const base = draft.get<BaseRecord>(`base/${rest}`);
  if (!base) return;
  draft.set(`base/${rest}`, null);
  const dataset = datasetId(rest.slice(0, rest.indexOf('/')));
  const from = base.exactFrom;
  const next = draft
    .keys('base', `${dataset}/`)
    .map((key) => draft.get<BaseRecord>(`base/${key}`) as BaseRecord)
    .find(({ epoch, exactFrom }) => epoch === base.epoch && exactFrom > from)?.exactFrom;
  const left = leftAt(draft, base.epoch, dataset);
  const end = next ?? (left === undefined ? endOf(draft, base.epoch) : timeToHex(left));
  if (end !== undefined) {
    const [stream = ''] = draft.keys('stream');
    addHole(draft, { stream, dataset, from: before(from), to: end, reason });
    return;
  }
  const { records = 0, bytes = 0 } = base.tree ?? {};
  const fresh = { epoch: base.epoch, from, initial: false, records, bytes };
  // Not `unknown` any more: that the entry is known some day does not bring the copy back.
  const { unknown: _, ...pending } = draft.get<WantRecord>(`want/${dataset}`) ?? {};
  const want: WantRecord = { ...fresh, ...pending, reason };
  draft.set(`want/${dataset}`, want.from > from ? { ...want, from } : want);
}

/** Which datasets a lost run told of is lost with it. True when it belongs to the running epoch. */
function giveUpRun(draft: Draft, rest: string): boolean {
  const run = draft.get<RunRecord>(`run/${rest}`);
  if (!run) return false;
  draft.set(`run/${rest}`, null);
  const [stream = ''] = draft.keys('stream');
  const to = endOf(draft, run.epoch);
  addHole(draft, { stream, from: before(run.minTime), ...(to && { to }), reason });
  return to === undefined;
}

/** The first time behind an epoch; undefined while it goes on. */
function endOf(draft: Draft, number: number): string | undefined {
  const closedAt = epochsOf(draft).find((epoch) => epoch.number === number)?.closedAt;
  return closedAt === undefined ? undefined : timeToHex(timeFromHex(closedAt) + 1n);
}

function before(time: string): string {
  const at: SourceTime = timeFromHex(time);
  return timeToHex(at - 1n);
}

/** By the catalog of the epoch. */
export function departures(connector: Connector, scope: Scope): LeftAt {
  return (state, epoch, dataset) => {
    const fold = connector.openCatalog();
    let left: SourceTime | undefined;
    let isIn = false;
    for (const change of catalogChanges(state, epoch, lastTime)) {
      fold.apply(change);
      if (change.dataset !== undefined && change.dataset !== dataset) continue;
      const entry = fold.entries().find((one) => one.dataset === dataset);
      const wasIn = isIn;
      isIn = entry !== undefined && inScope(scope, entry);
      if (wasIn && !isIn) left = change.time;
    }
    return isIn ? undefined : left;
  };
}
