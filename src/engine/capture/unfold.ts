// Gives up base copies that were folded of older ones. What they were made of is there still, so nothing is lost by
// it: moments after them are folded upon the base copy before, as they were before the checkpoint.
import { datasetId } from '../../model/id.ts';
import { timeFromHex } from '../../model/time.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { BaseRecord, DeltaRecord } from '../../repository/lineage/records.ts';
import { deltaKey, deltaSpan, deltasAt, isUnbroken } from '../history/cut-history.ts';
import { baseAt } from '../history/source-history.ts';

interface Losses {
  /** Rests of keys. */
  readonly bases: ReadonlySet<string>;
  readonly deltas: ReadonlySet<string>;
}

/** Drops those of `bases` that were folded; gives what is lost beside them, by the names it has now. */
export function unfoldBases(draft: Draft, { bases, deltas }: Losses): Losses {
  const left = new Set(bases);
  let lostDeltas = new Set(deltas);
  // From new to old: one may have been folded of another that is lost too.
  for (const rest of [...bases].sort().reverse()) {
    const renamed = unfoldBase(draft, rest);
    if (!renamed) continue;
    left.delete(rest);
    lostDeltas = new Set([...lostDeltas].map((one) => renamed.get(one) ?? one));
  }
  return { bases: left, deltas: lostDeltas };
}

/** Undefined when it was not folded. Else the new names of what followed upon it: it follows upon what came before. */
function unfoldBase(draft: Draft, rest: string): Map<string, string> | undefined {
  const base = draft.get<BaseRecord>(`base/${rest}`);
  if (!base?.folded) return undefined;
  const dataset = datasetId(rest.slice(0, rest.indexOf('/')));
  const at = timeFromHex(base.exactFrom);
  const before = baseAt(draft, dataset, base.epoch, at - 1n);
  if (!before) return undefined;
  draft.set(`base/${rest}`, null);
  const last = deltasAt(draft, before, at)[0]?.to ?? before.exactFrom;
  const renamed = new Map<string, string>();
  if (last === base.exactFrom) return renamed;
  for (const one of [...draft.keys('delta', `${dataset}/`)]) {
    const { after, to } = deltaSpan(one);
    if (after !== base.exactFrom) continue;
    const delta = draft.get<DeltaRecord>(`delta/${one}`) as DeltaRecord;
    const key = deltaKey(dataset, { after: last, to });
    draft.set(`delta/${one}`, null);
    draft.set(key, { ...delta, after: last });
    renamed.set(one, key.slice('delta/'.length));
  }
  return renamed;
}

/**
 * Folded base copies that could not be made again count as copies of their own from now on: what they were made of
 * is lost, and only they hold it. Comes when lost deltas are gone and lost base copies are still there.
 */
export function keepUnmade(draft: Draft, { bases, deltas }: Losses): void {
  const lost = [...deltas].map((rest) => ({ rest, ...deltaSpan(rest) }));
  for (const [rest, base] of draft.list<BaseRecord>('base')) {
    if (!base.folded || bases.has(rest)) continue;
    const dataset = datasetId(rest.slice(0, rest.indexOf('/')));
    const at = timeFromHex(base.exactFrom);
    const before = baseAt(draft, dataset, base.epoch, at - 1n);
    if (before && !bases.has(`${dataset}/${before.exactFrom}`)) {
      const chain = deltasAt(draft, before, at);
      const reached = chain[0]?.to ?? before.exactFrom;
      const isMissed = lost.some(
        (one) => one.rest.startsWith(`${dataset}/`) && one.to > reached && one.to <= base.exactFrom,
      );
      if (!isMissed && isUnbroken(chain, before.exactFrom)) continue;
    }
    const { folded: _, ...own } = base;
    draft.set(`base/${rest}`, own satisfies BaseRecord);
  }
}
