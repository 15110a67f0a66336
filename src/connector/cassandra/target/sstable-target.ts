// A live cluster that a cut is given back to by SSTables: schema first, then files that each replica imports, then
// indexes and views, then the proof on every replica. A marker in the target lets the same command resume.
import { assert } from '../../../base/assert.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { ConnectorContext, SourceIdentity } from '../../connector.ts';
import type {
  DefineResult,
  FinishedItem,
  FinishResult,
  FrozenMoment,
  LeftBehind,
  LoadedRange,
  PlannedDefinitions,
  RangeTarget,
  RestoreTarget,
  SpotReads,
  TargetItem,
  TargetOptions,
  TargetPlan,
  UnfinishedRestore,
} from '../../restore-target.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import { filesOf } from '../session/cassandra-session.ts';
import type { CqlSession } from '../session/cql.ts';
import { nearPeers } from '../session/near-peers.ts';
import type { SortingSpace } from '../session/owned-blocks.ts';
import { clusterId, partitionerOf, type Ring, readRing, ringDigest } from '../session/ring.ts';
import { deletionTimeMax } from '../sstable/write-tombstones.ts';
import { attemptWord, BorrowedTable } from './borrowed-table.ts';
import { type CountedTable, countOn, refuseCounted } from './counter-writes.ts';
import { EncodePool } from './encode-pool.ts';
import { type FileLayout, layoutOf } from './file-layout.ts';
import { checkSpaceFor } from './free-space.ts';
import { FrozenReader } from './frozen-reader.ts';
import { FrozenTables, proofTag } from './frozen-tables.ts';
import { checkedFiles, type LentTable, type TableReceipt } from './lent-table.ts';
import { loadRangesMax } from './load-ranges.ts';
import { unaskable } from './node-connection.ts';
import { refuseMoved } from './placement-rest.ts';
import { type ImportContext, StagedImports } from './staged-imports.ts';
import { removeStagedTable, removeStaging, removeTried, StagedTable } from './staging.ts';
import { TableLoad } from './table-load.ts';
import { onTarget } from './target-fault.ts';
import { checkNodes, configuredNodes, type TargetNode } from './target-nodes.ts';
import type { PlannedTable } from './target-plan.ts';
import { TargetTables } from './target-tables.ts';

/** The part of the memory in which a table is sorted. */
const sortingShare = 8;

const deletionsMayGo =
  'deletions older than gc_grace_seconds may go at the first compaction in the target: the proof is of all that ' +
  'lives and of the younger deletions';

interface TableBeingLoaded {
  readonly staged: StagedTable;
  readonly load: TableLoad;
  readonly layout: FileLayout;
}

export interface OpenedTarget {
  readonly config: CassandraConfig;
  readonly cql: CqlSession;
  readonly ring: Ring;
  /** Of the files that one call imports; for tests. */
  readonly groupBytes?: number;
}

