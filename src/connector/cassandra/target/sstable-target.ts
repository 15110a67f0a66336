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
  LeftBehind,
  LoadedRange,
  PlannedDefinitions,
  RestoreTarget,
  TargetItem,
  TargetOptions,
  TargetPlan,
  UnfinishedRestore,
} from '../../restore-target.ts';
import { quoted } from '../schema/read-schema.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import type { CqlSession } from '../session/cql.ts';
import { clusterId, type Ring } from '../session/ring.ts';
import { deletionTimeMax } from '../sstable/write-tombstones.ts';
import { importTable } from './import-table.ts';
import { TableMaker } from './make-table.ts';
import { loadRange } from './range-load.ts';
import { type FrozenTable, readFrozen, snapshotTable } from './read-back.ts';
import { operationWord, RestoreMarker } from './restore-marker.ts';
import { SchemaRunner } from './schema-runner.ts';
import { removeStaging, StagedTable } from './staging.ts';
import { namesOf } from './table-statements.ts';
import { asTarget, onTarget } from './target-fault.ts';
import { checkNodes, configuredNodes, type TargetNode } from './target-nodes.ts';
import { type PlannedTable, type PlannedTarget, planTarget } from './target-plan.ts';

const truncateMs = 120_000;
const verifyTries = 5;
const verifyPauseMs = 2_000;

interface Operation extends PlannedTarget {
  readonly options: TargetOptions;
  readonly marker: RestoreMarker;
  /** Of the names of keyspaces, folders and snapshots. */
  readonly word: string;
  readonly nodes: ReadonlyMap<string, TargetNode>;
}

interface Frozen {
  readonly table: FrozenTable;
  readonly files: Awaited<ReturnType<typeof snapshotTable>>;
  readonly nowMs: number;
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
  readonly #schema: SchemaRunner;
  readonly #maker: TableMaker;
  #operation: Operation | undefined;
  /** By the item's name in the target. */
  readonly #tableIds = new Map<string, string>();
  readonly #staged = new Map<string, StagedTable>();
  readonly #frozen = new Map<string, Frozen>();
  readonly #making = new Set<string>();
  #capped = 0;

