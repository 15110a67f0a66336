// A cut as the engine reads it: for each table the SSTables of all captured nodes, without partitions that a
// node does not own, merged into one stream. A damaged file costs its replica, not the cut: the table is read
// again without it, and the grades say so.
import { emptyBytes, equalBytes } from '../../../base/bytes.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { Logger } from '../../../base/log.ts';
import type { CatalogChange, CatalogEntry } from '../../../model/catalog.ts';
import { type StreamId, streamId } from '../../../model/id.ts';
import { wholeRange } from '../../../model/key-range.ts';
import { maxTime, type SourceTime } from '../../../model/time.ts';
import type { CutBefore, CutMemory, CutReader, CutReport } from '../../connector.ts';
import type { CutDataset } from '../../cut-dataset.ts';
import { catalogKinds, entryOf } from '../catalog/catalog-fold.ts';
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import { type TableBody, tableBodyOf } from '../schema/table-body.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { cutTime, wallMs } from '../time-text.ts';
import { memoryOf } from './cut-memory.ts';
import type { CutHorizon, CutState, HostState, KnownTable } from './cut-state.ts';
import { type GradedRange, worstGrade } from './grade.ts';
import { horizonOfCut } from './horizon.ts';
import type { MergePool } from './merge-pool.ts';
import type { ListedSstable } from './node-files.ts';
import type { SortingSpace } from './owned-blocks.ts';
import { ownsMore } from './ownership.ts';
import { partitionerOf } from './ring.ts';
import { type DamagedFile, TableReader } from './table-reader.ts';
import { gradesOf, type TakenCut } from './take-cut.ts';

/** The one stream of a source that has cuts in place of logs. */
export const cutStream: StreamId = streamId('cuts');

export interface CutReaderOptions {
  readonly taken: TakenCut;
  readonly before: CutBefore | undefined;
  /** What the cut before remembered. */
  readonly state: CutState;
  /** Data centres that grades are computed for; empty: all. */
  readonly datacenters: readonly string[];
  readonly filesOf: FilesOf;
  /** For files that are in another order than records. */
  readonly sorting: SortingSpace;
  /** Threads that read large tables; absent: this one does. */
  readonly pool?: MergePool | undefined;
  readonly log: Logger;
}

export class CassandraCut implements CutReader {
  readonly time: SourceTime;
  readonly number: number;
  readonly catalog: readonly CatalogChange[];
  readonly datasets: readonly CutDataset[];
  readonly #options: CutReaderOptions;
  readonly #damaged: DamagedFile[] = [];
  #isCommitted = false;

