// One record through time: its base image and every change that the repository holds up to a moment; of sources
// without an ordered log, what it was at each cut. A key may also name many records, of which the first are read.
import { assert } from '../../base/assert.ts';
import { emptyBytes, equalBytes } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { LiveForm, NamedRecords } from '../../connector/connector.ts';
import type { CatalogEntry } from '../../model/catalog.ts';
import { type Change, changeKinds, compareOrder } from '../../model/change.ts';
import { type KeyRange, keyAlone, rangeHolds } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import { type SourceTime, timeFromHex } from '../../model/time.ts';
import { cutsOf } from '../history/cut-history.ts';
import { unfolded } from '../history/source-history.ts';
import type { SourceContext } from '../source-context.ts';
import { coveringRanges } from './covering-ranges.ts';
import { foldDataset, OpenedRuns } from './fold.ts';
import { type PointDataset, resolvePoint, unknownNamespace } from './point.ts';

/** Of a key that names many: so many records, or bytes, are read at most. */
const recordsMax = 1000;
const bytesMax = 64 * 1024 * 1024;

export interface FoundRecords {
  readonly entry: CatalogEntry;
  /** Native, ascending by key; empty when there was none. */
  readonly records: readonly DataRecord[];
  /** There are more than were read. */
  readonly hasMore: boolean;
  /** The key was that of one record. */
  readonly isOne: boolean;
}

export interface RecordVersion extends FoundRecords {
  readonly time: SourceTime;
  /** After `delete` and `clear` there are no records. */
  readonly change: 'base' | 'put' | 'patch' | 'delete' | 'clear';
}

export interface FoundHistory {
  /** At the moment asked for. */
  readonly found: FoundRecords;
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
  /** As the user wrote it, or that of one record as it is stored. */
  readonly key: string | Uint8Array;
  readonly at: SourceTime;
}

/**
 * Every version that is stored, one for each time at which the record changed. The record is folded on from
 * version to version, so a long history costs one pass. Memory: all changes of the record. Of a source of cuts:
 * one version for each cut at which it differs from the one before; a fold for each cut.
 * Errors: `time-not-restorable`, `namespace-unknown`, `record-unknown` when no version is known at all.
 */
export async function recordHistory(
  context: SourceContext,
  wanted: WantedRecord,
): Promise<FoundHistory> {
  const dataset = findDataset(context, wanted);
  const named = namedBy(context, dataset, wanted);
  const versions = context.connector.capabilities.orderedLog
    ? await loggedVersions(context, dataset, { named, at: wanted.at })
    : await cutVersions(context, wanted, named);
  const last = versions.at(-1);
  if (!last) throw unknownRecord(context, wanted);
  return { found: last, versions };
}

/** The record at the moment, by one fold. Errors as {@link recordHistory}. */
export async function recordAt(
  context: SourceContext,
  wanted: WantedRecord,
): Promise<FoundRecords> {
  const dataset = findDataset(context, wanted);
  const named = namedBy(context, dataset, wanted);
  const found = await read(context, new OpenedRuns(context), dataset, { named, at: wanted.at });
  if (found.records.length > 0) return found;
  // Gone, or never there: only its history tells.
  return (await recordHistory(context, wanted)).found;
}

