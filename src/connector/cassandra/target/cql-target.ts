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
import { clusterId, partitionerOf, type Ring, readRing } from '../session/ring.ts';
import { countRows, refuseOtherCount } from './cql-count.ts';
import { CqlLoad } from './cql-load.ts';
import { BatchSender } from './cql-sender.ts';
import { TargetTables } from './target-tables.ts';

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
  readonly #tables: TargetTables;
  #warnings: readonly string[] = [];

  constructor(cql: CqlSession, ring: Ring, context: ConnectorContext) {
    this.identity = { id: clusterId(ring), version: ring.version, streams: [] };
    this.#cql = cql;
    this.#ring = ring;
    this.#context = context;
    this.#tables = new TargetTables(cql, ring, context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tables.release(new AbortController().signal);
    await this.#cql[Symbol.asyncDispose]();
  }

  unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    return this.#tables.unfinished(operation, signal);
  }

  async plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<TargetPlan> {
    if (options.keepsDeletions) throw deletionsNeedFiles();
    const isCounter = ({ entry }: TargetItem): boolean => tableBodyOf(entry).schema.isCounter;
    const loaded = items.filter((item) => !isCounter(item));
    const { plan } = await this.#tables.plan(loaded, options, signal);
    this.#warnings = [...warningsOf(loaded), ...plan.warnings];
    const counters = items.filter(isCounter);
    const skipped = counters.map(({ namespace }) => ({ namespace, reason: counterReason }));
    return { ...plan, skipped: [...plan.skipped, ...skipped], warnings: this.#warnings };
  }

  async begin(signal: AbortSignal): Promise<void> {
    for (const warning of this.#warnings) this.#context.log.warn({}, warning);
    await this.#tables.begin(signal);
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { body, keyspace, table, replication } = await this.#tables.create(item, signal);
    const { clock } = this.#context;
    // Where a key of another partitioner lies is left to the driver.
    const isKnown = partitionerOf(this.#ring).isRecordOrder;
    const sender = new BatchSender({
      client: this.#cql.client,
      clock,
      members: this.#ring.nodes,
      ranges: isKnown ? replicasOf(this.#ring.nodes, replication) : [],
      where: item.namespace,
    });
    const load = new CqlLoad({ schema: body.schema, table: { keyspace, table }, sender, clock });
    this.#open.set(item.namespace, load);
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
    const { body, keyspace, table } = this.#tables.tableOf(item);
    const place = { keyspace, table };
    const found = await countRows(
      this.#cql,
      place,
      body.schema,
      { about: load.rows, partitioner: partitionerOf(this.#ring) },
      signal,
    );
    refuseOtherCount(item.namespace, found, load);
    await this.#tables.index(item, signal);
  }

  // biome-ignore lint/correctness/useYield: it only refuses
  async *readBack({ namespace }: TargetItem): RecordStream {
    throw new CodrError('failed', `${namespace} cannot be read back by CQL`);
  }

  done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    return this.#tables.done(item, finished, signal);
  }

  /** Views, users and roles are no datasets of their own here. */
  async planDefinitions(): Promise<PlannedDefinitions> {
    return { defined: [], skipped: [], warnings: [] };
  }

  async define(): Promise<DefineResult> {
    return { defined: [], skipped: [] };
  }

  async finish(items: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult> {
    const dropped = await this.#tables.finish(items, signal);
    await this.#tables.planned.marker.remove(signal);
    return { dropped, skipped: [], warnings: [] };
  }

  leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    return this.#tables.leftBehind(signal);
  }

  #loadOf({ namespace }: TargetItem): CqlLoad {
    const load = this.#open.get(namespace);
    if (load) return load;
    throw new CodrError('failed', `${namespace} was not created`);
  }
}

/** A delete by CQL gets the time of the restore, and one of what has expired cannot be said at all. */
function deletionsNeedFiles(): CodrError {
  const message =
    'by CQL alone deletions cannot be given back as they were: --tombstones keep is refused';
  return new CodrError('usage', message, {
    object: '--tombstones',
    remedy: 'name the nodes and their files in the target file, or leave --tombstones out',
  });
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
