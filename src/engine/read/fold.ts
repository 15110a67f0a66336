// Records at a moment: the base copy's tree and all runs that touch it, merged and folded by the
// connector. One frame of each run and a few leaves are in memory, whatever the size of the data.
import { assert } from '../../base/assert.ts';
import { fromBase64, fromHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { FoldInput, LaterCuts, LiveForm } from '../../connector/connector.ts';
import type { Change } from '../../model/change.ts';
import { type DatasetId, leafId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { RecordBatch, RecordStream } from '../../model/record.ts';
import { minTime, type SourceTime, timeFromHex } from '../../model/time.ts';
import type { BaseRecord, TreeRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import type { Repository } from '../../repository/repository.ts';
import { mergeRuns } from '../../repository/runs/merge-runs.ts';
import { clearsOf, datasetsIn, readRun } from '../../repository/runs/run-reader.ts';
import type { BlockSource } from '../../repository/runs/run-ref.ts';
import type { TreeRoot } from '../../repository/tree/tree-root.ts';
import { blocksOf, type OpenRun, openRuns, runTouches } from '../capture/run-records.ts';
import { deltasAt, isUnbroken } from '../history/cut-history.ts';
import type { SourceContext } from '../source-context.ts';
import type { PointDataset } from './point.ts';
import { treeInputs } from './tree-inputs.ts';

/** Of all trees of a fold together. Reads of 4 MiB: a read opens 16 frames beside one another. */
const readAheadBytes = 16 * 1024 * 1024;

/** What a fold is made of. */
export interface FoldContext extends Pick<SourceContext, 'connector' | 'lineage'> {
  readonly repository: Pick<Repository, 'source' | 'blocks'>;
}

interface ReadableRun {
  readonly run: OpenRun;
  readonly blocks: () => Promise<BlockSource>;
}

/** The runs of one state, opened once and shared by all folds of a restore. */
export class OpenedRuns {
  readonly #state: StateView;
  readonly #runs: readonly ReadableRun[];

  constructor(context: Pick<FoldContext, 'lineage' | 'repository'>) {
    const { lineage, repository } = context;
    this.#state = lineage.state;
    this.#runs = openRuns(lineage.state).map((run) => ({
      run,
      blocks: () => blocksOf(lineage, repository.blocks, run),
    }));
  }

  /** Changes of a dataset's range with after < time ≤ at, in (key, order), without copies. */
  changes(
    dataset: PointDataset,
    range: KeyRange,
    window: { readonly after: SourceTime; readonly at: SourceTime },
  ): AsyncIterable<readonly Change[]> {
    const query = {
      dataset: dataset.entry.dataset,
      range,
      afterTime: window.after,
      untilTime: window.at,
    };
    const inputs = this.#touched(dataset, window.after, window.at).map(async function* ({
      run,
      blocks,
    }) {
      yield* readRun(await blocks(), run.ref, query);
    });
    return mergeRuns(inputs);
  }

  /** Those of `datasets` that have changed between their base copy and `at`: all others are silent. */
  async changed(
    datasets: readonly PointDataset[],
    at: SourceTime,
  ): Promise<ReadonlySet<DatasetId>> {
    const found = new Set<DatasetId>();
    for (const { entry, base } of datasets) {
      if (deltasAt(this.#state, base, at).length > 0) found.add(entry.dataset);
    }
    const asked = datasets.map((dataset) => ({
      epoch: dataset.base.epoch,
      dataset: dataset.entry.dataset,
      afterTime: baseTimeOf(dataset),
    }));
    for (const { run, blocks } of this.#runs) {
      const { record, ref } = run;
      const wanted = asked.filter(
        ({ epoch, dataset, afterTime }) =>
          record.epoch === epoch && !found.has(dataset) && runTouches(record, afterTime, at),
      );
      if (wanted.length === 0) continue;
      for (const dataset of await datasetsIn(await blocks(), ref, wanted, at)) found.add(dataset);
    }
    return found;
  }

  async clears(dataset: PointDataset, at: SourceTime): Promise<Change[]> {
    const clears: Change[] = [];
    for (const { run, blocks } of this.#touched(dataset, -1n, at)) {
      const query = { dataset: dataset.entry.dataset, untilTime: at };
      clears.push(...(await clearsOf(await blocks(), run.ref, query)));
    }
    return clears.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  }

  #touched({ base }: PointDataset, after: SourceTime, at: SourceTime): readonly ReadableRun[] {
    return this.#runs.filter(
      ({ run: { record } }) => record.epoch === base.epoch && runTouches(record, after, at),
    );
  }
}