async function loggedVersions(
  context: SourceContext,
  found: PointDataset,
  { named, at }: Where,
): Promise<RecordVersion[]> {
  const { connector, lineage } = context;
  const { entry } = found;
  const dataset = { entry, base: unfolded(lineage.state, found.base) };
  const [range] = named.ranges;
  assert(range && named.ranges.length === 1, 'a key of a source with a log names one record');
  const runs = new OpenedRuns(context);
  const exactFrom = timeFromHex(dataset.base.exactFrom);
  let record = await foldOne(foldDataset(context, runs, dataset, { range, at: exactFrom }));
  const versions: RecordVersion[] = [];
  const add = (time: SourceTime, change: RecordVersion['change']): void => {
    const records = record ? [native(context, entry, record)] : [];
    versions.push({ entry, time, change, records, hasMore: false, isOne: true });
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
  return versions;
}

/** Cuts at which the dataset was not there, or cannot be given back, are passed over. */
async function cutVersions(
  context: SourceContext,
  { namespace, at }: WantedRecord,
  named: NamedRecords,
): Promise<RecordVersion[]> {
  const runs = new OpenedRuns(context);
  const versions: RecordVersion[] = [];
  for (const { time } of cutsOf(context.lineage.state)) {
    if (time > at) break;
    const dataset = datasetAt(context, { namespace, at: time });
    if (!dataset) continue;
    const found = await read(context, runs, dataset, { named, at: time });
    const last = versions.at(-1);
    if (equalRecords(last?.records ?? [], found.records)) continue;
    const change = found.records.length === 0 ? 'delete' : last ? 'put' : 'base';
    versions.push({ ...found, time, change });
  }
  return versions;
}

function datasetAt(
  context: SourceContext,
  wanted: Pick<WantedRecord, 'namespace' | 'at'>,
): PointDataset | undefined {
  try {
    return findDataset(context, wanted);
  } catch (error) {
    if (isCodrError(error, 'namespace-unknown')) return undefined;
    if (isCodrError(error, 'time-not-restorable')) return undefined;
    throw error;
  }
}

interface Where {
  readonly named: NamedRecords;
  readonly at: SourceTime;
}

/** What a reader of the database would have seen at the moment, up to the limits. */
async function read(
  context: SourceContext,
  runs: OpenedRuns,
  dataset: PointDataset,
  { named, at }: Where,
): Promise<FoundRecords> {
  const { entry } = dataset;
  const { ranges, isOne } = named;
  const live = liveAt(context, at, ranges);
  const records: DataRecord[] = [];
  let bytes = 0;
  let hasMore = false;
  for (const range of coveringRanges(context.connector, ranges)) {
    for await (const batch of foldDataset(context, runs, dataset, { range, at, ...live })) {
      for (const record of batch) {
        hasMore ||= records.length >= recordsMax || bytes >= bytesMax;
        if (hasMore) break;
        records.push(native(context, entry, record));
        bytes += record.key.length + record.value.length;
      }
      if (hasMore) break;
    }
    if (hasMore) break;
  }
  const itself = ranges.at(-1);
  // Of one record that is gone nothing is told, though what would be told with it is there.
  const isGone = isOne && itself && !records.some(({ key }) => rangeHolds(itself, key));
  return { entry, records: isGone ? [] : records, hasMore, isOne };
}

function liveAt(
  { connector }: SourceContext,
  at: SourceTime,
  within: readonly KeyRange[],
): { live?: LiveForm } {
  if (connector.capabilities.orderedLog) return {};
  const cutMs = connector.wallMs(at);
  return { live: { nowMs: cutMs, ttl: 'keep', rebaseMs: 0, cutMs, within } };
}

/** In memory of its own: a batch's would hold on to whatever else came with it. */
function native({ connector }: SourceContext, entry: CatalogEntry, record: DataRecord): DataRecord {
  const value = connector.nativeValue(entry, record);
  return { key: Uint8Array.from(record.key), value: Uint8Array.from(value) };
}

function equalRecords(a: readonly DataRecord[], b: readonly DataRecord[]): boolean {
  if (a.length !== b.length) return false;
  return a.every(({ key, value }, i) => {
    const other = b[i];
    return other !== undefined && equalBytes(key, other.key) && equalBytes(value, other.value);
  });
}

function namedBy(
  { connector }: SourceContext,
  { entry }: PointDataset,
  { key }: WantedRecord,
): NamedRecords {
  if (typeof key !== 'string') return { ranges: [keyAlone(key)], isOne: true };
  return connector.parseKey(entry, key);
}

function findDataset(
  context: SourceContext,
  { namespace, at }: Pick<WantedRecord, 'namespace' | 'at'>,
): PointDataset {
  const { lineage, connector, scope } = context;
  const point = resolvePoint({ state: lineage.state, connector, scope }, at, {
    include: [namespace],
    exclude: [],
  });
  const dataset = point.datasets.find(({ entry }) => entry.namespace === namespace);
  if (!dataset) throw unknownNamespace(namespace, point.known);
  return dataset;
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
  const { namespace, at, key } = wanted;
  const record = typeof key === 'string' ? `record ${key}` : 'such record';
  const time = connector.formatTime(at);
  return new CodrError('record-unknown', `${namespace} has no ${record} at or before ${time}`, {
    object: namespace,
    remedy: 'mind the type of the key: 5 is a number, "5" a string',
  });
}
