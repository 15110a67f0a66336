// A live cluster that a cut is given back to by SSTables: schema first, then files that each node imports, then
// indexes and views, then the proof on every replica. Nothing is replayed, nothing repaired.
import { join } from 'node:path';
import { CodrError } from '../../../base/error.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { ConnectorContext, SourceConfig, SourceIdentity } from '../../connector.ts';
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
import { tableBodyOf } from '../schema/table-body.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import { serverPath } from '../session/cassandra-config.ts';
import { configOf, cutNodes } from '../session/cassandra-session.ts';
import { type CqlSession, openCql } from '../session/cql.ts';
import type { CutNode } from '../session/node-cut.ts';
import type { ListedSstable } from '../session/node-files.ts';
import { replicasOf } from '../session/replica-placement.ts';
import { clusterId, nodeAt, type Ring, readRing } from '../session/ring.ts';
import { basesOf } from '../sstable/write-statistics.ts';
import { openCqlTarget } from './cql-target.ts';
import { type NamedTable, namedTable, tableName } from './ddl.ts';
import { FileLoad, type LoadNode, leftOver, removeStaging } from './file-load.ts';
import { type FrozenTable, readFrozen, snapshotTable } from './read-back.ts';
import { TargetMarker } from './target-marker.ts';
import { buildIndexes, createTables, schemaOf, standing, tryStatements } from './target-schema.ts';

type TargetNode = CutNode & LoadNode;

interface OpenItem {
  readonly table: NamedTable;
  readonly load: FileLoad;
  frozen?: {
    readonly table: FrozenTable;
    readonly files: Map<string, ListedSstable[]>;
    nowMs: number;
  };
}

export async function openCassandraTarget(
  source: SourceConfig,
  context: ConnectorContext,
  signal: AbortSignal,
): Promise<RestoreTarget> {
  const config = configOf(source);
  const cql = await openCql(config, signal, 'target');
  try {
    const nodes = cutNodes(config);
    // Files that cannot be reached cannot be written: CQL alone is left.
    if (nodes.length === 0) return await openCqlTarget(cql, context, signal);
    const ring = await readRing(
      cql,
      nodes.map(({ control }) => control),
      signal,
    );
    return new CassandraTarget({ config, cql, nodes, ring }, context);
  } catch (error) {
    await cql[Symbol.asyncDispose]();
    throw error;
  }
}

class CassandraTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly #config: CassandraConfig;
  readonly #cql: CqlSession;
  readonly #ring: Ring;
  readonly #configured: readonly CutNode[];
  readonly #context: ConnectorContext;
  readonly #open = new Map<string, OpenItem>();
  #options: TargetOptions | undefined;
  #items: readonly TargetItem[] = [];
  #nodes: readonly TargetNode[] = [];
  #capped = 0;
  #made = false;

  constructor(
    opened: { config: CassandraConfig; cql: CqlSession; nodes: readonly CutNode[]; ring: Ring },
    context: ConnectorContext,
  ) {
    const { ring } = opened;
    this.identity = { id: clusterId(ring), version: ring.version, streams: [] };
    this.#config = opened.config;
    this.#cql = opened.cql;
    this.#configured = opened.nodes;
    this.#ring = ring;
    this.#context = context;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { signal } = new AbortController();
    for (const item of this.#open.values()) await this.#thaw(item, signal).catch(() => {});
    await this.#cql[Symbol.asyncDispose]();
  }

  async unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    return await new TargetMarker(this.#cql, operation).unfinished(signal);
  }

  async plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<TargetPlan> {
    this.#options = options;
    this.#items = items;
    this.#nodes = this.#targetNodes(options.operation);
    const marker = await new TargetMarker(this.#cql, options.operation).read(signal);
    const finished = marker?.finished ?? [];
    const conflicts: string[] = [];
    const dropped: string[] = [];
    const warnings: string[] = [];
    for (const item of items) {
      const found = await standing(this.#cql, item, signal);
      if (!found) continue;
      const { isEmpty, difference } = found;
      if (difference !== undefined) throw otherTable(item.namespace, difference);
      if (isEmpty || finished.some(({ namespace }) => namespace === item.namespace)) continue;
      // What an earlier run of this very restore has loaded is ours.
      if (marker) continue;
      (options.drop ? dropped : conflicts).push(item.namespace);
    }
    for (const item of items) {
      if (!tableBodyOf(item.entry).schema.isCounter) continue;
      warnings.push(`${item.namespace}: its counters must not be incremented while it is restored`);
    }
    return { conflicts, dropped, skipped: [], warnings, finished };
  }

  async begin(signal: AbortSignal): Promise<void> {
    const options = this.#planned();
    const marker = new TargetMarker(this.#cql, options.operation);
    await marker.begin(options, Math.min(3, this.#ring.nodes.length), signal);
    this.#made = true;
    await tryStatements(this.#cql, this.#ring, this.#items, options.operation, signal);
    const warnings = await createTables(this.#cql, this.#ring, this.#items, signal);
    for (const warning of warnings) this.#context.log.warn({}, warning);
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const table = namedTable(item.namespace);
    const found = await standing(this.#cql, item, signal);
    if (found && !found.isEmpty) {
      await this.#cql.run(`TRUNCATE ${tableName(table)}`, {
        signal,
        consistency: 'all',
        timeoutMs: 120_000,
      });
    }
    const { replication } = await schemaOf(this.#cql, table, signal);
    const ranges = replicasOf(this.#ring.nodes, replication);
    const nowMs = this.#context.clock.now();
    // The same for all files of the table; differences to times near now are short.
    const bases = basesOf(BigInt(nowMs) * 1000n, Math.floor(nowMs / 1000), 0);
    const { schema } = tableBodyOf(item.entry);
    const load = new FileLoad({ schema, table, ranges, nodes: this.#nodes, bases });
    for (const node of this.#nodes) await clearFolder(load.folderOf(node));
    this.#open.set(item.namespace, { table, load });
  }

  serial(): boolean {
    return false;
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    return await this.#itemOf(item).load.load(records, signal);
  }

  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { table, load } = this.#itemOf(item);
    this.#capped += load.cappedExpiries;
    await Promise.all(this.#nodes.map((node) => this.#import(node, table, load, signal)));
    if (tableBodyOf(item.entry).schema.isCounter) {
      for (const { control } of this.#nodes) await control.invalidateCounterCache({ signal });
    }
    await buildIndexes(this.#cql, this.#ring, item, this.#context, signal);
  }

  async freeze(item: TargetItem, signal: AbortSignal): Promise<number> {
    const open = await this.#openFor(item, signal);
    await this.#thaw(open, signal);
    const { table } = open;
    const { replication, tableId } = await schemaOf(this.#cql, table, signal);
    const { schema } = tableBodyOf(item.entry);
    const tag = `codr-proof-${this.#planned().operation.slice(0, 12)}-${table.table}`;
    const frozen: FrozenTable = {
      schema: { ...schema, ...table },
      tableId,
      nodes: this.#nodes,
      members: this.#ring.nodes,
      replication,
      tag,
    };
    for (const { control } of this.#nodes) await control.clearSnapshot(tag, { signal });
    const files = await snapshotTable(frozen, signal);
    const nowMs = this.#context.clock.now();
    open.frozen = { table: frozen, files, nowMs };
    return nowMs;
  }

  async *readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    const { frozen } = this.#itemOf(item);
    if (!frozen) throw new CodrError('failed', `${item.namespace} was not frozen`);
    const { table, files, nowMs } = frozen;
    yield* readFrozen(table, files, { range, nowMs }, signal);
  }

  async done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    const open = this.#open.get(item.namespace);
    if (open) await this.#thaw(open, signal);
    await new TargetMarker(this.#cql, this.#planned().operation).done(finished, signal);
  }

  /** Views, users and roles are no datasets of their own here. */
  async planDefinitions(): Promise<PlannedDefinitions> {
    return { defined: [], skipped: [], warnings: [] };
  }

  async define(): Promise<DefineResult> {
    return { defined: [], skipped: [] };
  }

  async finish(_: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult> {
    for (const node of this.#nodes) await removeStaging(node);
    await new TargetMarker(this.#cql, this.#planned().operation).remove(signal);
    const capped = `${this.#capped} times after 2038 were cut: the format of the files holds no later ones`;
    const skipped = this.#capped > 0 ? [{ namespace: 'expiry', reason: capped }] : [];
    return { dropped: [], skipped, warnings: [] };
  }

  async leftBehind(): Promise<LeftBehind | undefined> {
    if (!this.#made) return undefined;
    const { name } = new TargetMarker(this.#cql, this.#planned().operation);
    return { marker: name, names: [...this.#open.keys()] };
  }

  #planned(): TargetOptions {
    if (this.#options) return this.#options;
    throw new CodrError('failed', 'a target is planned before it is used');
  }

  #itemOf({ namespace }: TargetItem): OpenItem {
    const open = this.#open.get(namespace);
    if (open) return open;
    throw new CodrError('failed', `${namespace} was not created`);
  }

  /** One that an earlier run loaded is only read back. */
  async #openFor(item: TargetItem, signal: AbortSignal): Promise<OpenItem> {
    const known = this.#open.get(item.namespace);
    if (known) return known;
    const table = namedTable(item.namespace);
    const { replication } = await schemaOf(this.#cql, table, signal);
    const { schema } = tableBodyOf(item.entry);
    const ranges = replicasOf(this.#ring.nodes, replication);
    const bases = basesOf(0n, 0, 0);
    const load = new FileLoad({ schema, table, ranges, nodes: this.#nodes, bases });
    const open: OpenItem = { table, load };
    this.#open.set(item.namespace, open);
    return open;
  }

  async #thaw(open: OpenItem, signal: AbortSignal): Promise<void> {
    const { frozen } = open;
    if (!frozen) return;
    delete open.frozen;
    for (const { control } of this.#nodes)
      await control.clearSnapshot(frozen.table.tag, { signal });
  }

  async #import(
    node: TargetNode,
    { keyspace, table }: NamedTable,
    load: FileLoad,
    signal: AbortSignal,
  ): Promise<void> {
    const folder = load.folderOf(node);
    if ((await leftOver(folder)).length === 0) return;
    const theirs = serverPath(this.#config.paths, folder);
    const checks = { verify: true, extended: true };
    const refused = await node.control.importSstables(keyspace, table, [theirs], checks, {
      signal,
    });
    const left = await leftOver(folder);
    if (refused.length === 0 && left.length === 0) return;
    const what = left.length > 0 ? `${left.length} files of` : 'files of';
    throw new CodrError(
      'target-unfit',
      `${node.address} did not take ${what} ${keyspace}.${table}`,
      {
        object: folder,
        remedy: "see the server's log for the reason; the same command goes on",
      },
    );
  }

  /** Every member of the ring is written to: a replica left out would need a repair. */
  #targetNodes(operation: string): TargetNode[] {
    const nodes = this.#configured.map((node): TargetNode => {
      const member = nodeAt(this.#ring, node.address);
      const [data] = node.dataDirectories;
      if (!member || data === undefined) {
        throw new CodrError('target-unfit', `${node.address} is no member of the cluster`, {
          object: node.address,
        });
      }
      const staging = join(data, `codr_restore_${operation.slice(0, 12)}`);
      return { ...node, hostId: member.hostId, staging };
    });
    const missing = this.#ring.nodes.filter(
      ({ hostId }) => !nodes.some((node) => node.hostId === hostId),
    );
    if (missing.length === 0) return nodes;
    const names = missing.map(({ address }) => address).join(', ');
    throw new CodrError('target-unfit', `files of ${names} cannot be written: not configured`, {
      object: names,
      remedy: 'name every node of the cluster under `nodes`, with its dataDirectories and control',
    });
  }
}

async function clearFolder(folder: string): Promise<void> {
  await removeStaging({ staging: folder, address: '', hostId: '' });
}

function otherTable(namespace: string, difference: string): CodrError {
  return new CodrError('target-unfit', `${namespace} is there with other columns: ${difference}`, {
    object: namespace,
    remedy: 'drop it in the target, or restore under another name by --rename',
  });
}
