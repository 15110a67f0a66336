// What restores by files and by CQL have in common: the plan, the marker, tables that are made, found finished or
// left behind. How records get into a table is not known here.
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError } from '../../../base/error.ts';
import type { ConnectorContext } from '../../connector.ts';
import type {
  FinishedItem,
  FinishResult,
  LeftBehind,
  TargetItem,
  TargetOptions,
  UnfinishedRestore,
} from '../../restore-target.ts';
import type { CqlSession } from '../session/cql.ts';
import type { Replication } from '../session/replica-placement.ts';
import type { Ring } from '../session/ring.ts';
import { lookAtClocks } from './clock-skew.ts';
import { incremented } from './counter-writes.ts';
import { TableMaker } from './make-table.ts';
import { placementDigest } from './placement-rest.ts';
import { type FinishedPlace, operationWord, RestoreMarker } from './restore-marker.ts';
import { SchemaRunner } from './schema-runner.ts';
import { readSettings, type TableSettings } from './table-settings.ts';
import { namesOf, tableName } from './table-statements.ts';
import { holdsRows, type PlannedTable, type PlannedTarget, planTarget } from './target-plan.ts';

const truncateMs = 120_000;

interface Operation extends PlannedTarget {
  readonly options: TargetOptions;
  readonly marker: RestoreMarker;
  /** Of the names of keyspaces, folders and snapshots. */
  readonly word: string;
}

export class TargetTables {
  readonly #cql: CqlSession;
  readonly #ring: Ring;
  readonly #schema: SchemaRunner;
  readonly #maker: TableMaker;
  readonly #clock: Clock;
  #operation: Operation | undefined;
  /** By the item's name in the target. */
  readonly #ids = new Map<string, string>();
  readonly #making = new Set<string>();
  /** Expiries that were cut, by the item's name in the target. */
  readonly #capped = new Map<string, number>();
  /** Keyspaces where statements were tried may be there. */
  #hasTried = false;
  /** They go while records are loaded. */
  #tidying: Promise<void> | undefined;

  constructor(cql: CqlSession, ring: Ring, { clock }: Pick<ConnectorContext, 'clock'>) {
    this.#cql = cql;
    this.#ring = ring;
    this.#clock = clock;
    const first = ring.nodes.find(({ hostId }) => ring.up.includes(hostId)) ?? ring.nodes[0];
    assert(first, 'a ring has a node');
    this.#schema = new SchemaRunner(cql, clock, first.nativeAddress);
    this.#maker = new TableMaker(this.#schema, ring.version);
  }

  async unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    const marker = await RestoreMarker.read(this.#cql, this.#schema, operation, signal);
    return marker.unfinished();
  }

