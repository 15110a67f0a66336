// While following, a small budget reads random ranges of the live source at a time and compares them with
// the fold at that time: damage is found in hours, not at the restore. A difference makes the dataset's
// history doubtful since its base copy, and a new base copy is wanted.
import type { SourceSession } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { RecordStream } from '../../model/record.ts';
import { type SourceTime, timeToHex } from '../../model/time.ts';
import type { WantRecord } from '../../repository/lineage/records.ts';
import type { WriterClaim } from '../../repository/lineage/writer.ts';
import { splitTree } from '../../repository/tree/tree-reader.ts';
import { heldReading } from '../held-reading.ts';
import { baseAt, settledTime } from '../history/source-history.ts';
import { foldDataset, nativeRecords, OpenedRuns, treeRootOf } from '../read/fold.ts';
import type { PointDataset } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';
import { firstDifference } from '../verify/compare-streams.ts';

/** Raw bytes of a range that one audit reads, about. */
const auditBytes = 256 * 1024;
const rangesMax = 4096;

export interface AuditOptions {
  readonly session: SourceSession;
  readonly claim: WriterClaim;
  readonly epoch: number;
  /** Datasets that can be audited: those in scope, of role `data`. */
  readonly entries: readonly CatalogEntry[];
}

export type AuditResult = 'equal' | 'different' | 'skipped';

/** One random range of one random dataset. Skipped: nothing there yet, or the source cannot show it. */
export async function auditOnce(
  context: SourceContext,
  options: AuditOptions,
  signal: AbortSignal,
): Promise<AuditResult> {
  const { lineage, world, repository } = context;
  const at = settledTime(lineage.state);
  const entry = options.entries[world.random.below(Math.max(1, options.entries.length))];
  if (!entry || at === undefined) return 'skipped';
  const base = baseAt(lineage.state, entry.dataset, options.epoch, at);
  if (!base?.tree) return 'skipped';
  const parts = Math.min(rangesMax, Math.ceil(base.tree.bytes / auditBytes));
  const ranges = await splitTree(repository.source, treeRootOf(base.tree), Math.max(1, parts));
  const range = ranges[world.random.below(ranges.length)] as KeyRange;
  const live = await options.session.readAt(entry, range, at, signal);
  if (!live) return 'skipped';
  const dataset: PointDataset = { entry, base };
  const folded = native(context, dataset, { range, at });
  const work = { signal, progress: () => {} };
  const { bytesPerSecond = 0 } = context.limits ?? {};
  const held = heldReading(live, context, { work, bytesPerSecond });
  const difference = await firstDifference(folded, held);
  if (!difference) return 'equal';
  world.log.error(
    {
      namespace: entry.namespace,
      key: context.connector.renderKey(entry, difference.record),
      difference: difference.kind,
    },
    'audit: the source differs from what is stored',
  );
  await lineage.commit((draft): undefined => {
    options.claim.check(draft);
    const want: WantRecord = {
      epoch: options.epoch,
      from: base.exactFrom,
      initial: false,
      notBefore: timeToHex(at),
      reason: 'an audit found that the source differs from what was stored',
      records: base.tree?.records ?? 0,
      bytes: base.tree?.bytes ?? 0,
    };
    draft.set(`want/${entry.dataset}`, want);
  });
  return 'different';
}

async function* native(
  context: SourceContext,
  dataset: PointDataset,
  where: { readonly range: KeyRange; readonly at: SourceTime },
): RecordStream {
  const runs = new OpenedRuns(context);
  yield* nativeRecords(context, dataset, foldDataset(context, runs, dataset, where));
}