  constructor(options: CutReaderOptions) {
    const { taken, before } = options;
    this.#options = options;
    this.number = (before?.number ?? 0) + 1;
    const least = before === undefined ? 0n : before.time + 1n;
    this.time = maxTime(cutTime(taken.endMs, this.number), cutTime(wallMs(least) + 1, this.number));
    const entries = bodiesOf(taken).map(entryOf);
    this.catalog = changesOf(entries, before?.entries ?? [], this.time);
    this.datasets = entries.flatMap((entry) => this.#dataset(entry) ?? []);
  }

  report(): CutReport {
    const { taken, datacenters } = this.#options;
    const grades = [...taken.grades].flatMap(([keyspace, graded]) => {
      const damaged = this.#damaged.filter(({ file }) => file.keyspace === keyspace);
      if (damaged.length === 0) return [[keyspace, graded] as const];
      const captured = new Set(taken.nodes.filter((n) => n.captured).map(({ hostId }) => hostId));
      for (const { file } of damaged) captured.delete(file.hostId);
      const again = gradesOf(taken.ring, taken.schema, captured, datacenters).get(keyspace);
      return [[keyspace, again ?? graded] as const];
    });
    const grade = worstGrade(grades.flatMap(([, graded]) => graded));
    return { grade: grades.length === 0 ? 'complete' : grade, notes: this.#notes(grades) };
  }

  /**
   * A file that could not be read leaves its table on its host as the cut before had it; as nobody had it, where files
   * that were known before had to be read: the one may be among them.
   */
  memory(): CutMemory {
    const { taken, state } = this.#options;
    const next = structuredClone(taken.nextState) as Mutable<CutState>;
    for (const { file } of this.#damaged) {
      const own = next.hosts[file.hostId];
      const old = state.hosts[file.hostId];
      if (!own) continue;
      const begins = taken.tables.get(file.tableId)?.isAnew ?? false;
      const counts = !begins && !ownsMore(old?.owned, own.owned ?? [], file.keyspace);
      const none: KnownTable = { files: [], floors: [], rows: [], intervals: [] };
      const known = (counts ? old?.tables[file.tableId] : undefined) ?? none;
      // What it deleted may be purged, and its link goes: link-doubt.ts.
      const hurtSinceMs = counts ? (known.hurtSinceMs ?? old?.atMs ?? 0) : taken.beginMs;
      const unread = counts ? undefined : [...(unreadOf(own, file) ?? []), file.name];
      own.tables[file.tableId] = { ...known, hurtSinceMs, ...(unread && { unread }) };
    }
    const hurt = new Set(this.#damaged.map(({ file }) => file.tableId));
    next.horizon = horizonOfCut(taken, next, hurt) as Mutable<CutHorizon>;
    return memoryOf(next);
  }

  async committed(): Promise<void> {
    this.#isCommitted = true;
    await this.#options.taken.release(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isCommitted) await this.#options.taken.release(false);
  }

  #notes(grades: readonly (readonly [string, readonly GradedRange[]])[]): string[] {
    const { taken } = this.#options;
    const away = taken.nodes
      .filter(({ captured }) => !captured)
      .map(({ address, reason }) => `node ${address} was not captured: ${reason}`);
    const poor = grades.flatMap(([keyspace, graded]) => {
      const worse = graded.filter(({ grade }) => grade !== 'complete');
      if (worse.length === 0) return [];
      const { lowest, highest } = partitionerOf(taken.ring);
      const width = worse.reduce((sum, { from, to }) => sum + Number(to - from), 0);
      const share = width / Number(highest - lowest);
      return `keyspace ${keyspace}: ${(share * 100).toFixed(0)} % of the ring is ${worstGrade(worse)}`;
    });
    const damaged = this.#damaged.map(({ message }) => message);
    return [...damaged, ...away, ...poor, ...taken.notes];
  }

  #dataset(entry: CatalogEntry): CutDataset | undefined {
    const { taken, before } = this.#options;
    const { schema } = tableBodyOf(entry);
    const table = taken.tables.get(schema.id);
    const known = before?.entries.some(({ dataset }) => dataset === entry.dataset) ?? false;
    const begins = !known || (table?.truncatedSince ?? false) || (table?.isAnew ?? false);
    const files = table?.sstables ?? [];
    if (!begins && files.length === 0) return undefined;
    const bytes = files.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
    const reader = this.#reader(schema, files);
    return {
      entry,
      begins,
      bytes,
      ranges: (partBytes, signal, places) => reader.ranges(partBytes, signal, places),
      content: () => reader.content(),
      described: (range) => reader.described(range),
      near: (range) => reader.near(range),
      records: (signal, range) => reader.records(range ?? wholeRange, signal),
    };
  }

  #reader(schema: TableSchema, files: readonly ListedSstable[]): TableReader {
    const { taken, sorting, filesOf, pool, log } = this.#options;
    const { ring, schema: keyspaces } = taken;
    const replication = keyspaces.find(({ name }) => name === schema.keyspace)?.replication ?? {};
    const place = { ring, replication, filesOf, sorting, pool, log };
    return new TableReader({ schema, files, ...place }, this.#damaged);
  }
}

const unreadOf = ({ tables }: HostState, { tableId }: ListedSstable): string[] | undefined =>
  tables[tableId]?.unread;

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

/** What the catalog keeps of every table of the cut. */
function bodiesOf({ schema }: TakenCut): TableBody[] {
  return schema.flatMap(({ name, replication, durableWrites, tables, ddl, triggers }) =>
    tables.map((table) => ({
      schema: table,
      keyspace: { name, replication, durableWrites },
      ddl: {
        keyspace: ddl.keyspace,
        types: ddl.types,
        functions: ddl.functions,
        table: ddl.tables[table.table] ?? '',
        indexes: ddl.indexes[table.table] ?? [],
        views: ddl.views[table.table] ?? [],
        ...triggersOf(triggers, table.table),
      },
    })),
  );
}

/** Nothing where there are none: bodies of tables without stay as they were. */
function triggersOf(
  all: KeyspaceSchema['triggers'],
  table: string,
): { readonly triggers?: readonly string[] } {
  const names = all.filter((one) => one.table === table).map(({ name }) => name);
  return names.length === 0 ? {} : { triggers: names.sort() };
}

function changesOf(
  entries: readonly CatalogEntry[],
  before: readonly CatalogEntry[],
  time: SourceTime,
): CatalogChange[] {
  const old = new Map(before.map((entry) => [entry.dataset, entry]));
  const place = { time, stream: cutStream, position: { time, term: 0n } };
  const changed = entries
    .filter(({ dataset, body }) => {
      const known = old.get(dataset);
      return known === undefined || !equalBytes(known.body, body);
    })
    .map(({ dataset, body }) => ({ dataset, kind: catalogKinds.table, body }));
  const there = new Set(entries.map(({ dataset }) => dataset));
  const gone = before
    .filter(({ dataset }) => !there.has(dataset))
    .map(({ dataset }) => ({ dataset, kind: catalogKinds.drop, body: emptyBytes }));
  return [...changed, ...gone].map((change, index) => ({ ...change, ...place, index }));
}
