// Deletes lineage entries that nothing needs any more: those older than the newest stored state and than
// every inline run that is still open, and whole lineages of removed sources. A boundary object goes first:
// a writer that wakes and creates an entry below it is told so.
import { forEachLimit } from '../../base/async.ts';
import { entryName, type Lineage, newestBoundary } from '../lineage/lineage.ts';
import { createMutable, removeMutable } from '../lineage/mutable.ts';
import type { RunRecord } from '../lineage/records.ts';
import { type CollectContext, mutablesOf } from './collect-context.ts';
import { livePins } from './pins.ts';

/** A lineage that is shorter needs no stored state of its own. */
const entriesWithoutStateMax = 64;
const removalsAtOnce = 8;
/** The boundary of a removed source's lineage: nothing counts there any more. */
export const pastEverything = Number.MAX_SAFE_INTEGER;

/** Moves the boundary up and deletes what is below it, unless a reader may need that. */
export async function deleteOldEntries(context: CollectContext, lineage: Lineage): Promise<void> {
  await lineage.refresh();
  if (lineage.stateSeq < 0) {
    if (lineage.seq < entriesWithoutStateMax) return;
    await lineage.commit(() => undefined, { withState: true });
  }
  const pins = await livePins(mutablesOf(context), context);
  if (pins.some((pin) => pin.lineage === lineage.name && pin.seq < lineage.seq)) return;
  await deleteBelow(context, lineage.name, neededFrom(lineage));
}

/** The oldest entry that opening the lineage, or reading an inline run of its newest state, needs. */
function neededFrom({ state, stateSeq }: Lineage): number {
  const inline = state.list<RunRecord>('run').flatMap(([, { seq }]) => seq ?? []);
  return inline.reduce((a, b) => Math.min(a, b), Math.max(0, stateSeq));
}

/** Deletes a lineage as a whole, unless somebody reads it. Its packs must be gone already. */
export async function deleteLineage(context: CollectContext, name: string): Promise<void> {
  const pins = await livePins(mutablesOf(context), context);
  if (pins.some((pin) => pin.lineage === name)) return;
  await deleteBelow(context, name, pastEverything);
}

async function deleteBelow(context: CollectContext, name: string, wanted: number): Promise<void> {
  const mutables = mutablesOf(context);
  const newest = await newestBoundary(mutables, name);
  let seq = newest?.value.seq ?? 0;
  if (seq < wanted) {
    const n = (newest?.n ?? -1) + 1;
    const isFirst = await createMutable(
      mutables,
      { what: 'boundary', id: name, n },
      { seq: wanted },
    );
    // Somebody else moved it at the same moment: theirs counts, the next collection goes further.
    if (!isFirst) return;
    seq = wanted;
    for (let old = newest?.n ?? -1; old >= 0; old--) {
      const place = { what: 'boundary', id: name, n: old };
      if (!(await mutables.store.stat(mutableName(place)))) break;
      await removeMutable(mutables, place);
    }
  }
  const { repository, signal } = context;
  const first = seq === pastEverything ? undefined : entryName(name, seq);
  const old: string[] = [];
  for await (const object of repository.store.list(`lineage/${name}/`, signal)) {
    if (first !== undefined && object.name >= first) break;
    old.push(object.name);
  }
  const remove = (entry: string): Promise<void> => repository.store.remove(entry, signal);
  await forEachLimit(old, removalsAtOnce, remove, signal);
}

function mutableName({ what, id, n }: { what: string; id: string; n: number }): string {
  return `mutable/${what}/${id}/${String(n).padStart(8, '0')}`;
}