  constructor({ config, cql, ring }: OpenedTarget, context: ConnectorContext) {
    this.identity = { id: clusterId(ring), version: ring.version, streams: [] };
    this.#config = config;
    this.#cql = cql;
    this.#ring = ring;
    this.#context = context;
    const first = ring.nodes.find(({ hostId }) => ring.up.includes(hostId)) ?? ring.nodes[0];
    assert(first, 'a ring has a node');
    this.#schema = new SchemaRunner(cql, context.clock, first.nativeAddress);
    this.#maker = new TableMaker(this.#schema, ring.version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { signal } = new AbortController();
    for (const namespace of [...this.#frozen.keys()]) {
      await this.#thaw(namespace, signal).catch(() => {});
    }
    // A marker that cannot be given back now is taken over when this run is gone.
    await this.#operation?.marker.release(signal).catch(() => {});
    await this.#cql[Symbol.asyncDispose]();
  }

  async unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    const marker = await RestoreMarker.read(this.#cql, this.#schema, operation, signal);
    return marker.unfinished();
  }

  async plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<TargetPlan> {
    const marker = await RestoreMarker.read(this.#cql, this.#schema, options.operation, signal);
    const look = { cql: this.#cql, ring: this.#ring, marker, options, signal };
    const planned = await planTarget(items, look);
    const nodes = configuredNodes(this.#config, this.#ring);
    const tables = [...planned.tables.values()];
    const owners = new Set(
      tables.flatMap(({ sets }) => sets.all.flatMap(({ hostIds }) => hostIds)),
    );
    await checkNodes(this.#config, this.#ring, nodes, owners, signal);
    const owning = new Map([...nodes].filter(([hostId]) => owners.has(hostId)));
    const word = operationWord(options.operation);
    this.#operation = { ...planned, options, marker, word, nodes: owning };
    for (const [namespace, { finishedId }] of planned.tables) {
      if (finishedId !== undefined) this.#tableIds.set(namespace, finishedId);
    }
    return planned.plan;
  }

  async begin(signal: AbortSignal): Promise<void> {
    const { marker, options, tables, word, nodes } = this.#planned;
    await marker.begin(options, this.#ring.nodes.length, signal);
    const made = [...tables.values()].filter(({ finishedId }) => finishedId === undefined);
    await this.#maker.tryAll(made, word, signal);
    // What an earlier run left that ended in between.
    for (const namespace of marker.unfinished() ? tables.keys() : []) {
      const tag = this.#tagOf(namespace);
      for (const { control } of nodes.values()) {
        await onTarget(control.clearSnapshot(tag, { signal }));
      }
    }
    await onTarget(removeStaging(word, nodes.values()));
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { marker, word } = this.#planned;
    const planned = this.#tableOf(item);
    const { keyspace, table, making } = planned;
    const standing = await this.#schema.tableId(keyspace, table, signal);
    if (standing !== undefined && making === 'new' && !this.#making.has(item.namespace)) {
      const message = `${item.namespace} has appeared since the plan`;
      throw new CodrError('target-not-empty', message, { object: item.namespace });
    }
    await marker.noteMaking(item.namespace, signal);
    this.#making.add(item.namespace);
    if (making === 'fill' && standing !== undefined) {
      // What was deleted in it would hide what is loaded.
      const name = `${quoted(keyspace)}.${quoted(table)}`;
      const options = { signal, consistency: 'all', timeoutMs: truncateMs } as const;
      await this.#cql.run(`TRUNCATE ${name}`, options);
    } else {
      if (standing !== undefined) await this.#schema.dropTable(keyspace, table, signal);
      await this.#maker.make(planned, signal);
    }
    const id = await this.#schema.tableId(keyspace, table, signal);
    if (id === undefined) throw displaced(item);
    this.#tableIds.set(item.namespace, id);
    this.#staged.set(item.namespace, new StagedTable(word, keyspace, table));
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const { body, keyspace, sets } = this.#tableOf(item);
    const staged = this.#staged.get(item.namespace);
    assert(staged, 'an item is created before it is loaded');
    const task = {
      schema: body.schema,
      keyspace,
      sets,
      nodes: this.#planned.nodes,
      staged,
      signal,
    };
    const { capped, ...loaded } = await loadRange(task, records);
    this.#capped += capped;
    return loaded;
  }

  serial(): boolean {
    return false;
  }

  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const planned = this.#tableOf(item);
    const { nodes } = this.#planned;
    const staged = this.#staged.get(item.namespace);
    assert(staged, 'an item is created before its indexes');
    await this.#refuseDisplaced(item, signal);
    await importTable(await staged.folders(), planned, this.#config.paths, signal);
    await onTarget(staged.remove(nodes.values()));
    if (planned.body.schema.isCounter) {
      for (const { control } of nodes.values()) {
        await onTarget(control.invalidateCounterCache({ signal }));
      }
    }
    const hosts = [...nodes.values()].map(({ nativeAddress }) => nativeAddress);
    await this.#maker.index(planned, hosts, signal);
  }

  /** As of a moment after the snapshot: what expires meanwhile is gone on both sides. */
  async freeze(item: TargetItem, signal: AbortSignal): Promise<number> {
    await this.#thaw(item.namespace, signal);
    await this.#refuseDisplaced(item, signal);
    const { nodes } = this.#planned;
    const { body, keyspace, table, replication } = this.#tableOf(item);
    const tableId = this.#tableIds.get(item.namespace);
    assert(tableId, 'an item is made or found finished before it is read back');
    const frozen: FrozenTable = {
      schema: { ...body.schema, keyspace, table },
      tableId,
      nodes: [...nodes.values()],
      members: this.#ring.nodes,
      replication,
      tag: this.#tagOf(item.namespace),
    };
    try {
      for (const node of nodes.values()) await this.#verify(node, frozen.schema, signal);
      for (const { control } of nodes.values()) await control.clearSnapshot(frozen.tag, { signal });
      const files = await snapshotTable(frozen, signal);
      const nowMs = Math.floor(this.#context.clock.now() / 1000) * 1000;
      this.#frozen.set(item.namespace, { table: frozen, files, nowMs });
      return nowMs;
    } catch (error) {
      throw asTarget(error);
    }
  }

  async *readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    const frozen = this.#frozen.get(item.namespace);
    assert(frozen, 'an item is frozen before it is read back');
    const { table, files, nowMs } = frozen;
    try {
      yield* readFrozen(table, files, { range, nowMs }, signal);
    } catch (error) {
      throw asTarget(error);
    }
  }

  async done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    await this.#thaw(item.namespace, signal);
    const tableId = this.#tableIds.get(item.namespace);
    assert(tableId, 'an item is made or found finished before it is done');
    await this.#planned.marker.noteFinished(tableId, finished, signal);
  }

  /** Every dataset is a table; views come with theirs. */
  async planDefinitions(): Promise<PlannedDefinitions> {
    return { defined: [], skipped: [], warnings: [] };
  }

  async define(): Promise<DefineResult> {
    return { defined: [], skipped: [] };
  }

  async finish(items: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult> {
    const { marker, nodes, others, tables, word } = this.#planned;
    for (const item of items) {
      if (tables.has(item.namespace)) await this.#refuseDisplaced(item, signal);
    }
    for (const namespace of others) {
      const { keyspace, table } = namesOf(namespace);
      await this.#schema.dropTable(keyspace, table, signal);
    }
    await onTarget(removeStaging(word, nodes.values()));
    await marker.remove(signal);
    const capped = `${this.#capped} expiries after 2038 were cut: the files hold no later ones`;
    const skipped = this.#capped > 0 ? [{ namespace: 'expiry', reason: capped }] : [];
    return { dropped: others, skipped, warnings: [] };
  }

  async leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    const { marker, nodes, tables, word } = this.#planned;
    await onTarget(removeStaging(word, nodes.values()));
    const names: string[] = [];
    for (const [namespace, { keyspace, table }] of tables) {
      if (!this.#making.has(namespace) && !marker.wasMaking(namespace)) continue;
      if (await this.#schema.hasTable(keyspace, table, signal)) names.push(namespace);
    }
    if (names.length > 0) return { marker: marker.name, names };
    await marker.remove(signal);
    return undefined;
  }

  get #planned(): Operation {
    assert(this.#operation, 'plan() comes before all other calls of a target');
    return this.#operation;
  }

  #tableOf({ namespace }: TargetItem): PlannedTable {
    const planned = this.#planned.tables.get(namespace);
    assert(planned, 'every item was planned');
    return planned;
  }

  /** The same for all runs of an operation. */
  #tagOf(namespace: string): string {
    return `codr-proof-${this.#planned.word}-${operationWord(namespace)}`;
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
    for (const { control } of this.#planned.nodes.values()) {
      await onTarget(control.clearSnapshot(frozen.table.tag, { signal }));
    }
  }

  /** Another table of the name is not the one that was loaded. */
  async #refuseDisplaced(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { keyspace, table } = this.#tableOf(item);
    const known = this.#tableIds.get(item.namespace);
    if ((await this.#schema.tableId(keyspace, table, signal)) !== known) throw displaced(item);
  }
}

function displaced({ namespace }: TargetItem): CodrError {
  const message = `${namespace}: the table that was loaded is gone, or another has taken its place`;
  return new CodrError('target-unfit', message, {
    object: namespace,
    remedy: 'see who else writes to the target, then restore again',
  });
}
