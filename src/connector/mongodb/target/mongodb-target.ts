// A server that a moment is given back to. Data is loaded under its name, or with `drop` beside what is
// there and exchanged by a rename after the proof. A marker in the target lets the same command resume.

import { assert } from '../../../base/assert.ts';
import { forEachLimit } from '../../../base/async.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import { sortRecords } from '../../../base/external-sort.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import { renamed, scopeHolds } from '../../../model/namespace.ts';
import type { DataRecord, RecordStream } from '../../../model/record.ts';
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
import { orderPrefixBytes } from '../oplog/effects.ts';
import { collectionOf, databaseOf, storedName } from '../oplog/namespace-rules.ts';
import { MongodbConnection } from '../session/connection.ts';
import { BulkLoad } from './bulk-load.ts';
import { createCollection, dropCollection } from './create-collection.ts';
import { beginExpiry } from './expiry.ts';
import { refuseCaseClash, refuseUnfitNames } from './given-names.ts';
import { buildIndexes, indexSpecs } from './index-builds.ts';
import { leftBehind } from './left-behind.ts';
import { readBack } from './read-back.ts';
import { standingCollection } from './standing-collection.ts';
import { readTargetIdentity } from './target-identity.ts';
import { TargetMarker } from './target-marker.ts';
import { isOurs, type PlannedTarget, planTarget } from './target-plan.ts';
import { checkTargetRights, type LoggedIn } from './target-rights.ts';
import { mergeUsersOrRoles, planUsersOrRoles } from './user-definitions.ts';
import {
  createView,
  inDependencyOrder,
  misplaced,
  type ViewDefinition,
  viewName,
  viewsOf,
} from './view-definitions.ts';

/** Collections that are looked at or renamed side by side. */
const itemsAtOnce = 8;

interface Operation extends PlannedTarget {
  readonly options: TargetOptions;
  readonly marker: TargetMarker;
  readonly loggedIn: LoggedIn;
}

