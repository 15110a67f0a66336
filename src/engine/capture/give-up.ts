// Gives up what a check found lost: nothing new relies on the packs, the times that needed them become
// holes, and the next backup copies anew what has no base copy any more. What is lost is no longer
// retained, so that the next check is about the rest.
import { datasetId } from '../../model/id.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { LineageLosses, Losses } from '../../repository/check/losses.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import { lostKey } from '../../repository/lineage/pack-table.ts';
import type { BaseRecord, RunRecord, WantRecord } from '../../repository/lineage/records.ts';
import { addHole } from '../history/ledger.ts';
import { epochsOf } from '../history/source-history.ts';
import { closeEpoch } from './epoch.ts';

const reason = 'a check found its data lost';

/**
 * Commits it to the lineage of one source; true when anything of that source is lost. The packs are noted
 * in every source: content of theirs that another one asks for must be stored anew too.
 */
export async function giveUp(lineage: Lineage, losses: Losses): Promise<boolean> {
  const own = losses.lineages.find((one) => one.lineage === lineage.name);
  // With its state stored anew: the one before may lie in a pack that is lost.
  const options = { withState: true };
  await lineage.commit((draft): undefined => {
    for (const pack of losses.packs) draft.set(lostKey(pack), {});
    if (own) giveUpOwn(draft, own);
  }, options);
  return own !== undefined && own.bases.size + own.runs.size + own.segments.size > 0;
}

function giveUpOwn(draft: Draft, { bases, runs, segments }: LineageLosses): void {
  for (const rest of segments) draft.set(`segment/${rest}`, null);
  // Of two base copies of a dataset the earlier one is hurt up to the later: that one is looked at first.
  for (const rest of [...bases].sort().reverse()) giveUpBase(draft, rest);
  let isRunning = false;
  for (const rest of runs) isRunning = giveUpRun(draft, rest) || isRunning;
  if (isRunning) closeEpoch(draft, reason);
}

/** Until the next base copy of the dataset its times are a hole; when there is none, one is wanted. */
function giveUpBase(draft: Draft, rest: string): void {
  const base = draft.get<BaseRecord>(`base/${rest}`);
  if (!base) return;
  draft.set(`base/${rest}`, null);
  const dataset = datasetId(rest.slice(0, rest.indexOf('/')));
  const from = base.exactFrom;
  const next = draft
    .keys('base', `${dataset}/`)
    .map((key) => draft.get<BaseRecord>(`base/${key}`) as BaseRecord)
    .find(({ epoch, exactFrom }) => epoch === base.epoch && exactFrom > from)?.exactFrom;
  const end = next ?? endOf(draft, base.epoch);
  if (end !== undefined) {
    const [stream = ''] = draft.keys('stream');
    addHole(draft, { stream, dataset, from: before(from), to: end, reason });
    return;
  }
  const { records = 0, bytes = 0 } = base.tree ?? {};
  const fresh = { epoch: base.epoch, from, reason, initial: false, records, bytes };
  const pending = draft.get<WantRecord>(`want/${dataset}`);
  const want: WantRecord = pending ?? fresh;
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
