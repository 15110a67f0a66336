// A live cluster that a cut is given back to by SSTables: schema first, then files that each replica imports, then
// indexes and views, then the proof on every replica. A marker in the target lets the same command resume.
import { assert } from '../../../base/assert.ts';
import { CodrError } from '../../../base/error.ts';
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
  RestoreTarget,
  TargetItem,
  TargetOptions,
  TargetPlan,
  UnfinishedRestore,
} from '../../restore-target.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import type { CqlSession } from '../session/cql.ts';
import type { SortingSpace } from '../session/owned-blocks.ts';
import { clusterId, partitionerOf, type Ring, readRing } from '../session/ring.ts';
import { deletionTimeMax } from '../sstable/write-tombstones.ts';
import { layoutOf } from './file-layout.ts';
import { checkSpace, neededBytes } from './free-space.ts';
import { importTable } from './import-table.ts';
import { refuseMoved } from './placement-rest.ts';
import { type FrozenTable, readFrozen, snapshotTable } from './read-back.ts';
import { operationWord } from './restore-marker.ts';
import { removeStaging, removeTried, StagedTable } from './staging.ts';
import { TableLoad } from './table-load.ts';
import { asTarget, onTarget } from './target-fault.ts';
import { checkNodes, configuredNodes, type TargetNode } from './target-nodes.ts';
import type { PlannedTable } from './target-plan.ts';
import { TargetTables } from './target-tables.ts';

/** The part of the memory in which a table is sorted. */
const sortingShare = 8;
const verifyTries = 5;
const verifyPauseMs = 2_000;

const deletionsMayGo =
  'deletions older than gc_grace_seconds may go at the first compaction in the target: the proof is of all that ' +
  'lives and of the younger deletions';

interface Frozen {
  readonly table: FrozenTable;
  readonly files: Awaited<ReturnType<typeof snapshotTable>>;
  readonly moment: FrozenMoment;
}

export interface OpenedTarget {
  readonly config: CassandraConfig;
  readonly cql: CqlSession;
  readonly ring: Ring;
}