export interface FoldWhere {
  readonly range: KeyRange;
  readonly at: SourceTime;
  readonly live?: LiveForm;
  /** The records are stored again. */
  readonly stored?: NonNullable<LaterCuts['stored']>;
}

/** The live records of one range of a dataset at `at`, ascending by key. */
export async function* foldDataset(
  context: FoldContext,
  runs: OpenedRuns,
  dataset: PointDataset,
  where: FoldWhere,
): AsyncGenerator<RecordBatch, void, void> {
  const { range, at, live, stored } = where;
  const steps = stepsOf(dataset);
  const after = baseTimeOf(dataset);
  const from = range.from && context.connector.leadIn(range.from);
  const read = { ...range, ...(from && { from }) };
  const { tree } = dataset.base;
  const deltas = deltasAt(context.lineage.state, dataset.base, at);
  if (!isUnbroken(deltas, dataset.base.exactFrom)) throw gapIn(dataset);
  const [base, ...cuts] = treeInputs(
    { source: context.repository.source, leadIn: context.connector.leadIn },
    [tree, ...deltas.map((delta) => delta.tree)].map((one) => one && treeRootOf(one)),
    { range: read, readAheadBytes },
  );
  assert(base, 'a base copy is a stream, be it empty');
  const input: FoldInput = {
    range,
    base,
    ...(!context.connector.capabilities.orderedLog && {
      later: {
        entry: dataset.entry,
        cuts,
        ...(live && { live }),
        ...(stored && { stored }),
      },
    }),
    baseAfter: steps,
    exactFrom: timeFromHex(dataset.base.exactFrom),
    changes: runs.changes(dataset, range, { after, at }),
    clears: await runs.clears(dataset, at),
    at,
  };
  yield* context.connector.foldRange(input);
}

/** The same records as a reader of the live database sees them. */
export async function* nativeRecords(
  { connector }: Pick<SourceContext, 'connector'>,
  { entry }: PointDataset,
  records: RecordStream,
): AsyncGenerator<RecordBatch, void, void> {
  if (connector.storesNative(entry)) {
    yield* records;
    return;
  }
  for await (const batch of records) {
    yield batch.map((record) => ({
      key: record.key,
      value: connector.nativeValue(entry, record),
    }));
  }
}

export function treeRootOf(tree: TreeRecord): TreeRoot {
  const { root, height, records, bytes, parameters } = tree;
  return { id: leafId(fromHex(root)), height, records, bytes, cut: parameters };
}

/** Changes after this may be missing in the base copy. */
export function baseTimeOf(dataset: WithSteps): SourceTime {
  return stepsOf(dataset)
    .map(({ after }) => after)
    .reduce(minTime);
}

/** It would be left out without a word. */
function gapIn({ entry: { namespace } }: PointDataset): CodrError {
  const message = `what some cut added to ${namespace} is not there any more`;
  return new CodrError('object-missing', message, { object: namespace });
}

interface WithSteps {
  readonly base: Pick<BaseRecord, 'steps'>;
}

/** A dataset born in the log has no tree: every change applies to nothing. */
function stepsOf({ base }: WithSteps): { from: Uint8Array; after: SourceTime }[] {
  if (base.steps.length === 0) return [{ from: new Uint8Array(0), after: 0n }];
  return base.steps.map(({ from, after }) => ({
    from: fromBase64(from),
    after: timeFromHex(after),
  }));
}
