// Deletes lineage entries that nothing needs any more: those older than the newest stored state and than
// every inline run that is still open, and whole lineages of removed sources. A boundary object goes first:
// a writer that wakes and creates an entry below it is told so.
import { forEachLimit } from '../../base/async.ts';
import { isLoss } from '../check/losses.ts';
import { entryName, type Lineage, newestBoundary } from '../lineage/lineage.ts';
import { createMutable, removeMutable } from '../lineage/mutable.ts';
import type { RunRecord } from '../lineage/records.ts';
import { type CollectContext, mutablesOf } from './collect-context.ts';
import { livePins } from './pins.ts';

/** A lineage that is shorter needs no stored state of its own. */
const entriesWithoutStateMax = 64;
/** An inline run that lies further back is carried along: a quiet source, or a closed epoch, never merges it away. */
const entriesHeldMax = 4096;
/** Inline runs that one entry takes along, beside the first. */
const carriedBytesMax = 4 * 1024 * 1024;
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
  const { seq } = lineage;
  const needed = neededFrom(lineage);
  // What is carried now is let go by the next collection: a writer may be about to read it where it was.
  await carryOldRuns(context, lineage);
  const pins = await livePins(mutablesOf(context), context);
  if (pins.some((pin) => pin.lineage === lineage.name && pin.seq < seq)) return;
  await deleteBelow(context, lineage.name, needed);
}

/** An inline run, and its bytes. */
interface CarriedRun {
  readonly key: string;
  readonly run: RunRecord;
  readonly bytes: Uint8Array;
}

async function carryOldRuns(context: CollectContext, lineage: Lineage): Promise<void> {
  const before = lineage.seq - (context.entriesHeldMax ?? entriesHeldMax);
  let runs: CarriedRun[] = [];
  let length = 0;
  for (const [rest, run] of lineage.state.list<RunRecord>('run')) {
    if (run.seq === undefined || run.seq >= before) continue;
    const bytes = await inlineBytes(lineage, run);
    if (!bytes) continue;
    if (runs.length > 0 && length + bytes.length > carriedBytesMax) {
      await carry(lineage, runs);
      [runs, length] = [[], 0];
    }
    runs.push({ key: `run/${rest}`, run, bytes });
    length += bytes.length;
  }
  if (runs.length > 0) await carry(lineage, runs);
}

/** Undefined of one that is lost: it stays as it is, and a check says so. */
async function inlineBytes(
  lineage: Lineage,
  { seq = 0, offset = 0, length = 0 }: RunRecord,
): Promise<Uint8Array | undefined> {
  try {
    return (await lineage.attachments(seq)).subarray(offset, offset + length);
  } catch (error) {
    if (!isLoss(error)) throw error;
    return undefined;
  }
}

/** Those that are as they were read: one that was merged since has left its name to what it was merged into. */
async function carry(lineage: Lineage, runs: readonly CarriedRun[]): Promise<void> {
  await lineage.commit((draft) => {
    const same = runs.filter(
      ({ key, run }) => JSON.stringify(draft.get(key)) === JSON.stringify(run),
    );
    for (const { key, run, bytes } of same) {
      draft.set(key, { ...run, seq: draft.seq, offset: draft.attach(bytes) } satisfies RunRecord);
    }
    return same.length > 0 ? undefined : false;
  });
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
