// One record through time: its base image and every change that the repository holds up to a moment.

import { concatBytes, emptyBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type Change, changeKinds, compareOrder } from '../../model/change.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import { type SourceTime, timeFromHex } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import { foldDataset, OpenedRuns } from './fold.ts';
import { type PointDataset, resolvePoint, unknownNamespace } from './point.ts';

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

export interface WantedRecord {
  readonly namespace: string;
  /** As stored, and as the user wrote it, for messages. */
  readonly key: Uint8Array;
  readonly keyText?: string;
  readonly at: SourceTime;
}

/**
 * Every version that is stored, one for each time at which the record changed. The record is folded on from
 * version to version, so a long history costs one pass. Memory: all changes of the record.
 * Errors: `time-not-restorable`, `namespace-unknown`, `record-unknown` when no version is known at all.
 */
export async function recordHistory(
  context: SourceContext,
  wanted: WantedRecord,
): Promise<FoundRecord> {
  const { connector } = context;
  const { at, key } = wanted;
  const dataset = findDataset(context, wanted);
  const runs = new OpenedRuns(context);
  const range = rangeOf(key);
  const exactFrom = timeFromHex(dataset.base.exactFrom);
  let record = await foldOne(foldDataset(context, runs, dataset, { range, at: exactFrom }));
  const versions: RecordVersion[] = [];
  const add = (time: SourceTime, change: RecordVersion['change']): void => {
    const value = record && connector.nativeValue(dataset.entry, record);
    versions.push({ time, change, ...(value && { value }) });
  };
  if (record) add(exactFrom, 'base');
  for (const changes of await changesByTime(runs, dataset, { range, exactFrom, at })) {
    const { time, kind } = changes.at(-1) as Change;
    const known = record !== undefined;
    record = await foldOne(
      connector.foldRange({
        range,
        base: batchesOf(record ? [record] : []),
        baseAfter: [{ from: emptyBytes, after: time - 1n }],
        exactFrom,
        changes: batchesOf(changes.filter((change) => change.kind !== changeKinds.clear)),
        clears: changes.filter((change) => change.kind === changeKinds.clear),
        at: time,
      }),
    );
    // That a collection was emptied is no change of a record that it did not hold.
    if (known || record || kind !== changeKinds.clear) add(time, names[kind]);
  }
  if (versions.length === 0) throw unknownRecord(context, wanted);
  const value = versions.at(-1)?.value;
  return { ...(value && { value }), versions };
}

/** The record at the moment, by one fold. Errors as {@link recordHistory}. */
export async function recordAt(
  context: SourceContext,
  wanted: WantedRecord,
): Promise<Uint8Array | undefined> {
  const dataset = findDataset(context, wanted);
  const where = { range: rangeOf(wanted.key), at: wanted.at };
  const record = await foldOne(foldDataset(context, new OpenedRuns(context), dataset, where));
  if (record) return context.connector.nativeValue(dataset.entry, record);
  // Gone, or never there: only its history tells.
  await recordHistory(context, wanted);
  return undefined;
}

function findDataset(context: SourceContext, { namespace, at }: WantedRecord): PointDataset {
  const { lineage, connector, scope } = context;
  const point = resolvePoint({ state: lineage.state, connector, scope }, at, {
    include: [namespace],
    exclude: [],
  });
  const dataset = point.datasets.find(({ entry }) => entry.namespace === namespace);
  if (!dataset) throw unknownNamespace(namespace);
  return dataset;
}

/** The key alone: no key lies between it and itself with a zero byte behind. */
function rangeOf(key: Uint8Array): KeyRange {
  return { from: key, to: concatBytes([key, Buffer.of(0)]) };
}

async function changesByTime(
  runs: OpenedRuns,
  dataset: PointDataset,
  where: { readonly range: KeyRange; readonly exactFrom: SourceTime; readonly at: SourceTime },
): Promise<Change[][]> {
  const { range, exactFrom, at } = where;
  const changes = (await runs.clears(dataset, at)).filter(({ time }) => time > exactFrom);
  for await (const batch of runs.changes(dataset, range, { after: exactFrom, at })) {
    changes.push(...batch);
  }
  const groups: Change[][] = [];
  for (const change of changes.sort(compareOrder)) {
    const last = groups.at(-1);
    if (last?.[0]?.time === change.time) last.push(change);
    else groups.push([change]);
  }
  return groups;
}

async function foldOne(records: RecordStream): Promise<DataRecord | undefined> {
  for await (const batch of records) {
    for (const record of batch) return record;
  }
  return undefined;
}

async function* batchesOf<T>(items: readonly T[]): AsyncGenerator<readonly T[], void, void> {
  if (items.length > 0) yield items;
}

function unknownRecord({ connector }: SourceContext, wanted: WantedRecord): CodrError {
  const { namespace, at, keyText } = wanted;
  const record = keyText === undefined ? 'such record' : `record ${keyText}`;
  const time = connector.formatTime(at);
  return new CodrError('record-unknown', `${namespace} has no ${record} at or before ${time}`, {
    object: namespace,
    remedy: 'mind the type of the key: 5 is a number, "5" a string',
  });
}
