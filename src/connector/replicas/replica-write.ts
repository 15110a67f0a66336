// What clients write, and what a set of writes comes to: the plain answer, write by write, which the streaming
// merge of records must also give. So tests can ask what a cut should hold without asking the merge.
import type { DataRecord } from '../../model/record.ts';
import {
  type Content,
  compareRows,
  contentOf,
  type Deletion,
  deletionKey,
  encodeContent,
  isSame,
  namesOf,
  placeKey,
  type Row,
  strongest,
} from './replica-record.ts';

/** One write, the same on every replica that has it. */
export interface Write {
  /** Order in which they came; unique. */
  readonly seq: number;
  readonly partition: string;
  /** µs; need not follow the order. */
  readonly timestamp: number;
  /** When it was written, seconds since 1970. */
  readonly seconds: number;
  readonly change: Change;
}

export type Change =
  | {
      readonly kind: 'put';
      readonly row: string;
      readonly text: string;
      /** Seconds since 1970. */
      readonly expiry?: number;
    }
  | { readonly kind: 'delete'; readonly row: string }
  /** Rows from `from` on, before `to`. */
  | { readonly kind: 'delete range'; readonly from: string; readonly to: string }
  | { readonly kind: 'delete partition' };

/** What a set of writes comes to, deletions included; ascending by key. */
export function recordsOf(writes: Iterable<Write>): DataRecord[] {
  const byPartition = Map.groupBy(writes, ({ partition }) => partition);
  const records = [...byPartition].flatMap(([partition, own]) => partitionOf(partition, own));
  return records.sort((a, b) => Buffer.compare(a.key, b.key));
}

/** What a reader sees of a set of writes at one second, by `partition/row`. */
export function rowsOf(writes: Iterable<Write>, nowSeconds: number): Map<string, Row> {
  const seen = new Map<string, Row>();
  for (const record of recordsOf(writes)) {
    const content = contentOf(record);
    if (content.kind !== 'row' || !isSeen(content.row, nowSeconds)) continue;
    const { partition, row } = namesOf(record.key);
    seen.set(`${partition}/${row}`, content.row);
  }
  return seen;
}

/** Neither deleted nor expired. */
export function isSeen(row: Row, nowSeconds: number): boolean {
  return row.alive && (row.expiry === undefined || row.expiry > nowSeconds);
}

/** A row that was read, as a write that makes it again. */
export function writeOf(record: DataRecord, seq: number): Write | undefined {
  const content = contentOf(record);
  if (content.kind !== 'row' || !content.row.alive) return undefined;
  const { partition, row } = namesOf(record.key);
  const { timestamp, text, expiry } = content.row;
  const change = { kind: 'put', row, text, ...(expiry !== undefined && { expiry }) } as const;
  return { seq, partition, timestamp, seconds: 0, change };
}

function partitionOf(partition: string, writes: readonly Write[]): DataRecord[] {
  const whole = writes
    .filter(({ change }) => change.kind === 'delete partition')
    .map(deletionBy)
    .reduce<Deletion | undefined>(strongest, undefined);
  const ranges = writes.flatMap((write) =>
    write.change.kind === 'delete range' && write.change.from < write.change.to
      ? [{ ...write.change, deletion: deletionBy(write) }]
      : [],
  );
  /** Of ranges alone, where it is stronger than the partition's. */
  const holding = (row: string): Deletion | undefined => {
    const own = ranges
      .filter(({ from, to }) => from <= row && row < to)
      .map(({ deletion }) => deletion)
      .reduce<Deletion | undefined>(strongest, undefined);
    return own && strongest(whole, own) === own && !isSame(whole, own) ? own : undefined;
  };
  const records: DataRecord[] = [];
  const add = (key: Uint8Array, content: Content): void => {
    records.push({ key, value: encodeContent(content) });
  };
  if (whole) add(deletionKey(partition), { kind: 'partition', deletion: whole });
  let before: Deletion | undefined;
  for (const bound of [...new Set(ranges.flatMap(({ from, to }) => [from, to]))].sort()) {
    const deletion = holding(bound);
    if (isSame(deletion, before)) continue;
    add(placeKey(partition, 'marker', bound), { kind: 'marker', ...(deletion && { deletion }) });
    before = deletion;
  }
  for (const [name, row] of newestRows(writes)) {
    const covering = strongest(whole, holding(name));
    if (covering && row.timestamp <= covering.timestamp) continue;
    add(placeKey(partition, 'row', name), { kind: 'row', row });
  }
  return records;
}

function newestRows(writes: readonly Write[]): Map<string, Row> {
  const newest = new Map<string, Row>();
  for (const write of writes) {
    const { change, timestamp } = write;
    if (change.kind !== 'put' && change.kind !== 'delete') continue;
    const row: Row =
      change.kind === 'delete'
        ? { alive: false, ...deletionBy(write) }
        : {
            alive: true,
            timestamp,
            ...(change.expiry !== undefined && { expiry: change.expiry }),
            text: change.text,
          };
    const known = newest.get(change.row);
    if (!known || compareRows(row, known) > 0) newest.set(change.row, row);
  }
  return newest;
}

function deletionBy({ timestamp, seconds }: Write): Deletion {
  return { timestamp, seconds };
}