export class MongodbTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  // Documents of 1 KiB, two processors for the server and codr: bench/README.md.
  readonly pace = { load: 58e6, proof: 280e6 };
  readonly sharesRanges = true;
  readonly #connection: MongodbConnection;
  readonly #context: ConnectorContext;
  #operation: Operation | undefined;
  #views: ViewDefinition[] = [];
  /** The collection that was made for each item, by this run or the one that finished it. */
  readonly #uuids = new Map<string, string>();
  readonly #making = new Set<string>();

  private constructor(
    connection: MongodbConnection,
    context: ConnectorContext,
    identity: SourceIdentity,
  ) {
    this.#connection = connection;
    this.#context = context;
    this.identity = identity;
  }

  /** Errors: `source-unreachable`, `target-rights`, `target-unfit`, `config-invalid`. */
  static async open(
    uri: string,
    context: ConnectorContext,
    signal: AbortSignal,
  ): Promise<MongodbTarget> {
    const connection = await MongodbConnection.open(uri, context.clock, 'target', signal);
    try {
      const identity = await readTargetIdentity(connection, signal);
      return new MongodbTarget(connection, context, identity);
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  unfinished(operation: string, signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    return TargetMarker.unfinished(this.#connection, operation, signal);
  }

  async plan(
    items: readonly TargetItem[],
    options: TargetOptions,
    signal: AbortSignal,
  ): Promise<TargetPlan> {
    refuseUnfitNames(items, options);
    const databases = new Set(items.map(({ namespace }) => databaseOf(namespace)));
    const loggedIn = await checkTargetRights(this.#connection, databases, signal);
    await refuseCaseClash(this.#connection, items, options, signal);
    const marker = await TargetMarker.read(this.#connection, options.operation, signal);
    const planned = await planTarget(this.#connection, items, options, marker, signal);
    this.#operation = { ...planned, options, marker, loggedIn };
    for (const [namespace, uuid] of planned.finishedUuids) this.#uuids.set(namespace, uuid);
    return planned.plan;
  }

  async begin(signal: AbortSignal): Promise<void> {
    const { marker, options } = this.#planned;
    await marker.begin(options, signal);
  }

  async create(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { marker, options } = this.#planned;
    if (!options.drop) await this.#refuseTaken(item, signal);
    await marker.noteMaking(item.namespace, signal);
    this.#making.add(item.namespace);
    const isTimeSeries = item.entry.kind === 'timeseries';
    const name = isTimeSeries ? item.namespace : this.#workingName(item);
    await createCollection(this.#connection, item, name, signal);
    const made = await standingCollection(this.#connection, this.#workingName(item), signal);
    if (!made) throw this.#displaced(item);
    this.#uuids.set(item.namespace, made.uuid);
    await marker.noteMade(item.namespace, made.uuid, signal);
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const { memoryBytesMax, clock } = this.#context;
    const capped = item.entry.kind === 'capped';
    const load = new BulkLoad(
      {
        connection: this.#connection,
        namespace: this.#workingName(item),
        ordered: capped,
        memoryBytesMax,
        sleep: (ms, stop) => clock.sleep(ms, stop),
      },
      signal,
    );
    return load.run(capped ? this.#inInsertionOrder(records) : records);
  }

  serial(item: TargetItem): boolean {
    return item.entry.kind === 'capped';
  }

  async index(item: TargetItem, signal: AbortSignal): Promise<void> {
    const lasting = indexSpecs(item.entry).filter(({ expiry }) => !expiry);
    await buildIndexes(this.#connection, this.#workingName(item), lasting, signal);
  }

  readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    return readBack(this.#connection, item.entry, this.#workingName(item), range, {
      context: this.#context,
      signal,
    });
  }

  async done(item: TargetItem, finished: FinishedItem, signal: AbortSignal): Promise<void> {
    const uuid = this.#uuids.get(item.namespace);
    assert(uuid, 'an item is made or found finished before it is done');
    await this.#planned.marker.noteFinished(uuid, finished, signal);
  }

  async planDefinitions(
    item: TargetItem,
    records: readonly DataRecord[],
    signal: AbortSignal,
  ): Promise<PlannedDefinitions> {
    const { loggedIn, options } = this.#planned;
    const { kind } = item.entry;
    if (kind === 'users' || kind === 'roles') {
      if (!this.#wants(item)) return { defined: [], skipped: [], warnings: [] };
      const { drop } = options;
      return planUsersOrRoles(this.#connection, records, { kind, loggedIn, drop }, signal);
    }
    const defined: string[] = [];
    const skipped: { namespace: string; reason: string }[] = [];
    for (const view of kind === 'views' ? this.#viewsOf(records) : []) {
      const reason = (await this.#takenBy(view, signal)) ?? misplaced(view);
      if (reason === undefined) defined.push(view.namespace);
      else skipped.push({ namespace: view.namespace, reason });
    }
    return { defined, skipped, warnings: [] };
  }

  async define(
    item: TargetItem,
    records: readonly DataRecord[],
    signal: AbortSignal,
  ): Promise<DefineResult> {
    const { options, loggedIn } = this.#planned;
    const { kind } = item.entry;
    if (kind === 'views') {
      const views = this.#viewsOf(records);
      // Made at the finish, when the names are free.
      this.#views.push(...views);
      return { defined: views.map(({ namespace }) => namespace), skipped: [] };
    }
    if (!this.#wants(item) || (kind !== 'users' && kind !== 'roles')) {
      return { defined: [], skipped: [] };
    }
    const { drop } = options;
    if (records.length > 0 || drop) this.#making.add(item.namespace);
    return mergeUsersOrRoles(this.#connection, records, { kind, loggedIn, drop }, signal);
  }

  async finish(items: readonly TargetItem[], signal: AbortSignal): Promise<FinishResult> {
    const { options, marker, plan } = this.#planned;
    const skipped = new Set(plan.skipped.map(({ namespace }) => namespace));
    const data = items.filter(
      ({ entry, namespace }) => entry.role === 'data' && !skipped.has(namespace),
    );
    const warnings: string[] = [];
    const notMade: { namespace: string; reason: string }[] = [];
    const all = (work: (item: TargetItem) => Promise<void>): Promise<void> =>
      forEachLimit(data, itemsAtOnce, work, signal);
    await all(async (item) => void (await this.#placeOf(item, signal)));
    const dropped = options.drop ? await this.#dropOthers(data, signal) : [];
    await all((item) => this.#swap(item, signal));
    for (const view of inDependencyOrder(this.#views)) {
      const { namespace } = view;
      const { reason } = await this.#makeView(view, signal);
      if (reason !== undefined) notMade.push({ namespace, reason });
      for (const name of reason === undefined ? view.elsewhere : []) {
        const read = collectionOf(name);
        warnings.push(`${namespace} reads ${read} of its own database, no longer ${name}`);
      }
    }
    for (const item of options.ttl === 'keep' ? data : []) {
      warnings.push(...(await beginExpiry(this.#connection, item, signal)));
    }
    await marker.remove(signal);
    return { dropped, skipped: notMade, warnings };
  }

  leftBehind(signal: AbortSignal): Promise<LeftBehind | undefined> {
    const { marker, workingNames } = this.#planned;
    const begun = { marker, workingNames, making: this.#making, uuids: this.#uuids };
    return leftBehind(this.#connection, begun, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A marker that cannot be given back now is taken over when this run is gone.
    await this.#operation?.marker.release(new AbortController().signal).catch(() => {});
    await this.#connection[Symbol.asyncDispose]();
  }

  get #planned(): Operation {
    assert(this.#operation, 'plan() comes before all other calls of a target');
    return this.#operation;
  }

  /** What appeared since the plan is not ours to drop. */
  async #refuseTaken(item: TargetItem, signal: AbortSignal): Promise<void> {
    const { namespace } = item;
    if (!(await standingCollection(this.#connection, namespace, signal))) return;
    if (await isOurs(this.#connection, item, this.#planned.marker, signal)) return;
    if (this.#uuids.has(namespace)) return;
    throw new CodrError('target-not-empty', `${namespace} has appeared since the plan`, {
      object: namespace,
    });
  }

  /** Whether users or roles are restored. */
  #wants({ namespace }: TargetItem): boolean {
    const { options } = this.#planned;
    return options.usersAndRoles && scopeHolds(options.scope, namespace);
  }

  /** Those of the scope, under their names in the target. */
  #viewsOf(records: readonly DataRecord[]): ViewDefinition[] {
    const { scope, renames } = this.#planned.options;
    const wanted = records.filter(({ value }) => scopeHolds(scope, viewName(value)));
    return viewsOf(wanted, (namespace) => renamed(renames, namespace));
  }

  /** A reason when something else has the view's name; with `drop` that goes. */
  async #takenBy({ namespace }: ViewDefinition, signal: AbortSignal): Promise<string | undefined> {
    const { options, marker } = this.#planned;
    const standing = await standingCollection(this.#connection, namespace, signal);
    const ours = options.drop || (marker.wasMaking(namespace) && standing?.type === 'view');
    return ours || !standing ? undefined : 'the view is not restored, the name is taken';
  }

  /** A reason when the view cannot be made; one that is there already stays unless `drop` is on. */
  async #makeView(view: ViewDefinition, signal: AbortSignal): Promise<{ reason?: string }> {
    const { marker } = this.#planned;
    const reason = await this.#takenBy(view, signal);
    if (reason !== undefined) return { reason };
    await marker.noteMaking(view.namespace, signal);
    this.#making.add(view.namespace);
    try {
      await createView(this.#connection, view, signal);
      return {};
    } catch (error) {
      if (!isCodrError(error, 'target-unfit')) throw error;
      return { reason: error.message };
    }
  }

  #workingName(item: TargetItem): string {
    return this.#planned.workingNames.get(item.namespace) ?? item.namespace;
  }

  /** Removes what the scope means and the point lacks; what is replaced goes with its rename. */
  async #dropOthers(data: readonly TargetItem[], signal: AbortSignal): Promise<string[]> {
    const { dropped } = this.#planned;
    const stays = new Set(data.map(({ namespace }) => namespace));
    for (const namespace of dropped) {
      if (stays.has(namespace)) continue;
      await dropCollection(this.#connection, namespace, signal);
    }
    return [...dropped];
  }

  async #swap(item: TargetItem, signal: AbortSignal): Promise<void> {
    const from = await this.#placeOf(item, signal);
    if (from === storedName(item.entry, item.namespace)) return;
    await this.#dropIfNoCollection(item.namespace, signal);
    await this.#connection.admin(
      {
        renameCollection: from,
        to: item.namespace,
        dropTarget: true,
        writeConcern: { w: 'majority' },
      },
      signal,
    );
  }

  /** Where the collection that was finished stands: under its working name, or exchanged already. */
  async #placeOf(item: TargetItem, signal: AbortSignal): Promise<string> {
    const uuid = this.#uuids.get(item.namespace);
    const final = storedName(item.entry, item.namespace);
    for (const name of new Set([this.#workingName(item), final])) {
      const standing = await standingCollection(this.#connection, name, signal);
      if (standing && standing.uuid === uuid) return name;
    }
    throw this.#displaced(item);
  }

  #displaced({ namespace }: TargetItem): CodrError {
    return new CodrError(
      'target-unfit',
      `${namespace}: the collection that was loaded is gone, or another has taken its place`,
      { object: namespace, remedy: 'see who else writes to the target, then restore again' },
    );
  }

  /** A rename replaces a collection, but neither a view nor a time series. */
  async #dropIfNoCollection(namespace: string, signal: AbortSignal): Promise<void> {
    const standing = await standingCollection(this.#connection, namespace, signal);
    if (standing && standing.type !== 'collection') {
      await dropCollection(this.#connection, namespace, signal);
    }
  }

  /** The records of a capped collection by the place before each value, which does not go on. */
  async *#inInsertionOrder(records: RecordStream): RecordStream {
    const { spill, memoryBytesMax } = this.#context;
    const byPlace = async function* (): RecordStream {
      for await (const batch of records) {
        yield batch.map(({ value }) => ({ key: value.subarray(0, orderPrefixBytes), value }));
      }
    };
    for await (const batch of sortRecords(byPlace(), { spill, memoryBytesMax })) {
      yield batch.map(({ key, value }) => ({ key, value: value.subarray(orderPrefixBytes) }));
    }
  }
}
