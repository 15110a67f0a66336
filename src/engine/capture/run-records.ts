// Runs in the state: their keys, their records, and where their blocks are read from.
import { fromBase64, toBase64 } from '../../base/bytes.ts';
import type { Change } from '../../model/change.ts';
import type { DatasetId } from '../../model/id.ts';
import { type SourceTime, timeFromHex, timeToHex } from '../../model/time.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import type { RunRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import {
  type BlockSource,
  decodeRunRef,
  encodeRunRef,
  InlineBlockSource,
  type RunRef,
} from '../../repository/runs/run-ref.ts';
import type { WrittenRun } from '../../repository/runs/run-writer.ts';

export interface OpenRun {
  readonly key: string;
  readonly record: RunRecord;
  readonly ref: RunRef;
}

/** Those of one epoch, or all, in the order of their commits, which is the order of stream intervals. */
export function openRuns(state: StateView, epoch?: number): OpenRun[] {
  return state
    .list<RunRecord>('run')
    .filter(([, record]) => epoch === undefined || record.epoch === epoch)
    .map(([rest, record]) => ({
      key: `run/${rest}`,
      record,
      ref: decodeRunRef(fromBase64(record.ref)),
    }));
}

/** A run takes the place of its first part, so keys keep the order of stream intervals. */
export function runKey(seq: number): string {
  return `run/${String(seq).padStart(12, '0')}`;
}

/** The record of a run that entry `seq` brings, with `offset` in its attachments when inline. */
export function runRecord(
  written: WrittenRun,
  where: {
    readonly epoch: number;
    readonly seq: number;
    readonly offset: number;
    readonly packs: string;
  },
  groups: RunRecord['groups'],
): RunRecord {
  const { ref, inline } = written;
  return {
    epoch: where.epoch,
    ref: toBase64(encodeRunRef(ref)),
    tier: ref.tier,
    minTime: timeToHex(ref.minTime),
    maxTime: timeToHex(ref.maxTime),
    groups,
    ...(inline && { seq: where.seq, offset: where.offset, length: inline.length }),
    packs: where.packs,
  };
}

/** Reads a run's blocks: from its entry's attachments, or from change packs. */
export async function blocksOf(
  lineage: Lineage,
  packs: BlockSource,
  { record }: OpenRun,
): Promise<BlockSource> {
  if (record.seq === undefined) return packs;
  const attachments = await lineage.attachments(record.seq);
  const offset = record.offset ?? 0;
  return new InlineBlockSource(attachments.subarray(offset, offset + (record.length ?? 0)));
}

/** True when the run can hold a change with `after` < time ≤ `until`. */
export function runTouches(run: RunRecord, after: SourceTime, until: SourceTime): boolean {
  return timeFromHex(run.maxTime) > after && timeFromHex(run.minTime) <= until;
}

/**
 * Counts atomic groups: changes of one effective time that concern several datasets are one transaction,
 * since entries of a log have distinct times. Given in any order.
 */
export function groupsOf(changes: readonly Change[]): RunRecord['groups'] {
  const [one] = changes;
  if (changes.every(({ dataset }) => dataset === one?.dataset)) return [];
  const firstAt = new Map<SourceTime, DatasetId>();
  const wideAt = new Map<SourceTime, Set<DatasetId>>();
  for (const { time, dataset } of changes) {
    const first = firstAt.get(time);
    if (first === undefined) firstAt.set(time, dataset);
    if (first === undefined || first === dataset) continue;
    wideAt.set(time, (wideAt.get(time) ?? new Set([first])).add(dataset));
  }
  const groups = [...wideAt.values()].map((datasets) => ({
    datasets: [...datasets].sort(),
    count: 1,
  }));
  return mergeGroups(groups);
}

/** Adds up equal groups; beyond 64 different ones the rarest are joined, so that a record stays small. */
export function mergeGroups(groups: RunRecord['groups']): RunRecord['groups'] {
  const byName = new Map<string, { datasets: readonly DatasetId[]; count: number }>();
  for (const { datasets, count } of groups) {
    const name = datasets.join();
    byName.set(name, { datasets, count: (byName.get(name)?.count ?? 0) + count });
  }
  const sorted = [...byName.values()].sort((a, b) => b.count - a.count);
  const rest = sorted.splice(groupsMax - 1);
  if (rest.length === 0) return sorted;
  const datasets = [...new Set(rest.flatMap((group) => group.datasets))].sort();
  return [...sorted, { datasets, count: rest.reduce((sum, group) => sum + group.count, 0) }];
}

const groupsMax = 64;