  /** `spared`: tables of the point beside `items`, which `drop` must leave alone. Errors: `usage`, `target-unfit`. */
  async plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
    spared: readonly string[] = [],
  ): Promise<Operation> {
    const marker = await RestoreMarker.read(this.#cql, this.#schema, options.operation, signal);
    const look = { cql: this.#cql, ring: this.#ring, marker, options, spared, signal };
    const up = this.#ring.nodes.filter(({ hostId }) => this.#ring.up.includes(hostId));
    const clocks = await lookAtClocks(this.#cql, up, this.#clock, signal);
    const planned = await planTarget(items, look);
    const plan = { ...planned.plan, warnings: [...clocks, ...planned.plan.warnings] };
    this.#operation = { ...planned, plan, options, marker, word: operationWord(options.operation) };
    for (const [namespace, { finishedId }] of planned.tables) {
      if (finishedId !== undefined) this.#ids.set(namespace, finishedId);
    }
    return this.#operation;
  }

  get planned(): Operation {
    assert(this.#operation, 'plan() comes before all other calls of a target');
    return this.#operation;
  }

  /** Writes the marker and tries all statements. Errors: `busy`; `target-unfit`, naming a statement. */
  async begin(signal: AbortSignal): Promise<void> {
    const { marker, options, tables, word } = this.planned;
    await marker.begin(options, this.#ring.nodes.length, signal);
    const made = [...tables.values()].filter(({ finishedId }) => finishedId === undefined);
    await this.#dropTried(signal);
    this.#hasTried = true;
    try {
      await this.#maker.tryAll(made, word, signal);
    } catch (error) {
      // What cannot go now is tried again when the target is left.
      const { signal: last } = new AbortController();
      await this.#dropTried(last).catch(() => {});
      // A target that refuses is left as it was; who was interrupted goes on with the moment.
      const isBegun = [...tables.keys()].some((name) => marker.wasMaking(name));
      if (!isBegun && !signal.aborted) await marker.remove(last).catch(() => {});
      throw error;
    }
  }

  /** All nodes know what was made. Errors: `target-unfit`. */
  async agreed(signal: AbortSignal): Promise<void> {
    await this.#schema.agreed(signal);
  }

  /** The table is there and empty when this returns; nodes may not know it yet. */
  async create(item: TargetItem, signal: AbortSignal): Promise<PlannedTable> {
    const planned = this.tableOf(item);
    const { keyspace, table, making } = planned;
    const standing = await this.#schema.tableId(keyspace, table, signal);
    const isKnown = standing === planned.standingId || this.#making.has(item.namespace);
    if (standing !== undefined && !isKnown) throw since(item, 'has appeared');
    if (making === 'fill' && standing !== undefined && !this.#making.has(item.namespace)) {
      const asked = { keyspace, table, partitionKey: planned.body.schema.partitionKey };
      if (await holdsRows(this.#cql, asked, signal)) throw since(item, 'has got rows');
    }
    const { marker } = this.planned;
    const known = marker.wasMaking(item.namespace)?.tableIds ?? [];
    const filled = making === 'fill' || making === 'refill' ? standing : undefined;
    const before = filled === undefined ? known : [...known, filled];
    const note = filled !== undefined && { filled };
    await marker.noteMaking(item.namespace, { tableIds: before, ...note }, signal);
    this.#making.add(item.namespace);
    if (filled !== undefined) {
      if (making === 'refill') {
        // Those that an earlier run had made; an import would fill none.
        await this.#maker.dropViews(planned, signal);
        await marker.forgetFilled(item.namespace, filled, signal);
      }
      // What was deleted in it would hide what is loaded.
      const options = { signal, consistency: 'all', timeoutMs: truncateMs } as const;
      await this.#cql.run(`TRUNCATE ${tableName(planned)}`, options);
    } else {
      if (standing !== undefined) await this.#schema.dropTable(keyspace, table, signal);
      await this.#maker.make(planned, signal);
    }
    const id = await this.#schema.tableId(keyspace, table, signal);
    if (id === undefined) throw displaced(item);
    const tableIds = [...new Set([...before, id])];
    await marker.noteMaking(item.namespace, { tableIds, ...note }, signal);
    this.#ids.set(item.namespace, id);
    this.#tidying ??= this.#dropTried(signal);
    // Done again at the end.
    this.#tidying.catch(() => {});
    return planned;
  }

  tableOf({ namespace }: TargetItem): PlannedTable {
    const planned = this.planned.tables.get(namespace);
    assert(planned, 'every item was planned');
    return planned;
  }

  /** The id of the table that was made, or found finished. */
  idOf({ namespace }: TargetItem): string {
    const id = this.#ids.get(namespace);
    assert(id, 'an item is made or found finished before it is used');
    return id;
  }

  placeOf(item: TargetItem): FinishedPlace {
    const placement = placementDigest(this.#ring, this.tableOf(item).replication);
    return { tableId: this.idOf(item), placement };
  }

  /**
   * Where an earlier run may have loaded it; undefined where no unfinished table stands. Counters are loaded anew:
   * what was added since could not be told from what was imported.
   */
  loadedPlace({ body, replication, standingId, finishedId }: PlannedTable) {
    if (standingId === undefined || finishedId !== undefined || body.schema.isCounter) return;
    return { tableId: standingId, placement: placementDigest(this.#ring, replication) };
  }

  /** A table that an earlier run has loaded is gone on with. */
  adopt({ namespace }: TargetItem, { tableId }: FinishedPlace): void {
    this.#ids.set(namespace, tableId);
  }

  /** As the keyspace is in the target; undefined where it is not there. */
  async replicationOf(keyspace: string, signal: AbortSignal): Promise<Replication | undefined> {
    const query = 'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?';
    const [row] = await this.#schema.rows(query, signal, [keyspace]);
    return row && (row.replication as Replication);
  }

  /** Of the table as it is in the target. */
  settings(item: TargetItem, signal: AbortSignal): Promise<TableSettings> {
    return readSettings(this.#schema, this.tableOf(item), signal);
  }

  /** How many expiries of it had to be cut. */
  async noteCapped({ namespace }: TargetItem, count: number, signal: AbortSignal): Promise<void> {
    this.#capped.set(namespace, count);
    await this.planned.marker.noteCapped(namespace, count, signal);
  }

  /** Also of what an earlier run finished: the restore as a whole is not as the source was. */
  cappedExpiries(why: string): FinishResult['skipped'] {
    const { marker, tables } = this.planned;
    const names = [...tables.keys()];
    const count = names.reduce((n, it) => n + (this.#capped.get(it) ?? marker.capped(it)), 0);
    const reason = `${count} expiries after 2038 were cut: ${why}`;
    return count > 0 ? [{ namespace: 'expiry', reason }] : [];
  }

  /** Another table of the name is not the one that was loaded. */
  async refuseDisplaced(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { keyspace, table } = this.tableOf(item);
    const id = await this.#schema.tableId(keyspace, table, signal);
    if (id !== this.#ids.get(item.namespace)) throw displaced(item);
  }

  /** What was added to counters of an empty table would be added to what is loaded. Errors: `target-unfit`. */
  async refuseIncrements(item: TargetItem, signal: AbortSignal): Promise<void> {
    const planned = this.tableOf(item);
    if (!planned.body.schema.isCounter) return;
    const query = `SELECT * FROM ${tableName(planned)} LIMIT 1`;
    const rows = await this.#cql.rows(query, { signal, consistency: 'all' });
    if (rows.length > 0) throw incremented(item.namespace);
  }

  /** Indexes and views, built when this returns. */
  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const planned = this.tableOf(item);
    const owners = new Set(planned.sets.all.flatMap(({ hostIds }) => hostIds));
    const hosts = this.#ring.nodes.filter(({ hostId }) => owners.has(hostId));
    const addresses = hosts.map(({ nativeAddress }) => nativeAddress);
    const { marker } = this.planned;
    const id = this.idOf(item);
    const goesOn = marker.wasMakingViews(id);
    if (!goesOn && planned.statements.views.length > 0) await marker.noteViews(id, signal);
    await this.#maker.index(planned, { hosts: addresses, goesOn }, signal);
  }

  async done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    await this.planned.marker.noteFinished(this.placeOf(item), finished, signal);
  }

  /** What was read back is not what was loaded: the same command makes the table anew. */
  async disproven({ namespace }: TargetItem, signal: AbortSignal): Promise<void> {
    await this.planned.marker.forget(namespace, signal);
  }

  /** Removes what `drop` names; gives all that it took away. The marker stays: removing it is the very end. */
  async finish(items: readonly TargetItem[], signal: AbortSignal): Promise<readonly string[]> {
    const { others, plan, tables } = this.planned;
    await this.#tidyUp(signal);
    for (const item of items) {
      if (tables.has(item.namespace)) await this.refuseDisplaced(item, signal);
    }
    for (const namespace of others) {
      const { keyspace, table } = namesOf(namespace);
      await this.#schema.dropTable(keyspace, table, signal);
    }
    const made = new Set([...tables.values()].flatMap(viewNames));
    return plan.dropped.filter((name) => !made.has(name));
  }

  /** An earlier run of the operation made it, or was about to fill it. */
  isOurs({ item, standingId }: PlannedTable): boolean {
    const known = this.planned.marker.wasMaking(item.namespace)?.tableIds ?? [];
    return standingId !== undefined && known.includes(standingId);
  }

  async leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    const { marker, tables } = this.planned;
    await this.#tidyUp(signal);
    const names: string[] = [];
    for (const [namespace, { keyspace, table }] of tables) {
      if (!this.#making.has(namespace) && !marker.wasMaking(namespace)) continue;
      if (await this.#schema.hasTable(keyspace, table, signal)) names.push(namespace);
    }
    if (names.length > 0) return { marker: marker.name, names };
    await marker.remove(signal);
    return undefined;
  }

  /** No node has a keyspace where statements were tried when this returns. */
  async #tidyUp(signal: AbortSignal): Promise<void> {
    await this.#tidying?.catch(() => {});
    await this.#dropTried(signal);
    await this.agreed(signal);
  }

  async #dropTried(signal: AbortSignal): Promise<void> {
    await this.#maker.dropTried(this.planned.word, signal);
    this.#hasTried = false;
  }

  /** Lets another run go on; whoever ended without it is found dead. */
  async release(signal: AbortSignal): Promise<void> {
    if (!this.#operation) return;
    const { marker } = this.#operation;
    await this.#tidying?.catch(() => {});
    // Of a restore that was stopped. Whoever has taken it over tries its statements there as well.
    if (this.#hasTried && (await marker.isOurs(signal).catch(() => false))) {
      await this.#dropTried(signal).catch(() => {});
    }
    await marker.release(signal).catch(() => {});
  }
}

/** Views that are made anew are not taken away. */
const viewNames = ({ keyspace, statements }: PlannedTable): string[] =>
  statements.views.map(({ name }) => `${keyspace}.${name}`);

const since = ({ namespace }: TargetItem, what: string): CodrError =>
  new CodrError('target-not-empty', `${namespace} ${what} since the plan`, { object: namespace });

function displaced({ namespace }: TargetItem): CodrError {
  const message = `${namespace}: the table that was loaded is gone, or another has taken its place`;
  return new CodrError('target-unfit', message, {
    object: namespace,
    remedy: 'see who else writes to the target, then restore again',
  });
}
