// Gives up what a check found lost of a source without an ordered log. A cut that some dataset cannot be folded
// for any more lies in a hole of that dataset; a merge of several cuts may still carry the later ones. When
// the newest cut is hurt the epoch is closed: the next cut begins everything anew.
import { type DatasetId, datasetId } from '../../model/id.ts';
import { timeToHex } from '../../model/time.ts';
import type { LineageLosses } from '../../repository/check/losses.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { BaseRecord, DeltaRecord } from '../../repository/lineage/records.ts';
import { cutsOf, deltaSpan, deltasAt, isUnbroken, type StoredCut } from '../history/cut-history.ts';
import { addHole } from '../history/ledger.ts';
import { baseAt } from '../history/source-history.ts';
import { closeEpoch } from './epoch.ts';
import type { LeftAt } from './give-up.ts';
import { keepUnmade } from './unfold.ts';

export interface GiveUpCutsOptions {
  readonly leftAt: LeftAt;
  /** Of the holes, for people. */
  readonly reason: string;
}

/** What is lost of one dataset in one epoch. */
interface DatasetLoss {
  readonly dataset: DatasetId;
  readonly epoch: number;
  /** Of base copies. */
  readonly exactFrom: Set<string>;
  /** Of deltas. */
  readonly to: Set<string>;
}

/** Gives up base copies and deltas: the rests of their keys. */
export function giveUpCuts(
  draft: Draft,
  { bases, deltas }: Pick<LineageLosses, 'bases' | 'deltas'>,
  { leftAt, reason }: GiveUpCutsOptions,
): void {
  const lost = lossesOf(draft, bases, deltas);
  const hurt = lost.map((loss) => ({ loss, cuts: cutsToLookAt(draft, loss, leftAt) }));
  for (const rest of deltas) draft.set(`delta/${rest}`, null);
  const last = cutsOf(draft).at(-1);
  let isNewestHurt = false;
  for (const { loss, cuts } of hurt) {
    const isHurt = new Set(cuts.filter((cut) => !isWhole(draft, loss, cut)).map(timeOf));
    addHoles(draft, loss, isHurt, reason);
    isNewestHurt ||= last !== undefined && isHurt.has(timeOf(last));
  }
  keepUnmade(draft, { bases, deltas });
  for (const rest of bases) dropBase(draft, rest);
  if (isNewestHurt) closeEpoch(draft, reason);
}

function lossesOf(
  draft: Draft,
  bases: ReadonlySet<string>,
  deltas: ReadonlySet<string>,
): DatasetLoss[] {
  const found = new Map<string, DatasetLoss>();
  const lossOf = (rest: string, epoch: number): DatasetLoss => {
    const dataset = datasetId(rest.slice(0, rest.indexOf('/')));
    const name = `${dataset}/${epoch}`;
    const loss = found.get(name) ?? { dataset, epoch, exactFrom: new Set(), to: new Set() };
    found.set(name, loss);
    return loss;
  };
  for (const rest of bases) {
    const base = draft.get<BaseRecord>(`base/${rest}`);
    if (base) lossOf(rest, base.epoch).exactFrom.add(base.exactFrom);
  }
  for (const rest of deltas) {
    const delta = draft.get<DeltaRecord>(`delta/${rest}`);
    if (delta) lossOf(rest, delta.epoch).to.add(deltaSpan(rest).to);
  }
  return [...found.values()];
}

/** Those that had the dataset. */
function cutsToLookAt(draft: Draft, { dataset, epoch }: DatasetLoss, leftAt: LeftAt): StoredCut[] {
  const left = leftAt(draft, epoch, dataset);
  return cutsOf(draft, epoch).filter(({ time }) => left === undefined || time < left);
}

/** Read before the lost base copies go: what they carried must not be folded upon an older one. */
function isWhole(
  draft: Draft,
  { dataset, epoch, exactFrom, to }: DatasetLoss,
  cut: StoredCut,
): boolean {
  const base = baseAt(draft, dataset, epoch, cut.time);
  if (!base) return true; // it was not there yet
  if (exactFrom.has(base.exactFrom)) return false;
  const deltas = deltasAt(draft, base, cut.time);
  if (!isUnbroken(deltas, base.exactFrom)) return false;
  // A lost one that nothing reaches up to was the newest.
  const reached = deltas[0]?.to ?? base.exactFrom;
  return ![...to].some((one) => one > reached && one <= timeOf(cut));
}

/** One hole for each stretch of cuts that are hurt, up to the next that is not. */
function addHoles(
  draft: Draft,
  { dataset, epoch }: DatasetLoss,
  isHurt: ReadonlySet<string>,
  reason: string,
): void {
  const [stream = ''] = draft.keys('stream');
  const cuts = cutsOf(draft, epoch);
  let from: string | undefined;
  for (const cut of cuts) {
    if (isHurt.has(timeOf(cut))) {
      from ??= timeToHex(cut.time - 1n);
      continue;
    }
    if (from !== undefined) addHole(draft, { stream, dataset, from, to: timeOf(cut), reason });
    from = undefined;
  }
  const last = cuts.at(-1);
  if (from === undefined || !last) return;
  // The next cut is one of another epoch.
  addHole(draft, { stream, dataset, from, to: timeToHex(last.time + 1n), reason });
}

/** With all that was added to it: nothing can be folded upon it any more. */
function dropBase(draft: Draft, rest: string): void {
  const base = draft.get<BaseRecord>(`base/${rest}`);
  if (!base) return;
  const dataset = datasetId(rest.slice(0, rest.indexOf('/')));
  const next = draft.keys('base', `${dataset}/`).find((one) => one > rest);
  const end = next?.slice(next.indexOf('/') + 1);
  for (const one of [...draft.keys('delta', `${dataset}/`)]) {
    const { after, to } = deltaSpan(one);
    const isOn = after >= base.exactFrom && (end === undefined || to <= end);
    if (isOn) draft.set(`delta/${one}`, null);
  }
  draft.set(`base/${rest}`, null);
}

function timeOf({ time }: StoredCut): string {
  return timeToHex(time);
}