export class SstableTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly expirySecondsMax = deletionTimeMax;
  // Three nodes that share two processors with codr: bench/README.md.
  readonly pace = { load: 35e6, proof: 20e6 };
  readonly sharesRanges = true;
  readonly #config: CassandraConfig;
  readonly #cql: CqlSession;
  readonly #ring: Ring;
  readonly #context: ConnectorContext;
  readonly #tables: TargetTables;
  /** Those that own data, by host id. */
  #nodes: ReadonlyMap<string, TargetNode> = new Map();
  /** By the item's name in the target. */
  readonly #loads = new Map<string, TableBeingLoaded>();
  readonly #imports = new StagedImports();
  readonly #encoding: EncodePool | undefined;
  readonly #groupBytes: number | undefined;
  readonly #frozen: FrozenTables;
  readonly #reader: FrozenReader;
  /** Of another process' restore, by the item's name, with what was lent. */
  readonly #borrowed = new Map<string, { readonly text: string; readonly table: BorrowedTable }>();
  /** By the item's name in the target: who has copies of a range at hand. */
  readonly #near = new Map<string, ReturnType<typeof nearPeers>>();

  constructor({ config, cql, ring, groupBytes }: OpenedTarget, context: ConnectorContext) {
    this.#groupBytes = groupBytes;
    this.identity = { id: clusterId(ring), version: ring.version, streams: [] };
    this.#config = config;
    this.#cql = cql;
    this.#ring = ring;
    this.#context = context;
    this.#encoding = context.workers ? new EncodePool(context.workers) : undefined;
    this.#tables = new TargetTables(cql, ring, context);
    this.#reader = new FrozenReader(context.workers);
    const { tables, sorting } = { tables: this.#tables, sorting: this.#sorting };
    const reader = this.#reader;
    this.#frozen = new FrozenTables({ config, cql, ring, context, tables, sorting, reader });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { signal } = new AbortController();
    await this.#frozen.thawAll(signal);
    await this.#discardLoads();
    await this.#encoding?.[Symbol.asyncDispose]();
    await this.#reader[Symbol.asyncDispose]();
    // A marker that cannot be given back now is taken over when this run is gone.
    await this.#tables.release(signal);
    await this.#cql[Symbol.asyncDispose]();
  }

  /** Where files of another partitioner's order are sorted. */
  get #sorting(): SortingSpace {
    const { spill, memoryBytesMax } = this.#context;
    return { spill, memoryBytesMax: Math.floor(memoryBytesMax / sortingShare) };
  }

  unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    return this.#tables.unfinished(operation, signal);
  }

  async plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<TargetPlan> {
    const { plan, tables } = await this.#tables.plan(items, options, signal);
    const nodes = configuredNodes(this.#config, filesOf(this.#context), this.#ring);
    const sets = [...tables.values()].flatMap((planned) => planned.sets.all);
    const owners = new Set(sets.flatMap(({ hostIds }) => hostIds));
    await checkNodes(this.#ring, nodes, owners, signal);
    this.#nodes = new Map([...nodes].filter(([hostId]) => owners.has(hostId)));
    const space = { nodes: this.#nodes, ring: this.#ring, cql: this.#cql };
    // Much of what an earlier run began is there already, or goes before anything is written.
    const fresh = [...tables.values()].filter((one) => !this.#tables.isOurs(one));
    const tight = await checkSpaceFor(fresh, space, signal);
    const owning = this.#nodes.values();
    const unasked = await onTarget(unaskable(this.#config, this.#cql, owning, signal));
    const warnings = [...plan.warnings, ...tight, ...unasked];
    return { ...plan, warnings: options.keepsDeletions ? [...warnings, deletionsMayGo] : warnings };
  }

  async begin(signal: AbortSignal): Promise<void> {
    const { marker, tables, word } = this.#tables.planned;
    await this.#refuseMoved(tables.values(), { isMade: false }, signal);
    await this.#tables.begin(signal);
    // What an earlier run left that ended in between.
    for (const namespace of marker.unfinished() ? tables.keys() : []) {
      const tag = proofTag(word, namespace);
      for (const { control } of this.#nodes.values()) {
        await onTarget(control.clearSnapshot(tag, { signal }));
      }
    }
    for (const planned of tables.values()) {
      const place = this.#tables.loadedPlace(planned);
      const look = { marker, nodes: this.#nodes };
      if (!place || !(await this.#imports.resume(planned, place, look))) continue;
      this.#tables.adopt(planned.item, place);
    }
    await onTarget(removeStaging(word, this.#nodes.values(), this.#imports.kept));
  }

  loaded({ namespace }: TargetItem): LoadedRange | undefined {
    const row = this.#imports.resumed(namespace);
    return row && { records: row.records, bytes: row.bytes, changedByTarget: [] };
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { body, keyspace, table, sets } = await this.#tables.create(item, signal);
    const { word } = this.#tables.planned;
    const { compaction } = await this.#tables.settings(item, signal);
    await this.#loads.get(item.namespace)?.load.discard();
    const name = { operation: word, keyspace, table };
    const staged = new StagedTable(name, attemptWord(this.#context.random));
    const layout = layoutOf(compaction);
    const load = new TableLoad({
      ...{ schema: body.schema, keyspace, sets, staged, layout, sorting: this.#sorting },
      nodes: this.#nodes,
      ...(this.#encoding && { encoding: this.#encoding }),
    });
    this.#loads.set(item.namespace, { staged, load, layout });
  }

  load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    return this.#loadOf(item).load.load(records, signal);
  }

  /** What is sorted is sorted as a whole. */
  serial(): boolean {
    return !partitionerOf(this.#ring).isRecordOrder;
  }

  loadRangesMax(item: TargetItem, bytes: number, apart: boolean): number | undefined {
    const { layout } = this.#loadOf(item);
    const { sets } = this.#tables.tableOf(item);
    return loadRangesMax({ layout, sets, bytes }, { streams: this.#context.workers ?? 1, apart });
  }

  near(item: TargetItem, range: KeyRange): ReadonlyMap<string, number> {
    const known = this.#near.get(item.namespace);
    if (known) return known(range);
    const { replication } = this.#tables.tableOf(item);
    const near = nearPeers(this.#ring, replication, this.#nodes);
    this.#near.set(item.namespace, near);
    return near(range);
  }

  async lend(item: TargetItem): Promise<LentTable> {
    const { replication } = this.#tables.tableOf(item);
    const { word } = this.#tables.planned;
    const table = { ring: ringDigest(this.#ring), replication, word };
    const proof = this.#frozen.lend(item);
    if (proof) return { ...table, proof };
    const { staged, layout } = this.#loadOf(item);
    const bases = await staged.bases(this.#ownersOf(item));
    return { ...table, load: { layout, bases } };
  }

  borrow(item: TargetItem, lent: unknown): RangeTarget {
    const text = JSON.stringify(lent);
    const known = this.#borrowed.get(item.namespace);
    if (known?.text === text) return known.table;
    const table = new BorrowedTable(item, lent as LentTable, {
      nodes: configuredNodes(this.#config, filesOf(this.#context), this.#ring),
      ...{ ring: this.#ring, sorting: this.#sorting },
      ...{ encoding: this.#encoding, reader: this.#reader, random: this.#context.random },
    });
    this.#borrowed.set(item.namespace, { text, table });
    return table;
  }

  async adopt(item: TargetItem, receipt: unknown): Promise<void> {
    const given = receipt as TableReceipt;
    if (given.kind === 'sample') return this.#frozen.adopt(item, given.sample);
    const { staged, load } = this.#loadOf(item);
    const bases = await staged.bases(this.#ownersOf(item));
    const loaded = await checkedFiles(given.loaded, bases, this.#nodes);
    load.adopt(loaded);
    const facts = { table: item.namespace, records: loaded.records, files: loaded.files.length };
    this.#context.log.debug(facts, 'another peer has loaded a range');
  }

  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const planned = this.#tables.tableOf(item);
    const nodes = this.#nodes;
    if (!this.loaded(item)) await this.#endLoad(item, signal);
    await this.#tables.agreed(signal);
    await this.#tables.refuseDisplaced(item, signal);
    await this.#tables.refuseIncrements(item, signal);
    await this.#imports.import(planned, this.#importContext, signal);
    const { keyspace, table } = planned;
    const name = { operation: this.#tables.planned.word, keyspace, table };
    await onTarget(removeStagedTable(name, nodes.values()));
    if (planned.body.schema.isCounter) await onTarget(countOn(this.#countedOf(item), signal));
    await this.#tables.index(item, signal);
  }

  async freeze(item: TargetItem, signal: AbortSignal): Promise<FrozenMoment> {
    await this.#frozen.thaw(item.namespace, signal);
    await this.#tables.refuseDisplaced(item, signal);
    const table = this.#tables.tableOf(item);
    const rest = async (): Promise<void> => {
      await this.#refuseMoved([table], { isMade: true }, signal);
      if (table.body.schema.isCounter) await refuseCounted(this.#countedOf(item));
    };
    return await this.#frozen.freeze(item, { nodes: [...this.#nodes.values()], rest }, signal);
  }

  watch(item: TargetItem, expected: RecordStream): RecordStream {
    return this.#frozen.watch(item, expected);
  }

  readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    return this.#frozen.readBack(item, range, signal);
  }

  spotReads(item: TargetItem, signal: AbortSignal): Promise<SpotReads> {
    return this.#frozen.spotReads(item, signal);
  }

  async done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    await this.#frozen.thaw(item.namespace, signal);
    await this.#tables.done(item, finished, signal);
  }

  disproven(item: TargetItem, signal: AbortSignal): Promise<void> {
    return this.#tables.disproven(item, signal);
  }

  /** Every dataset is a table; views come with theirs. */
  async planDefinitions(): Promise<PlannedDefinitions> {
    return { defined: [], skipped: [], warnings: [] };
  }

  async define(): Promise<DefineResult> {
    return { defined: [], skipped: [] };
  }

  async finish(items: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult> {
    const { tables, marker, word } = this.#tables.planned;
    // What was proven before somebody moved is proven no more.
    await this.#refuseMoved(tables.values(), { isMade: true }, signal);
    const dropped = await this.#tables.finish(items, signal);
    await onTarget(removeStaging(word, this.#nodes.values()));
    await removeTried(word, this.#nodes.values());
    await marker.remove(signal);
    const skipped = this.#tables.cappedExpiries('the files hold no later ones');
    return { dropped, skipped, warnings: [] };
  }

  async leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    await this.#discardLoads();
    const { word } = this.#tables.planned;
    // What is loaded waits for the same command.
    await onTarget(removeStaging(word, this.#nodes.values(), this.#imports.kept));
    const left = await this.#tables.leftBehind(signal);
    await removeTried(word, this.#nodes.values());
    return left;
  }

  /** Its files are whole and known to the marker when this returns. */
  async #endLoad(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { staged, load } = this.#loadOf(item);
    const finished = await load.finish();
    if (finished.hasLevels) await load.setLevels(finished.files);
    await this.#tables.noteCapped(item, finished.capped, signal);
    const planned = this.#tables.tableOf(item);
    const place = this.#tables.placeOf(item);
    const loaded = { staged, load: finished };
    await this.#imports.note(planned, place, loaded, this.#importContext, signal);
  }

  get #importContext(): ImportContext {
    return {
      marker: this.#tables.planned.marker,
      nodes: this.#nodes,
      log: this.#context.log,
      ...(this.#groupBytes !== undefined && { groupBytes: this.#groupBytes }),
    };
  }

  #countedOf(item: TargetItem): CountedTable {
    const tag = proofTag(this.#tables.planned.word, item.namespace);
    const schema = this.#tables.tableOf(item);
    return { schema, tableId: this.#tables.idOf(item), nodes: [...this.#nodes.values()], tag };
  }

  /** Nodes that own data of the item. */
  #ownersOf(item: TargetItem): TargetNode[] {
    const { sets } = this.#tables.tableOf(item);
    const owners = new Set(sets.all.flatMap(({ hostIds }) => hostIds));
    return [...this.#nodes.values()].filter(({ hostId }) => owners.has(hostId));
  }

  #loadOf({ namespace }: TargetItem) {
    const found = this.#loads.get(namespace);
    assert(found, 'an item is created before it is loaded and indexed');
    return found;
  }

  async #discardLoads(): Promise<void> {
    for (const { load } of this.#loads.values()) await load.discard();
    this.#loads.clear();
  }

  async #refuseMoved(
    tables: Iterable<PlannedTable>,
    options: { readonly isMade: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const keyspaces = new Map([...tables].map((one) => [one.keyspace, one.replication]));
    const controls = [...this.#nodes.values()].map(({ control }) => control);
    const look = {
      ring: () => readRing(this.#cql, controls, signal),
      moving: async () =>
        (await Promise.all(controls.map((one) => one.movingNodes({ signal })))).flat(),
      replication: (keyspace: string) => this.#tables.replicationOf(keyspace, signal),
    };
    await onTarget(refuseMoved({ ring: this.#ring, keyspaces }, look, options));
  }
}
