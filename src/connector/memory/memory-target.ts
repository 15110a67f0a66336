// Restoring into a memory database: every dataset is loaded under a name beside its own, and all names are
// swapped at the end. A marker in the database lets the same operation resume.
import { CodrError } from '../../base/error.ts';
import { type KeyRange, rangeHolds } from '../../model/key-range.ts';
import { scopeHolds } from '../../model/namespace.ts';
import {
  type DataRecord,
  type RecordBatch,
  type RecordStream,
  recordsOf,
} from '../../model/record.ts';
import type { SourceIdentity } from '../connector.ts';
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
} from '../restore-target.ts';
import type { MemoryDatabase } from './memory-database.ts';
import { definitionOf } from './memory-fold.ts';
import { memoryIdentity } from './memory-session.ts';

const besideSuffix = '~restoring';

export class MemoryTarget implements RestoreTarget {
  readonly identity: SourceIdentity;
  readonly sharesRanges = true;
  readonly #database: MemoryDatabase;
  #options: TargetOptions | undefined;
  #dropped: readonly string[] = [];

  constructor(database: MemoryDatabase) {
    this.#database = database;
    this.identity = memoryIdentity(database);
  }

  async unfinished(operation: string): Promise<UnfinishedRestore | undefined> {
    const { marker, id } = this.#database;
    if (marker?.operation !== operation) return undefined;
    return { moment: marker.moment, marker: `the marker of ${id}` };
  }

  async plan(items: readonly TargetItem[], options: TargetOptions): Promise<TargetPlan> {
    const { marker } = this.#database;
    if (marker && marker.operation !== options.operation) {
      throw new CodrError(
        'target-unfit',
        `restore ${marker.operation} has not finished in this target`,
        {
          remedy: 'run that restore again to its end',
        },
      );
    }
    const there = this.#database
      .definitionsAt(this.#database.now)
      .map(({ namespace }) => namespace);
    const names = there.filter((name) => !name.endsWith(besideSuffix));
    const wanted = new Set(items.map(({ namespace }) => namespace));
    const inTheWay = names.filter((name) => wanted.has(name));
    const inScope = names.filter((name) => scopeHolds(options.scope, name) || wanted.has(name));
    this.#options = options;
    this.#dropped = options.drop ? inScope : [];
    return {
      conflicts: options.drop ? [] : inTheWay,
      dropped: this.#dropped,
      skipped: [],
      warnings: [],
      finished: [...(marker?.finished.values() ?? [])],
    };
  }

  async begin(): Promise<void> {
    const { operation, moment } = this.#planned();
    this.#database.marker ??= { operation, moment, finished: new Map() };
    if (this.#database.marker.moment === moment) return;
    throw new CodrError('busy', 'another run of this restore has begun meanwhile');
  }

  async create(item: TargetItem): Promise<void> {
    const name = beside(item);
    if (this.#database.definition(name)) this.#database.drop(name);
    this.#database.marker?.finished.delete(item.namespace);
    this.#database.create(name, { role: item.entry.role });
  }

  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    let count = 0;
    let bytes = 0;
    for await (const batch of records) {
      signal.throwIfAborted();
      this.#database.maybeFail('load');
      this.#database.putAll(beside(item), recordsOf(batch));
      count += batch.length;
      for (const { value } of batch) bytes += value.length;
    }
    return { records: count, bytes, changedByTarget: [] };
  }

  serial(): boolean {
    return false;
  }

  async index(item: TargetItem): Promise<void> {
    for (const name of definitionOf(item.entry.body).indexes) {
      this.#database.createIndex(beside(item), name);
    }
  }

  async done({ namespace }: TargetItem, finished: FinishedItem): Promise<void> {
    this.#database.marker?.finished.set(namespace, finished);
  }

  async *readBack(item: TargetItem, range: KeyRange): AsyncGenerator<RecordBatch, void, void> {
    const there = this.#database.definition(beside(item));
    if (!there) throw new CodrError('target-unfit', `${item.namespace} has not been loaded`);
    const records = this.#database.stateAt(there.dataset, this.#database.now);
    const batch = records.filter(({ key }) => rangeHolds(range, key));
    if (batch.length > 0) yield batch;
  }

  async planDefinitions(
    { namespace }: TargetItem,
    records: readonly DataRecord[],
  ): Promise<PlannedDefinitions> {
    return { defined: definedNames(namespace, records), skipped: [], warnings: [] };
  }

  async define(item: TargetItem, records: readonly DataRecord[]): Promise<DefineResult> {
    const name = item.namespace;
    if (!this.#database.definition(name)) this.#database.create(name, { role: 'definitions' });
    this.#database.putAll(name, records);
    return { defined: definedNames(name, records), skipped: [] };
  }

  async finish(items: readonly TargetItem[]): Promise<FinishResult> {
    const dropTarget = this.#planned().drop;
    for (const item of items) {
      const loaded = this.#database.definition(beside(item));
      if (loaded) this.#database.rename(loaded.namespace, item.namespace, { dropTarget });
    }
    const kept = new Set(items.map(({ namespace }) => namespace));
    for (const name of this.#dropped) {
      if (!kept.has(name) && this.#database.definition(name)) this.#database.drop(name);
    }
    this.#database.marker = undefined;
    return { dropped: this.#dropped, skipped: [], warnings: [] };
  }

  async leftBehind(): Promise<LeftBehind | undefined> {
    const { id, now } = this.#database;
    const there = this.#database.definitionsAt(now).map(({ namespace }) => namespace);
    const names = there.filter((name) => name.endsWith(besideSuffix));
    if (names.length > 0) return { marker: `the marker of ${id}`, names };
    this.#database.marker = undefined;
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #planned(): TargetOptions {
    if (!this.#options) throw new CodrError('usage', 'a restore is planned before it begins');
    return this.#options;
  }
}

function definedNames(namespace: string, records: readonly DataRecord[]): string[] {
  return records.map(({ key }) => `${namespace}/${Buffer.from(key).toString()}`);
}

function beside({ namespace }: TargetItem): string {
  return namespace + besideSuffix;
}
