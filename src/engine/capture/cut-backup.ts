// Protects a source without an ordered log: cut after cut. What a cut adds to a dataset becomes a tree of its
// own; the whole cut becomes visible by one commit, or not at all. Dies anywhere without harm: the next run
// takes the cut anew, with the parts that were finished (cut-parts.ts).
import { assert } from '../../base/assert.ts';
import { CodrError } from '../../base/error.ts';
import {
  type CutBefore,
  type CutGrade,
  type CutReader,
  type CutReport,
  cutGrades,
  type SourceSession,
} from '../../connector/connector.ts';
import type { CutDataset } from '../../connector/cut-dataset.ts';
import type { PackId } from '../../model/id.ts';
import { type SourceTime, timeToHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import { CondemnedPacksError, usePacks } from '../../repository/lineage/pack-table.ts';
import type {
  BaseRecord,
  CutRecord,
  DeltaRecord,
  EpochRecord,
  PointRecord,
  TreeRecord,
} from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { cutKey, cutsOf, deltaKey, deltasAt } from '../history/cut-history.ts';
import {
  baseAt,
  baseKey,
  catalogChanges,
  catalogKey,
  catalogRecord,
  epochKey,
  epochsOf,
  inScope,
} from '../history/source-history.ts';
import type { ProgressMeter } from '../progress.ts';
import { describeTime } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { type BuiltDataset, buildCut } from './build-cut.ts';
import { rememberCut, rememberedCut } from './cut-memory.ts';
import { type CutPacks, CutParts, type CutPartsOptions, dropParts } from './cut-parts.ts';
import { streamRecord } from './follower.ts';
import { mergeDueDeltas } from './merge-deltas.ts';

export interface CutOptions {
  readonly session: SourceSession;
  readonly claim: WriterClaim;
  readonly meter: ProgressMeter;
  /** A cut that is less sure is not kept. */
  readonly minGrade: CutGrade;
}

export interface TakenCut {
  readonly point: PointRecord & { readonly id: string };
  readonly report: CutReport;
}

/**
 * Takes one cut, and stores and commits it. Errors: `partial` when it is less sure than wanted, and then
 * nothing is kept; those of the session.
 */
export async function takeCut(
  context: SourceContext,
  options: CutOptions,
  signal: AbortSignal,
): Promise<TakenCut> {
  const { session, meter } = options;
  context.pace?.asks(session, signal);
  meter.phase('cut');
  const epoch = runningCutEpoch(context);
  assert(session.cut, 'a kind without an ordered log takes cuts');
  const before = cutBefore(context, epoch);
  const tell = (what: string): void => meter.phase(what);
  await using cut = await session.cut(before, context.scope, signal, tell);
  const bytesTotal = cut.datasets.reduce((sum, { bytes }) => sum + bytes, 0);
  refuseOlder(context, cut.time);
  meter.phase(epoch === undefined ? 'base copy' : 'reading what is new', { bytesTotal });
  const store = { ...options, refused: new Set<PackId>() };
  let [point, report] = await storeCut(context, cut, epoch, store, signal);
  for (let i = 0; i < storeAgainMax && !point; i++) {
    [point, report] = await storeCut(context, cut, epoch, store, signal);
  }
  if (!point) throw new CodrError('failed', 'what the cut relied on was deleted again and again');
  await cut.committed(signal);
  for (const note of report.notes) context.world.log.warn({ source: context.name }, note);
  const { number } = epochsOf(context.lineage.state).at(-1) ?? { number: 0 };
  await mergeDueDeltas(context, number, { claim: options.claim, msMax: mergeMsMax }, signal);
  const time = describeTime(context.connector, cut.time);
  meter.report(`committed ${time}, ${report.grade}`);
  return { point, report };
}

/** Behind a cut: the next one waits for it. */
const mergeMsMax = 60_000;
/** Collections that condemn what a cut relies on, one after another. */
const storeAgainMax = 3;

/** Without a point when packs were condemned meanwhile: what they held is stored anew the next time. */
async function storeCut(
  context: SourceContext,
  cut: CutReader,
  epoch: number | undefined,
  options: CutOptions & CutPartsOptions,
  signal: AbortSignal,
): Promise<[point: TakenCut['point'] | undefined, report: CutReport]> {
  const parts = new CutParts(context, options);
  let built: readonly BuiltDataset[];
  try {
    built = await buildCut(cut, parts, signal);
  } catch (error) {
    // Packs that a part relies on were condemned when it was about to be kept.
    if (error instanceof CondemnedPacksError) return [undefined, cut.report()];
    throw error;
  }
  const report = cut.report();
  refusePoor(context, report, options.minGrade);
  const packs = await parts.finish();
  return [await commitCut(context, { cut, epoch, built, parts, packs, report }, options), report];
}

/** The running epoch's number; undefined before the first cut, and when the last one was closed. */
function runningCutEpoch({ lineage }: SourceContext): number | undefined {
  const last = epochsOf(lineage.state).at(-1);
  return last?.closedAt === undefined ? last?.number : undefined;
}

function cutBefore(
  { lineage, connector }: SourceContext,
  epoch: number | undefined,
): CutBefore | undefined {
  const last = cutsOf(lineage.state).at(-1);
  if (!last) return undefined;
  const { time, number } = last;
  const memory = rememberedCut(lineage.state);
  // Numbers go on, but nothing that was captured counts any more.
  if (epoch === undefined || !memory) return { time, number, entries: [] };
  const entries = connector.foldCatalog(catalogChanges(lineage.state, epoch, time));
  return { time, number, memory, entries };
}

/** A time twice, or in the wrong order, would change points that were promised. */
function refuseOlder({ lineage, name, connector }: SourceContext, time: SourceTime): void {
  const last = cutsOf(lineage.state).at(-1)?.time;
  if (last === undefined || time > last) return;
  const message = `the cut is not later than the one before, ${describeTime(connector, last)}`;
  throw new CodrError('source-unfit', message, { object: name, remedy: 'set the clocks right' });
}

function refusePoor(context: SourceContext, { grade, notes }: CutReport, wanted: CutGrade): void {
  if (cutGrades.indexOf(grade) <= cutGrades.indexOf(wanted)) return;
  throw new CodrError('partial', `the cut is ${grade} only, not ${wanted}: no point was made`, {
    object: context.name,
    remedy:
      'bring the named replicas back and run the backup again, or ask for less by --min-grade',
    facts: { grade, notes },
  });
}

interface CommitWork {
  readonly cut: CutReader;
  readonly parts: CutParts;
  readonly packs: CutPacks;
  readonly epoch: number | undefined;
  readonly built: readonly BuiltDataset[];
  readonly report: CutReport;
}

async function commitCut(
  context: SourceContext,
  work: CommitWork,
  { claim, session }: CutOptions,
): Promise<TakenCut['point'] | undefined> {
  const { repository, lineage } = context;
  const { cut } = work;
  const { used, kept } = work.packs;
  const number = cutsOf(lineage.state).reduce((most, one) => Math.max(most, one.number), 0) + 1;
  let point: PointRecord | undefined;
  try {
    await lineage.commit((draft): undefined => {
      claim.check(draft);
      const packs = String(usePacks(draft, used).union(kept));
      dropParts(draft);
      const epoch = work.epoch ?? openCutEpoch(draft, cut.time);
      for (const { dataset, tree } of work.built)
        noteDataset(draft, cut, epoch, dataset, tree, packs);
      for (const change of cut.catalog) draft.set(catalogKey(epoch, change), catalogRecord(change));
      const stream = session.identity.streams[0] ?? 'cuts';
      const position = { time: cut.time, term: 0n };
      const at = { resume: position, through: position, settled: cut.time };
      draft.set(`stream/${stream}`, streamRecord(at));
      const { grade, notes } = work.report;
      draft.set(cutKey(cut.time), { epoch, number, grade, notes } satisfies CutRecord);
      rememberCut(draft, cut.memory());
      point = { ...describePoint(context, draft, epoch, cut.time), grade };
      draft.set(`point/cut:${number}`, point);
    });
  } catch (error) {
    if (!(error instanceof CondemnedPacksError)) throw error;
    work.parts.refuse(error.packs);
    return undefined;
  }
  repository.committed(used);
  return { ...(point as unknown as PointRecord), id: `cut:${number}` };
}

function openCutEpoch(draft: Draft, time: SourceTime): number {
  const number = (epochsOf(draft).at(-1)?.number ?? -1) + 1;
  const from = timeToHex(time);
  draft.set(epochKey(number), { catalogFrom: from, exactFrom: from } satisfies EpochRecord);
  for (const [rest, hole] of draft.list<{ to?: string }>('hole')) {
    if (hole.to === undefined) draft.set(`hole/${rest}`, { ...hole, to: from });
  }
  return number;
}

function noteDataset(
  draft: Draft,
  cut: CutReader,
  epoch: number,
  { entry: { dataset }, begins }: CutDataset,
  tree: TreeRecord,
  packs: string,
): void {
  const at = timeToHex(cut.time);
  if (begins) {
    const steps = [{ from: '', after: at }];
    const base: BaseRecord = { epoch, exactFrom: at, tree, steps, packs };
    draft.set(baseKey(dataset, cut.time), base);
    return;
  }
  if (tree.records === 0) return;
  const base = baseAt(draft, dataset, epoch, cut.time);
  if (!base) throw new CodrError('failed', `the dataset ${dataset} has no base copy`);
  // The cuts since then have added nothing: deltas join without a gap.
  const after = deltasAt(draft, base, cut.time)[0]?.to ?? base.exactFrom;
  const delta: DeltaRecord = { epoch, after, tree, packs };
  draft.set(deltaKey(dataset, { after, to: at }), delta);
}

function describePoint(
  { connector, scope }: SourceContext,
  draft: Draft,
  epoch: number,
  at: SourceTime,
): PointRecord {
  const entries = connector.foldCatalog(catalogChanges(draft, epoch, at));
  let [datasets, records, bytes] = [0, 0, 0];
  let estimated = false;
  for (const entry of entries) {
    if (!inScope(scope, entry)) continue;
    datasets++;
    const base = baseAt(draft, entry.dataset, epoch, at);
    if (!base) continue;
    const deltas = deltasAt(draft, base, at);
    for (const { tree } of [base, ...deltas]) {
      records += tree?.records ?? 0;
      bytes += tree?.bytes ?? 0;
    }
    estimated ||= deltas.length > 0;
  }
  const wallMs = connector.wallMs(at);
  const counts = { datasets, records, bytes, ...(estimated && { estimated }) };
  return { time: timeToHex(at), wallMs, ...counts };
}
