// Keeps the open runs few: merges neighbours tier by tier. Changes are kept, never folded, so every second
// stays restorable. What merging replaces is no longer held by the state, and collection frees it.
import type { Draft } from '../../repository/lineage/draft.ts';
import { usePacks } from '../../repository/lineage/pack-table.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { mergeRuns } from '../../repository/runs/merge-runs.ts';
import { readWholeRun } from '../../repository/runs/run-reader.ts';
import { writeRun } from '../../repository/runs/run-writer.ts';
import { mergedTier, planMerge } from '../../repository/runs/tiers.ts';
import type { SourceContext } from '../source-context.ts';
import { blocksOf, mergeGroups, type OpenRun, openRuns, runRecord } from './run-records.ts';

/** Merges runs of one epoch until nothing is due. Returns how many runs went. */
export async function mergeDueRuns(
  context: SourceContext,
  claim: WriterClaim,
  epoch: number,
  signal: AbortSignal,
): Promise<number> {
  let merged = 0;
  for (;;) {
    signal.throwIfAborted();
    const runs = openRuns(context.lineage.state, epoch);
    const due = new Set(planMerge(runs.map(({ record }) => record)));
    if (due.size === 0) return merged;
    const chosen = runs.filter(({ record }) => due.has(record));
    if (!(await mergeNeighbours(context, claim, chosen))) return merged;
    merged += chosen.length;
  }
}

/** Makes one run of neighbours. False when somebody else has merged one of them. */
export async function mergeNeighbours(
  context: SourceContext,
  claim: WriterClaim,
  chosen: readonly OpenRun[],
): Promise<boolean> {
  const { repository, lineage } = context;
  const inputs = [];
  for (const run of chosen) {
    inputs.push(readWholeRun(await blocksOf(lineage, repository.blocks, run), run.ref));
  }
  const session = repository.session();
  const tier = mergedTier(chosen.map(({ record }) => record));
  const written = await writeRun(mergeRuns(inputs), session.blocks, { tier });
  const used = await session.flush();
  const groups = mergeGroups(chosen.flatMap(({ record }) => record.groups));
  const seq = await lineage.commit((draft: Draft) => {
    claim.check(draft);
    if (chosen.some(({ key }) => draft.get(key) === undefined)) return false;
    const packs = String(usePacks(draft, used));
    for (const { key } of chosen) draft.set(key, null);
    const [first] = chosen;
    if (first && written) {
      const offset = written.inline ? draft.attach(written.inline) : 0;
      const where = { epoch: first.record.epoch, seq: draft.seq, offset, packs };
      draft.set(first.key, runRecord(written, where, groups));
    }
  });
  repository.committed(used);
  return seq !== undefined;
}
