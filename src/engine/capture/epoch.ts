// Opens a stretch of history: surveys the source, and commits where following begins, the whole catalog,
// and which datasets want a base copy. Also closes the stretch before it, with a hole.
import type { SourceSession, Survey } from '../../connector/connector.ts';
import { datasetId } from '../../model/id.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type {
  EpochRecord,
  HoleRecord,
  StreamRecord,
  WantRecord,
} from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { addHole, endWant } from '../history/ledger.ts';
import {
  catalogKey,
  catalogRecord,
  epochKey,
  epochsOf,
  inScope,
  settledTime,
} from '../history/source-history.ts';
import type { SourceContext } from '../source-context.ts';
import { streamRecord } from './follower.ts';

/** Surveys and commits the next epoch. `reason` says why the one before it ended. Returns its number. */
export async function openEpoch(
  context: SourceContext,
  session: SourceSession,
  options: { readonly claim: WriterClaim; readonly reason: string },
  signal: AbortSignal,
): Promise<number> {
  const survey = await session.survey(signal);
  let opened = 0;
  await context.lineage.commit((draft): undefined => {
    options.claim.check(draft);
    closeEpoch(draft, options.reason);
    endOpenHoles(draft, survey.exactFrom);
    opened = (epochsOf(draft).at(-1)?.number ?? -1) + 1;
    noteSurvey(draft, context, survey, opened);
  });
  return opened;
}

/** The running epoch's number; undefined before the first. */
export function runningEpoch(context: SourceContext): number | undefined {
  const last = epochsOf(context.lineage.state).at(-1);
  return last?.closedAt === undefined ? last?.number : undefined;
}

/**
 * Ends the running epoch where history is whole. Its unfinished base copies are given up: without one of
 * the first survey nothing of the epoch is whole, without a later one its dataset keeps a hole.
 */
export function closeEpoch(draft: Draft, reason: string): void {
  const running = epochsOf(draft).at(-1);
  if (!running || running.closedAt !== undefined) return;
  const { number, ...epoch } = running;
  const closedAt = settledTime(draft) ?? timeFromHex(epoch.catalogFrom);
  draft.set(epochKey(number), { ...epoch, closedAt: timeToHex(closedAt) } satisfies EpochRecord);
  const streams = [...draft.keys('stream')];
  for (const stream of streams) {
    addHole(draft, { stream, from: timeToHex(closedAt), reason });
  }
  for (const rest of [...draft.keys('want')]) {
    endWant(draft, datasetId(rest), closedAt + 1n, streams[0] ?? '');
  }
  for (const rest of [...draft.keys('segment')]) draft.set(`segment/${rest}`, null);
}

/** A new base copy of everything ends every hole. */
function endOpenHoles(draft: Draft, exactFrom: SourceTime): void {
  for (const [rest, hole] of draft.list<HoleRecord>('hole')) {
    if (hole.to === undefined) draft.set(`hole/${rest}`, { ...hole, to: timeToHex(exactFrom) });
  }
}

function noteSurvey(draft: Draft, context: SourceContext, survey: Survey, epoch: number): void {
  const from = timeToHex(survey.exactFrom);
  draft.set(epochKey(epoch), { catalogFrom: from, exactFrom: from } satisfies EpochRecord);
  for (const [stream, position] of survey.before) {
    const at = { resume: position, through: position, settled: position.time };
    draft.set(`stream/${stream}`, streamRecord(at) satisfies StreamRecord);
  }
  for (const change of survey.catalog) {
    draft.set(catalogKey(epoch, change), catalogRecord(change));
  }
  for (const { entry, records, bytes } of survey.datasets) {
    if (!inScope(context.scope, entry)) continue;
    const want: WantRecord = { epoch, from, initial: true, records, bytes };
    draft.set(`want/${entry.dataset}`, want);
  }
}
