// A cut as the engine reads it: for each table the SSTables of all captured nodes, without partitions that a
// node does not own, merged into one stream. A damaged file costs its replica, not the cut: the table is read
// again without it, and the grades say so.
import { emptyBytes, equalBytes } from '../../../base/bytes.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { Logger } from '../../../base/log.ts';
import type { CatalogChange, CatalogEntry } from '../../../model/catalog.ts';
import { type StreamId, streamId } from '../../../model/id.ts';
import { wholeRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import { maxTime, type SourceTime } from '../../../model/time.ts';
import type { CutBefore, CutDataset, CutReader, CutReport } from '../../connector.ts';
import { catalogKinds, entryOf } from '../catalog/catalog-fold.ts';
import { tokenPrefix } from '../key/record-key.ts';
import { type TokenRange as KeyTokens, keepTokens } from '../merge/foreign-partitions.ts';
import { mergeBlocks } from '../merge/merge-blocks.ts';
import { type BlockStream, batchOf } from '../record/record-block.ts';
import { type TableBody, tableBodyOf } from '../schema/table-body.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import { cutTime, wallMs } from '../time-text.ts';
import type { CutHorizon, CutState } from './cut-state.ts';
import { type GradedRange, worstGrade } from './grade.ts';
import { horizonOfCut } from './horizon.ts';
import { type ListedSstable, openSstable as openFiles } from './node-files.ts';
import { ownedRanges, type Replication, type RingNode } from './replica-placement.ts';
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

  /** A file that could not be read leaves its table on its host as the cut before had it. */
  state(): Uint8Array {
    const { taken, state } = this.#options;
    const next = structuredClone(taken.nextState) as Mutable<CutState>;
    for (const { file } of this.#damaged) {
      const tables = next.hosts[file.hostId]?.tables;
      const old = state.hosts[file.hostId]?.tables[file.tableId];
      if (tables) tables[file.tableId] = old ?? { files: [], intervals: [] };
    }
    const hurt = new Set(this.#damaged.map(({ file }) => file.tableId));
    next.horizon = horizonOfCut(taken, next, hurt) as Mutable<CutHorizon>;
    return Buffer.from(JSON.stringify(next), 'utf8');
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
      const share = worse.reduce((sum, { from, to }) => sum + Number(to - from), 0) / 2 ** 64;
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
    return { entry, begins, bytes, records: (signal) => this.#records(schema, files, signal) };
  }

  async *#records(
    schema: TableSchema,
    files: readonly ListedSstable[],
    signal: AbortSignal,
  ): RecordStream {
    const whole = files.filter((file) => !this.#damaged.some((one) => one.file === file));
    const { ring, schema: keyspaces } = this.#options.taken;
    const replication = keyspaces.find(({ name }) => name === schema.keyspace)?.replication ?? {};
    const inputs = whole.map((file) =>
      this.#fileBlocks(file, tokensOf(ring.nodes, replication, file.hostId), signal),
    );
    const options = { signal, clusteringCount: schema.clustering.length };
    for await (const block of mergeBlocks(inputs, options)) yield batchOf(block);
  }

  /** Errors: `file-damaged` once; the file is left out from then on. */
  async *#fileBlocks(
    file: ListedSstable,
    owned: readonly KeyTokens[],
    signal: AbortSignal,
  ): BlockStream {
    await using files = openFiles(file);
    try {
      const sstable = await openSstable(files);
      yield* keepTokens(sstable.records(wholeRange, signal), owned);
    } catch (error) {
      // A file that went away, a disk that fails, a format that nobody knows: each costs this replica as
      // damage does.
      const isLost = isCodrError(error, 'source-unreachable') || isCodrError(error, 'source-unfit');
      if (!isLost && !isCodrError(error, 'file-damaged')) throw error;
      const message = `node of ${file.folder}: ${error.message}`;
      this.#damaged.push({ file, message });
      this.#options.log.error({ file: file.name, error: error.message }, 'a file cannot be read');
      throw isLost
        ? new CodrError('file-damaged', error.message, { object: file.name, cause: error })
        : error;
    }
  }
}

interface DamagedFile {
  readonly file: ListedSstable;
  readonly message: string;
}

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

/** What the catalog keeps of every table of the cut. */
function bodiesOf({ schema }: TakenCut): TableBody[] {
  return schema.flatMap(({ name, replication, durableWrites, tables, ddl }) =>
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
      },
    })),
  );
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

/** Owned ranges as the filter wants them: token bytes of keys, ascending. */
export function tokensOf(
  nodes: readonly RingNode[],
  replication: Replication,
  hostId: string,
): KeyTokens[] {
  return ownedRanges(nodes, replication, hostId).map(({ from, to }) => ({
    fromExclusive: tokenPrefix(from),
    toInclusive: tokenPrefix(to),
  }));
}