export class SstableTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly expirySecondsMax = deletionTimeMax;
  readonly #config: CassandraConfig;
  readonly #cql: CqlSession;
  readonly #ring: Ring;
  readonly #context: ConnectorContext;
  readonly #tables: TargetTables;
  /** Those that own data, by host id. */
  #nodes: ReadonlyMap<string, TargetNode> = new Map();
  /** By the item's name in the target. */
  readonly #loads = new Map<string, { readonly staged: StagedTable; readonly load: TableLoad }>();
  readonly #frozen = new Map<string, Frozen>();
  /** Expiries that were cut, by the item's name in the target. */
  readonly #capped = new Map<string, number>();

  constructor({ config, cql, ring }: OpenedTarget, context: ConnectorContext) {
    this.identity = { id: clusterId(ring), version: ring.version, streams: [] };
    this.#config = config;
    this.#cql = cql;
    this.#ring = ring;
    this.#context = context;
    this.#tables = new TargetTables(cql, ring, context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { signal } = new AbortController();
    for (const namespace of [...this.#frozen.keys()]) {
      await this.#thaw(namespace, signal).catch(() => {});
    }
    await this.#discardLoads();
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
    const nodes = configuredNodes(this.#config, this.#ring);
    const sets = [...tables.values()].flatMap((planned) => planned.sets.all);
    const owners = new Set(sets.flatMap(({ hostIds }) => hostIds));
    await checkNodes(this.#config, this.#ring, nodes, owners, signal);
    this.#nodes = new Map([...nodes].filter(([hostId]) => owners.has(hostId)));
    // What is replaced may give its room back first.
    const added = [...tables.values()].filter(
      ({ finishedId, making }) => finishedId === undefined && making !== 'replace',
    );
    await checkSpace(this.#nodes, neededBytes(added, this.#ring));
    if (!options.keepsDeletions) return plan;
    return { ...plan, warnings: [...plan.warnings, deletionsMayGo] };
  }

  async begin(signal: AbortSignal): Promise<void> {
    const { marker, tables, word } = this.#tables.planned;
    await this.#refuseMoved(tables.values(), { isMade: false }, signal);
    await this.#tables.begin(signal);
    // What an earlier run left that ended in between.
    for (const namespace of marker.unfinished() ? tables.keys() : []) {
      const tag = this.#tagOf(namespace);
      for (const { control } of this.#nodes.values()) {
        await onTarget(control.clearSnapshot(tag, { signal }));
      }
    }
    await onTarget(removeStaging(word, this.#nodes.values()));
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { body, keyspace, table, sets } = await this.#tables.create(item, signal);
    const { word } = this.#tables.planned;
    const { compaction } = await this.#tables.settings(item, signal);
    await this.#loads.get(item.namespace)?.load.discard();
    const staged = new StagedTable(word, keyspace, table);
    const load = new TableLoad({
      ...{ schema: body.schema, keyspace, sets, staged, sorting: this.#sorting },
      layout: layoutOf(compaction),
      nodes: this.#nodes,
    });
    this.#loads.set(item.namespace, { staged, load });
  }

  load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    return this.#loadOf(item).load.load(records, signal);
  }

  /** What is sorted is sorted as a whole; windows and levels have files that no other stream may have a part of. */
  serial(item: TargetItem): boolean {
    // One that an earlier run has finished is only read back.
    const load = this.#loads.get(item.namespace)?.load;
    return load?.serial ?? !partitionerOf(this.#ring).isRecordOrder;
  }

  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const planned = this.#tables.tableOf(item);
    const nodes = this.#nodes;
    const { staged, load } = this.#loadOf(item);
    const { capped, hasLevels: keepLevels } = await load.finish();
    this.#capped.set(item.namespace, capped);
    await this.#tables.planned.marker.noteCapped(item.namespace, capped, signal);
    await this.#tables.refuseDisplaced(item, signal);
    await this.#tables.refuseIncrements(item, signal);
    const { paths } = this.#config;
    await importTable(await staged.folders(), planned, { paths, keepLevels }, signal);
    await onTarget(staged.remove(nodes.values()));
    if (planned.body.schema.isCounter) {
      for (const { control } of nodes.values()) {
        await onTarget(control.invalidateCounterCache({ signal }));
      }
    }
    await this.#tables.index(item, signal);
  }

  /** As of a moment after the snapshot: what expires meanwhile is gone on both sides. */
  async freeze(item: TargetItem, signal: AbortSignal): Promise<FrozenMoment> {
    await this.#thaw(item.namespace, signal);
    await this.#tables.refuseDisplaced(item, signal);
    const nodes = this.#nodes;
    const { body, keyspace, table, replication } = this.#tables.tableOf(item);
    const frozen: FrozenTable = {
      schema: { ...body.schema, keyspace, table },
      tableId: this.#tables.idOf(item),
      nodes: [...nodes.values()],
      ring: this.#ring,
      replication,
      sorting: this.#sorting,
      tag: this.#tagOf(item.namespace),
    };
    try {
      for (const node of nodes.values()) await this.#verify(node, frozen.schema, signal);
      for (const { control } of nodes.values()) await control.clearSnapshot(frozen.tag, { signal });
      const files = await snapshotTable(frozen, signal);
      await this.#refuseMoved([this.#tables.tableOf(item)], { isMade: true }, signal);
      const nowMs = Math.floor(this.#context.clock.now() / 1000) * 1000;
      const moment = await this.#momentOf(item, nowMs, signal);
      this.#frozen.set(item.namespace, { table: frozen, files, moment });
      return moment;
    } catch (error) {
      throw asTarget(error);
    }
  }

  async *readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    const frozen = this.#frozen.get(item.namespace);
    assert(frozen, 'an item is frozen before it is read back');
    const { table, files, moment } = frozen;
    try {
      yield* readFrozen(table, files, { range, ...moment }, signal);
    } catch (error) {
      throw asTarget(error);
    }
  }

  async done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    await this.#thaw(item.namespace, signal);
    await this.#tables.done(item, finished, signal);
  }

  /** Every dataset is a table; views come with theirs. */
  async planDefinitions(): Promise<PlannedDefinitions> {
    return { defined: [], skipped: [], warnings: [] };
  }

  async define(): Promise<DefineResult> {
    return { defined: [], skipped: [] };
  }

  async finish(items: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult> {
    const { marker, tables, word } = this.#tables.planned;
    // What was proven before somebody moved is proven no more.
    await this.#refuseMoved(tables.values(), { isMade: true }, signal);
    const dropped = await this.#tables.finish(items, signal);
    await onTarget(removeStaging(word, this.#nodes.values()));
    await removeTried(word, this.#nodes.values());
    await marker.remove(signal);
    // Also of what an earlier run finished: the restore as a whole is not as the source was.
    const names = [...tables.keys()];
    const count = names.reduce((n, it) => n + (this.#capped.get(it) ?? marker.capped(it)), 0);
    const capped = `${count} expiries after 2038 were cut: the files hold no later ones`;
    const skipped = count > 0 ? [{ namespace: 'expiry', reason: capped }] : [];
    return { dropped, skipped, warnings: [] };
  }

  async leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    await this.#discardLoads();
    await onTarget(removeStaging(this.#tables.planned.word, this.#nodes.values()));
    await removeTried(this.#tables.planned.word, this.#nodes.values());
    return await this.#tables.leftBehind(signal);
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

  /** A compaction since the import may have dropped deletions as old as the table lets it. */
  async #momentOf(item: TargetItem, nowMs: number, signal: AbortSignal): Promise<FrozenMoment> {
    if (!this.#tables.planned.options.keepsDeletions) return { nowMs };
    const { gcGraceSeconds } = await this.#tables.settings(item, signal);
    return { nowMs, deletionsSinceMs: nowMs - gcGraceSeconds * 1000 };
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

  /** The same for all runs of an operation. */
  #tagOf(namespace: string): string {
    return `codr-proof-${this.#tables.planned.word}-${operationWord(namespace)}`;
  }

  /** The server's own look at its files; a compaction that it cannot end in time makes it say no as well. */
  async #verify(
    { address, control }: TargetNode,
    { keyspace, table }: { readonly keyspace: string; readonly table: string },
    signal: AbortSignal,
  ): Promise<void> {
    for (let left = verifyTries; left > 0; left--) {
      if (await control.verify(keyspace, [table], { extended: true }, { signal })) return;
      await this.#context.clock.sleep(verifyPauseMs, signal);
    }
    const message = `${address} does not find its files of ${keyspace}.${table} good`;
    throw new CodrError('target-unfit', message, { object: address, remedy: "see the node's log" });
  }

  async #thaw(namespace: string, signal: AbortSignal): Promise<void> {
    const frozen = this.#frozen.get(namespace);
    if (!frozen) return;
    this.#frozen.delete(namespace);
    for (const { control } of this.#nodes.values()) {
      await onTarget(control.clearSnapshot(frozen.table.tag, { signal }));
    }
  }
}
