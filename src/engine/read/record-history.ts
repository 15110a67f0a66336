// One record through time: its base image and every change that the repository holds up to a moment.

import { concatBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type Change, changeKinds } from '../../model/change.ts';
import type { KeyRange } from '../../model/key-range.ts';
import { type SourceTime, timeFromHex } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import { foldDataset, OpenedRuns } from './fold.ts';
import { resolvePoint } from './point.ts';

export interface RecordVersion {
  readonly time: SourceTime;
  readonly change: 'base' | 'put' | 'patch' | 'delete' | 'clear';
  /** Absent when the record was gone after the change. */
  readonly value?: Uint8Array;
}

export interface FoundRecord {
  /** At the moment asked for; absent when there was none. */
  readonly value?: Uint8Array;
  /** Newest last. */
  readonly versions: readonly RecordVersion[];
}

const names: Readonly<Record<Change['kind'], RecordVersion['change']>> = {
  [changeKinds.put]: 'put',
  [changeKinds.delete]: 'delete',
  [changeKinds.patch]: 'patch',
  [changeKinds.clear]: 'clear',
};

/** Errors: `time-not-restorable`, `namespace-unknown`, `record-unknown` when no version is known at all. */
export async function recordHistory(
  context: SourceContext,
  wanted: { readonly namespace: string; readonly key: Uint8Array; readonly at: SourceTime },
): Promise<FoundRecord> {
  const { namespace, key, at } = wanted;
  const { lineage, connector, scope } = context;
  const point = resolvePoint({ state: lineage.state, connector, scope }, at, {
    include: [namespace],
    exclude: [],
  });
  const dataset = point.datasets.find(({ entry }) => entry.namespace === namespace);
  if (!dataset) {
    throw new CodrError('namespace-unknown', `nothing is called ${namespace} at that time`, {
      object: namespace,
    });
  }
  const runs = new OpenedRuns(context);
  const range: KeyRange = { from: key, to: concatBytes([key, Buffer.of(0)]) };
  const valueAt = async (time: SourceTime): Promise<Uint8Array | undefined> => {
    for await (const batch of foldDataset(context, runs, dataset, { range, at: time })) {
      for (const record of batch) return connector.nativeValue(dataset.entry, record);
    }
    return undefined;
  };
  const exactFrom = timeFromHex(dataset.base.exactFrom);
  const first = await valueAt(exactFrom);
  const versions: RecordVersion[] = first
    ? [{ time: exactFrom, change: 'base', value: first }]
    : [];
  const changes: Change[] = (await runs.clears(dataset, at)).filter(({ time }) => time > exactFrom);
  for await (const batch of runs.changes(dataset, range, { after: exactFrom, at })) {
    changes.push(...batch);
  }
  for (const { time, kind } of changes.sort((a, b) => (a.time < b.time ? -1 : 1))) {
    const value = await valueAt(time);
    versions.push({ time, change: names[kind], ...(value && { value }) });
  }
  const value = versions.at(-1)?.value;
  if (versions.length === 0) {
    throw new CodrError('record-unknown', `${namespace} has no such record at that time`, {
      object: namespace,
    });
  }
  return { ...(value && { value }), versions };
}
