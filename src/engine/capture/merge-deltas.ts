// Keeps folds of cuts short: what twelve cuts added to a dataset is merged into one tree beside theirs, and
// twelve of those into one of the next tier. A fold takes the longest that fits, so that no point needs more
// than eleven of a tier; the short ones stay for the points between.
import { toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { wholeRange } from '../../model/key-range.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import { lastTime, timeFromHex } from '../../model/time.ts';
import { CondemnedPacksError, usePacks } from '../../repository/lineage/pack-table.ts';
import type { BaseRecord, DeltaRecord, TreeRecord } from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { tierFanIn } from '../../repository/runs/tiers.ts';
import { joinParts } from '../../repository/tree/join.ts';
import { buildRange } from '../../repository/tree/range-builder.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import { deltaKey, deltasAt, type StoredDelta } from '../history/cut-history.ts';
import { type Base, baseAt, catalogChanges } from '../history/source-history.ts';
import { treeRootOf } from '../read/fold.ts';
import { treeInputs } from '../read/tree-inputs.ts';
import type { SourceContext } from '../source-context.ts';

export interface MergeOptions {
  readonly claim: WriterClaim;
  /** No merge is begun later than this long after the first; the next backup goes on. */
  readonly msMax: number;
}

/** Of all twelve trees together: the whole merge stays below 32 MiB. */
const readAheadBytes = 24 * 1024 * 1024;

/**
 * Merges until nothing is due, or the time is up. Returns how many trees it made. What cannot be read is told
 * and left as it is: every point that can be restored can be without the merge.
 */
export async function mergeDueDeltas(
  context: SourceContext,
  epoch: number,
  { claim, msMax }: MergeOptions,
  signal: AbortSignal,
): Promise<number> {
  const { clock, log } = context.world;
  const startMs = clock.monotonic();
  let merged = 0;
  for (const base of newestBases(context, epoch)) {
    for (;;) {
      signal.throwIfAborted();
      if (clock.monotonic() - startMs > msMax) return merged;
      const due = dueDeltas(deltasAt(context.lineage.state, base, lastTime));
      if (due.length === 0) break;
      try {
        if (!(await mergeDeltas(context, base, due, claim, signal))) break;
        merged++;
      } catch (error) {
        const isLost = isCodrError(error, 'object-missing') || isCodrError(error, 'object-damaged');
        if (!isLost) throw error;
        log.warn({ source: context.name, error: error.message }, 'cuts could not be merged');
        break;
      }
    }
  }
  return merged;
}

/** Of every dataset: older ones get no more deltas. */
function newestBases({ lineage }: SourceContext, epoch: number): Base[] {
  const names = new Set(
    lineage.state
      .list<BaseRecord>('base')
      .filter(([, base]) => base.epoch === epoch)
      .map(([rest]) => rest.slice(0, rest.indexOf('/'))),
  );
  return [...names].flatMap(
    (dataset) => baseAt(lineage.state, dataset as Base['dataset'], epoch, lastTime) ?? [],
  );
}

/**
 * The oldest twelve neighbours of one tier, newest first, or none. Tiers never rise from old to new, and
 * merging twelve at a time leaves the same trees whether a merge came late or not.
 */
export function dueDeltas(newestFirst: readonly StoredDelta[]): readonly StoredDelta[] {
  const groups = new Map<number, StoredDelta[]>();
  let highest = 0;
  for (const delta of newestFirst) {
    highest = Math.max(highest, delta.tier ?? 0);
    groups.set(highest, [...(groups.get(highest) ?? []), delta]);
  }
  const full = [...groups.values()].find((group) => group.length >= tierFanIn);
  return full?.slice(-tierFanIn) ?? [];
}

/** False when somebody else took a delta away, or what the merge relied on was condemned: the next one goes on. */
async function mergeDeltas(
  context: SourceContext,
  base: Base,
  due: readonly StoredDelta[],
  claim: WriterClaim,
  signal: AbortSignal,
): Promise<boolean> {
  const { repository, lineage } = context;
  const [newest, oldest] = [due[0], due.at(-1)];
  if (!newest || !oldest) return false;
  const records = foldDeltas(context, base, due, signal);
  if (!records) return false;
  const store = repository.session();
  const part = await buildRange(records, store.tree(signal));
  const tree = treeRecordOf(await joinParts([part], store.tree(signal)));
  const used = await store.flush();
  try {
    const seq = await lineage.commit((draft) => {
      claim.check(draft);
      if (due.some(({ key }) => draft.get(key) === undefined)) return false;
      const merged: DeltaRecord = {
        epoch: base.epoch,
        after: oldest.after,
        tier: Math.max(...due.map(({ tier = 0 }) => tier)) + 1,
        tree,
        packs: String(usePacks(draft, used)),
      };
      draft.set(deltaKey(base.dataset, { after: oldest.after, to: newest.to }), merged);
    });
    repository.committed(used);
    return seq !== undefined;
  } catch (error) {
    if (!(error instanceof CondemnedPacksError)) throw error;
    repository.forget(error.packs);
    return false;
  }
}

/** Everything that they hold, deletions too. What a schema takes away is taken away when it is read. */
function foldDeltas(
  { repository, lineage, connector }: SourceContext,
  { dataset, epoch }: Base,
  due: readonly StoredDelta[],
  signal: AbortSignal,
): RecordStream | undefined {
  const at = timeFromHex(due[0]?.to ?? '0');
  const entry = connector
    .foldCatalog(catalogChanges(lineage.state, epoch, at))
    .find((one) => one.dataset === dataset);
  if (!entry) return undefined;
  const cuts = treeInputs(
    { source: repository.source, leadIn: connector.leadIn },
    due.map(({ tree }) => treeRootOf(tree)),
    { range: wholeRange, readAheadBytes, signal },
  );
  return connector.foldRange({
    range: wholeRange,
    base: nothing(),
    later: { entry, cuts, stored: {} },
    baseAfter: [],
    exactFrom: at,
    changes: nothing(),
    clears: [],
    at,
  });
}

/** As the lineage keeps a tree. */
export function treeRecordOf({ id, height, records, bytes, cut }: TreeRoot): TreeRecord {
  return { root: toHex(id), height, records, bytes, parameters: cut };
}

async function* nothing(): AsyncGenerator<RecordBatch & readonly never[], void, void> {}
