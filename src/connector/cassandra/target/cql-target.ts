// Any cluster that speaks CQL, with no access to its files: schema first, then writes with the timestamps of the
// cells, then indexes and views. What CQL cannot say is told before it starts; nothing can be read back byte for
// byte, so nothing is called proven: the rows are counted.
import { CodrError } from '../../../base/error.ts';
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
import { tableBodyOf } from '../schema/table-body.ts';
import type { CqlSession } from '../session/cql.ts';
import { replicasOf } from '../session/replica-placement.ts';
import { clusterId, type Ring, readRing } from '../session/ring.ts';
import { countRows, refuseOtherCount } from './cql-count.ts';
import { CqlLoad } from './cql-load.ts';
import { BatchSender } from './cql-sender.ts';
import { namedTable, tableName } from './ddl.ts';
import { TargetMarker } from './target-marker.ts';
import { buildIndexes, createTables, schemaOf, standing, tryStatements } from './target-schema.ts';

const truncateMs = 120_000;
const counterReason = 'counters cannot be set by CQL: restore them with the files of the target';
const unproven =
  'by CQL alone the restore is not proven: CODR only counts the rows that are there afterwards';
const timesToLive =
  'by CQL alone times to live become what is left of them; they still end at the same second';

export async function openCqlTarget(
  cql: CqlSession,
  context: ConnectorContext,
  signal: AbortSignal,
): Promise<RestoreTarget> {
  return new CqlTarget(cql, await readRing(cql, [], signal), context);
}

class CqlTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly unprovable = unproven;
  readonly #cql: CqlSession;
  readonly #ring: Ring;
  readonly #context: ConnectorContext;
  readonly #open = new Map<string, CqlLoad>();
  #options: TargetOptions | undefined;
  #items: readonly TargetItem[] = [];
  #warnings: readonly string[] = [];
  /** Tables that were there before: also an empty one may hold deletions that would hide what is loaded. */
  readonly #stood = new Set<string>();
  #made = false;

  constructor(cql: CqlSession, ring: Ring, context: ConnectorContext) {
    this.identity = { id: clusterId(ring), version: ring.version, streams: [] };
    this.#cql = cql;
    this.#ring = ring;
    this.#context = context;
  }

  async [Symbol.asyncDispose](): Promise<void> {
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
    const isCounter = ({ entry }: TargetItem): boolean => tableBodyOf(entry).schema.isCounter;
    this.#options = options;
    this.#items = items.filter((item) => !isCounter(item));
    this.#warnings = warningsOf(this.#items);
    const marker = await new TargetMarker(this.#cql, options.operation).read(signal);
    const finished = marker?.finished ?? [];
    const conflicts: string[] = [];
    const dropped: string[] = [];
    for (const item of this.#items) {
      const found = await standing(this.#cql, item, signal);
      if (!found) continue;
      this.#stood.add(item.namespace);
      const { isEmpty, difference } = found;
      if (difference !== undefined) throw otherTable(item.namespace, difference);
      // What an earlier run of this very restore has loaded is ours.
      if (isEmpty || marker) continue;
      (options.drop ? dropped : conflicts).push(item.namespace);
    }
    const skipped = items
      .filter(isCounter)
      .map(({ namespace }) => ({ namespace, reason: counterReason }));
    return { conflicts, dropped, skipped, warnings: this.#warnings, finished };
  }

  async begin(signal: AbortSignal): Promise<void> {
    const options = this.#planned();
    for (const warning of this.#warnings) this.#context.log.warn({}, warning);
    const marker = new TargetMarker(this.#cql, options.operation);
    await marker.begin(options, Math.min(3, this.#ring.nodes.length), signal);
    this.#made = true;
    await tryStatements(this.#cql, this.#ring, this.#items, options.operation, signal);
    const warnings = await createTables(this.#cql, this.#ring, this.#items, signal);
    for (const warning of warnings) this.#context.log.warn({}, warning);
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const table = namedTable(item.namespace);
    if (this.#stood.has(item.namespace)) {
      await this.#cql.run(`TRUNCATE ${tableName(table)}`, {
        ...{ signal, consistency: 'all', timeoutMs: truncateMs },
      });
    }
    this.#stood.add(item.namespace);
    const { replication } = await schemaOf(this.#cql, table, signal);
    const { schema } = tableBodyOf(item.entry);
    const { clock } = this.#context;
    const sender = new BatchSender({
      client: this.#cql.client,
      clock,
      members: this.#ring.nodes,
      ranges: replicasOf(this.#ring.nodes, replication),
      where: item.namespace,
    });
    this.#open.set(item.namespace, new CqlLoad({ schema, table, sender, clock }));
  }

  serial(): boolean {
    return false;
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    return await this.#loadOf(item).load(records, signal);
  }

  /** Rows are counted before indexes and views are built on them. */
  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const load = this.#loadOf(item);
    const { schema } = tableBodyOf(item.entry);
    const table = namedTable(item.namespace);
    const found = await countRows(this.#cql, table, schema, load.rows, signal);
    refuseOtherCount(item.namespace, found, load);
    await buildIndexes(this.#cql, this.#ring, item, this.#context, signal);
  }

  // biome-ignore lint/correctness/useYield: it only refuses
  async *readBack({ namespace }: TargetItem): RecordStream {
    throw new CodrError('failed', `${namespace} cannot be read back by CQL`);
  }

  async done(_: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
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
    await new TargetMarker(this.#cql, this.#planned().operation).remove(signal);
    return { dropped: [], skipped: [], warnings: [] };
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

  #loadOf({ namespace }: TargetItem): CqlLoad {
    const load = this.#open.get(namespace);
    if (load) return load;
    throw new CodrError('failed', `${namespace} was not created`);
  }
}

/** What CQL cannot keep, of all tables and of each. */
function warningsOf(items: readonly TargetItem[]): string[] {
  if (items.length === 0) return [];
  const lists = items.flatMap(({ entry, namespace }) => {
    const { statics, regulars } = tableBodyOf(entry).schema;
    const names = [...statics, ...regulars]
      .filter(({ type }) => type.kind === 'list' && !type.frozen)
      .map(({ name }) => name);
    return names.length === 0
      ? []
      : [`${namespace}: elements of ${names.join(', ')} get new ids; their order and times stay`];
  });
  return [unproven, timesToLive, ...lists];
}

function otherTable(namespace: string, difference: string): CodrError {
  return new CodrError('target-unfit', `${namespace} is there with other columns: ${difference}`, {
    object: namespace,
    remedy: 'drop it in the target, or restore under another name by --rename',
  });
}
