// Any cluster that speaks CQL, with no access to its files: schema first, then writes with the timestamps of the
// cells, then indexes and views, then every row is read at ALL and compared. What CQL cannot say, and what it cannot
// tell, is told before it starts.
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
  RangeTarget,
  RestoreTarget,
  SpotReads,
  TargetItem,
  TargetOptions,
  TargetPlan,
  UnfinishedRestore,
} from '../../restore-target.ts';
import { tableBodyOf } from '../schema/table-body.ts';
import type { CqlSession } from '../session/cql.ts';
import { type Replication, replicasOf } from '../session/replica-placement.ts';
import { clusterId, partitionerOf, type Ring, readRing, ringDigest } from '../session/ring.ts';
import {
  BorrowedCqlTable,
  type CqlReceipt,
  type LentCqlTable,
  mayBeLoadedTwice,
} from './borrowed-cql.ts';
import { countRows, refuseOtherCount } from './cql-count.ts';
import { expirySecondsMaxOf } from './cql-expiry.ts';
import {
  CqlLoad,
  type CqlLoadOptions,
  lateSecondsMax,
  nothingLoaded,
  waitSecondsMax,
} from './cql-load.ts';
import { type Compared, type CqlAccess, CqlProof } from './cql-proof.ts';
import { BatchSender } from './cql-sender.ts';
import { otherRing } from './lent-table.ts';
import { namesOf } from './table-statements.ts';
import { TargetTables } from './target-tables.ts';

const counterReason = 'counters cannot be set by CQL: restore them with the files of the target';
const unproven =
  'by CQL alone a cluster of another partitioner than Murmur3Partitioner is not proven: CODR only counts the rows ' +
  'that are there afterwards';
const compared =
  'by CQL alone the proof compares keys, values, writetimes and expiry of all cells at ALL; it cannot see when a row ' +
  'itself was inserted, ids of list elements, and the times to live that were given';
const withoutTimes =
  'the target is older than 5.0: of sets, maps, lists and user types that are not frozen the proof compares the values alone';
const timesToLive =
  'by CQL alone times to live become what is left of them; they end at the same second, or as much later as their write took';
export async function openCqlTarget(
  { config, cql }: Pick<CqlAccess, 'config' | 'cql'>,
  context: ConnectorContext,
  signal: AbortSignal,
): Promise<RestoreTarget> {
  const ring = await readRing(cql, [], signal);
  const expirySecondsMax = await expirySecondsMaxOf(cql, ring, signal);
  return new CqlTarget({ config, cql, ring }, context, expirySecondsMax);
}

class CqlTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly unprovable?: string;
  readonly expirySecondsMax?: number;
  readonly sharesRanges = true;
  // Not measured by itself: about what tests see, with rows of 150 bytes, one node and two processors.
  readonly pace = { load: 1e6, proof: 2e6 };
  readonly #proof: CqlProof;
  readonly #cql: CqlSession;
  readonly #ring: Ring;
  readonly #context: ConnectorContext;
  readonly #open = new Map<string, CqlLoad>();
  /** Of tables of another process' restore. */
  readonly #senders = new Map<string, BatchSender>();
  readonly #tables: TargetTables;

  constructor(
    { config, cql, ring }: CqlAccess,
    context: ConnectorContext,
    expirySecondsMax: number | undefined,
  ) {
    if (expirySecondsMax !== undefined) this.expirySecondsMax = expirySecondsMax;
    this.#proof = new CqlProof({ config, cql, ring }, context.clock);
    // Rows come in another order than records.
    if (!partitionerOf(ring).isRecordOrder) this.unprovable = unproven;
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
    const counters = items.filter(isCounter);
    // What is left out here is no table that the point lacks.
    const spared = counters.map(({ namespace }) => namespace);
    const { plan } = await this.#tables.plan(loaded, options, signal, spared);
    const told = [...this.#proofWarnings(loaded), ...warningsOf(loaded)];
    const warnings = [...told, ...plan.warnings];
    const skipped = counters.map(({ namespace }) => ({ namespace, reason: counterReason }));
    return { ...plan, skipped: [...plan.skipped, ...skipped], warnings };
  }

  async begin(signal: AbortSignal): Promise<void> {
    await this.#tables.begin(signal);
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { replication } = await this.#tables.create(item, signal);
    const { expirySecondsMax } = this;
    const sender = this.#senderOf(item, replication);
    this.#open.set(item.namespace, this.#openLoad(item, sender, { expirySecondsMax }));
  }

  async lend(item: TargetItem, signal: AbortSignal): Promise<LentCqlTable | undefined> {
    const { body, replication } = this.#tables.tableOf(item);
    const look = this.#proof.look(item.namespace);
    const { expirySecondsMax } = this;
    const cut = expirySecondsMax !== undefined && { expirySecondsMax };
    const table = { ring: ringDigest(this.#ring), replication, ...cut };
    if (look) return { ...table, look };
    if (!mayBeLoadedTwice(body.schema)) return undefined;
    await this.#tables.agreed(signal);
    // What a process that is lost has written may be as late as can be.
    this.#loadOf(item).add({ ...nothingLoaded, lateSeconds: lateSecondsMax });
    return table;
  }

  borrow(item: TargetItem, lent: unknown): RangeTarget {
    const { ring, replication, look, expirySecondsMax } = lent as LentCqlTable;
    if (ringDigest(this.#ring) !== ring) throw otherRing(this.#ring);
    const known = this.#senders.get(item.namespace);
    const sender = known ?? this.#senderOf(item, replication);
    this.#senders.set(item.namespace, sender);
    const limits = { waitSecondsMax, expirySecondsMax };
    const openLoad = (): CqlLoad => this.#openLoad(item, sender, limits);
    return new BorrowedCqlTable({ look, proof: this.#proof, openLoad });
  }

  async adopt(item: TargetItem, receipt: unknown): Promise<void> {
    const given = receipt as CqlReceipt;
    if (given.kind === 'loaded') this.#loadOf(item).add(given.loaded);
    else this.#proof.add(item.namespace, given.compared);
  }

  serial(): boolean {
    return false;
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    await this.#tables.agreed(signal);
    return await this.#loadOf(item).load(records, signal);
  }

  /** Rows are counted before indexes and views are built on them. */
  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    await this.#tables.agreed(signal);
    const load = this.#loadOf(item);
    const { body, keyspace, table } = this.#tables.tableOf(item);
    const place = { keyspace, table };
    const found = await countRows(
      this.#cql,
      place,
      body.schema,
      { about: load.counts.rows, partitioner: partitionerOf(this.#ring) },
      signal,
    );
    refuseOtherCount(item.namespace, found, load.counts);
    await this.#tables.noteCapped(item, load.counts.capped, signal);
    await this.#tables.index(item, signal);
  }

  async freeze(item: TargetItem, signal: AbortSignal): Promise<FrozenMoment> {
    await this.#tables.refuseDisplaced(item, signal);
    return this.#proof.begin(item.namespace, this.#open.get(item.namespace)?.counts);
  }

  compare(
    item: TargetItem,
    range: KeyRange,
    expected: RecordStream,
    signal: AbortSignal,
  ): RecordStream {
    const { body, keyspace, table } = this.#tables.tableOf(item);
    const schema = { ...body.schema, keyspace, table };
    const look = this.#proof.look(item.namespace);
    assert(look, 'an item is frozen before it is compared');
    const told = (compared: Compared): void => this.#proof.add(item.namespace, compared);
    return this.#proof.compare({ schema, range, look, told }, expected, signal);
  }

  async spotReads({ namespace }: TargetItem): Promise<SpotReads> {
    return this.#proof.result(namespace);
  }

  // biome-ignore lint/correctness/useYield: it only refuses
  async *readBack({ namespace }: TargetItem): RecordStream {
    throw new CodrError('failed', `${namespace} cannot be read back by CQL`);
  }

  done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    return this.#tables.done(item, finished, signal);
  }

  disproven(item: TargetItem, signal: AbortSignal): Promise<void> {
    return this.#tables.disproven(item, signal);
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
    const skipped = this.#tables.cappedExpiries('the target takes no later ones by CQL');
    return { dropped, skipped, warnings: [] };
  }

  leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    return this.#tables.leftBehind(signal);
  }

  #proofWarnings(items: readonly TargetItem[]): string[] {
    if (items.length === 0) return [];
    if (this.unprovable !== undefined) return [this.unprovable];
    const isOld = Number.parseInt(this.#ring.version, 10) < 5;
    return isOld ? [compared, withoutTimes] : [compared];
  }

  /** Of one table, for all of its ranges. */
  #senderOf({ namespace }: TargetItem, replication: Replication): BatchSender {
    const { nodes } = this.#ring;
    // Where a key of another partitioner lies is left to the driver.
    const isKnown = partitionerOf(this.#ring).isRecordOrder;
    return new BatchSender({
      ...{ client: this.#cql.client, clock: this.#context.clock, members: nodes },
      ranges: isKnown ? replicasOf(nodes, replication) : [],
      where: namespace,
    });
  }

  #openLoad(
    { entry, namespace }: TargetItem,
    sender: BatchSender,
    limits: Pick<CqlLoadOptions, 'waitSecondsMax' | 'expirySecondsMax'>,
  ): CqlLoad {
    const { schema } = tableBodyOf(entry);
    const { clock } = this.#context;
    return new CqlLoad({ schema, table: namesOf(namespace), sender, clock, ...limits });
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
  return [timesToLive, ...lists];
}
