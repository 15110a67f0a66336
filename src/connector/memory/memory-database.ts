// A small deterministic database: named datasets of key and value bytes, one or more ordered logs,
// transactions over all of them, every version of every record. It moves only when it is called. What it
// answers about its past comes from its versions, never from its logs: a fold can be held against it.
import { assert } from '../../base/assert.ts';
import { compareBytes, emptyBytes, fromHex, toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import { changeKinds } from '../../model/change.ts';
import { type DatasetId, datasetId, streamId } from '../../model/id.ts';
import type { DataRecord } from '../../model/record.ts';
import type { SourceTime } from '../../model/time.ts';
import type { FinishedItem } from '../restore-target.ts';
import { type CatalogOperation, type EntryBody, MemoryLog, type Operation } from './memory-log.ts';
import { encodePatch, type Splice, spliced } from './memory-patch.ts';
import { MemoryTransaction } from './memory-transaction.ts';

/** What is known of a dataset besides its records. */
export interface Definition {
  readonly dataset: DatasetId;
  readonly namespace: string;
  readonly role: 'data' | 'definitions';
  readonly indexes: readonly string[];
}

export interface MemoryDatabaseOptions {
  readonly name: string;
  /** Logs, over which keys are spread. One unless said. */
  readonly streamCount?: number;
  /** With `manual`, entries count as safe only after `advanceMajority`; else at once. */
  readonly majority?: 'manual' | 'at-once';
}

/** Where a restore has got to; lives in the target. */
export interface RestoreMarker {
  readonly operation: string;
  readonly moment: string;
  readonly finished: Map<string, FinishedItem>;
}

interface Version {
  /** When it took effect. */
  readonly time: SourceTime;
  /** When that was decided; later than `time` for prepared transactions. */
  readonly decided: SourceTime;
  /** Undefined: the record is gone. */
  readonly value: Uint8Array | undefined;
}

export class MemoryDatabase {
  readonly id: string;
  readonly logs: readonly MemoryLog[];
  /** Seconds since 1970 that new times carry; move it to make time pass. */
  wallSeconds = 1_700_000_000;
  /** While set, one call in `oneIn` to a session or target fails. */
  faults: { readonly random: Random; readonly oneIn: number } | undefined;
  marker: RestoreMarker | undefined;
  readonly #manual: boolean;
  #term = 1n;
  #lastTime: SourceTime = 0n;
  #majorityTime: SourceTime = 0n;
  #oldestReadable: SourceTime = 0n;
  #made = 0;
  #catalog: { time: SourceTime; names: ReadonlyMap<string, Definition> }[] = [
    { time: 0n, names: new Map() },
  ];
  readonly #versions = new Map<DatasetId, Map<string, Version[]>>();
  readonly #transactions = new Map<number, MemoryTransaction>();
  /** Commits of prepared transactions that a step down may still undo. */
  #decisions: { readonly preparedAt: SourceTime; readonly decided: SourceTime }[] = [];
  #growth = Promise.withResolvers<void>();

  constructor({ name, streamCount = 1, majority = 'at-once' }: MemoryDatabaseOptions) {
    this.id = name;
    this.#manual = majority === 'manual';
    this.logs = Array.from(
      { length: streamCount },
      (_, i) => new MemoryLog(streamId(`${name}-${i}`)),
    );
    this.noop();
    this.advanceMajority();
  }

  // ---- datasets ----

  create(namespace: string, { role = 'data', indexes = [] }: Partial<Definition> = {}): DatasetId {
    if (this.definition(namespace)) throw new Error(`${namespace} exists`);
    const owner = Buffer.from(this.id).toString('hex').slice(0, 24).padEnd(24, '0');
    const dataset = datasetId(owner + (this.#made++).toString(16).padStart(8, '0'));
    this.#versions.set(dataset, new Map());
    this.#define([{ kind: 'create', definition: { dataset, namespace, role, indexes } }]);
    return dataset;
  }

  drop(namespace: string): void {
    this.#define([{ kind: 'drop', definition: this.#named(namespace) }]);
  }

  /** With `dropTarget`, what had the new name is dropped in the same log entry. */
  rename(from: string, to: string, { dropTarget = false } = {}): void {
    const there = this.definition(to);
    if (there && !dropTarget) throw new Error(`${to} exists`);
    const renamed = { ...this.#named(from), namespace: to };
    this.#define([
      ...(there ? [{ kind: 'drop' as const, definition: there }] : []),
      { kind: 'rename', definition: renamed },
    ]);
  }

  createIndex(namespace: string, name: string): void {
    const definition = this.#named(namespace);
    this.#define([
      { kind: 'index', definition: { ...definition, indexes: [...definition.indexes, name] } },
    ]);
  }

  definition(namespace: string): Definition | undefined {
    return this.definitionsAt(this.#lastTime).find((each) => each.namespace === namespace);
  }

  /** Ascending by name. */
  definitionsAt(time: SourceTime): Definition[] {
    const names = this.#catalog.findLast((each) => each.time <= time)?.names ?? new Map();
    return [...names.values()].sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  }

  // ---- records ----

  put(namespace: string, key: Uint8Array, value: Uint8Array): void {
    this.putAll(namespace, [{ key, value }]);
  }

  /** One log entry for the records of each stream. */
  putAll(namespace: string, records: readonly DataRecord[]): void {
    const { dataset } = this.#named(namespace);
    for (const [at, log] of this.logs.entries()) {
      const own = records.filter(({ key }) => this.streamOf(key) === at);
      if (own.length === 0) continue;
      const kind = changeKinds.put;
      this.#write(
        log,
        own.map(({ key, value }) => ({ dataset, key, kind, value })),
      );
    }
  }

  patch(namespace: string, key: Uint8Array, splice: Splice): void {
    const { dataset } = this.#named(namespace);
    const operation = { dataset, key, kind: changeKinds.patch, value: encodePatch(splice) };
    this.#write(
      this.logs[this.streamOf(key)] as MemoryLog,
      [operation],
      spliced(this.get(dataset, key), splice),
    );
  }

  /** Like a real log, says nothing when there was no such record. */
  delete(namespace: string, key: Uint8Array): void {
    const { dataset } = this.#named(namespace);
    if (this.get(dataset, key) === undefined) return;
    const operation = { dataset, key, kind: changeKinds.delete, value: emptyBytes };
    this.#write(this.logs[this.streamOf(key)] as MemoryLog, [operation]);
  }

  /** Removes every record at once, one entry in the first log. */
  clear(namespace: string): void {
    const { dataset } = this.#named(namespace);
    const log = this.logs[0] as MemoryLog;
    this.#write(log, [{ dataset, key: emptyBytes, kind: changeKinds.clear, value: emptyBytes }]);
  }

  begin(): MemoryTransaction {
    const transaction = new MemoryTransaction(this, this.#made++);
    this.#transactions.set(transaction.number, transaction);
    return transaction;
  }

  get(dataset: DatasetId, key: Uint8Array): Uint8Array | undefined {
    return this.#versions.get(dataset)?.get(toHex(key))?.at(-1)?.value;
  }

  /** The dataset as it was at `time`, ascending by key. Errors: `snapshot-too-old`. */
  stateAt(dataset: DatasetId, time: SourceTime): DataRecord[] {
    if (time < this.#oldestReadable) {
      throw new CodrError('snapshot-too-old', `the memory database no longer reads at ${time}`);
    }
    const records: DataRecord[] = [];
    for (const [hex, versions] of this.#versions.get(dataset) ?? []) {
      const value = versions.findLast((version) => version.time <= time)?.value;
      if (value !== undefined) records.push({ key: fromHex(hex), value });
    }
    return records.sort((a, b) => compareBytes(a.key, b.key));
  }

  // ---- time, logs, faults ----

  get now(): SourceTime {
    return this.#lastTime;
  }

  /** Last time whose state can no longer change: safe from rollback, before any undecided prepare. */
  get settled(): SourceTime {
    const undecided = [...this.#transactions.values()].flatMap(
      ({ preparedAt }) => preparedAt ?? [],
    );
    // A decision that no majority has may be undone.
    const undoable = this.#decisions.filter(({ decided }) => decided > this.#majorityTime);
    return [...undecided, ...undoable.map(({ preparedAt }) => preparedAt)].reduce(
      (time, at) => (at <= time ? at - 1n : time),
      this.#majorityTime,
    );
  }

  get majorityTime(): SourceTime {
    return this.#majorityTime;
  }

  advanceMajority(): void {
    if (this.#majorityTime === this.#lastTime) return;
    this.#majorityTime = this.#lastTime;
    this.#growth.resolve();
    this.#growth = Promise.withResolvers();
  }

  /** A new primary. What no majority had is undone, in its logs and its records. */
  stepDown(): void {
    const kept = this.#majorityTime;
    for (const log of this.logs) log.rollBack(kept);
    this.#catalog = this.#catalog.filter(({ time }) => time <= kept);
    for (const records of this.#versions.values()) {
      for (const [key, versions] of records) {
        records.set(
          key,
          versions.filter(({ decided }) => decided <= kept),
        );
      }
    }
    this.#term++;
    for (const log of this.logs) {
      for (const transaction of log.undecided()) this.append(log, { kind: 'abort', transaction });
    }
    this.#transactions.clear();
    this.#decisions = [];
    this.noop();
  }

  /** An entry in every log; the time of the last. */
  noop(): SourceTime {
    for (const log of this.logs) this.append(log, { kind: 'noop' });
    return this.#lastTime;
  }

  /** An entry that only a later connector knows; `written` names a dataset and tells what it does there. */
  frobnicate(namespace?: string, written: readonly DataRecord[] = []): void {
    const dataset = namespace === undefined ? undefined : this.#named(namespace).dataset;
    const operations = written.map(({ key, value }): Operation => {
      assert(dataset, 'what is written lies in a dataset');
      return { dataset, key, kind: changeKinds.put, value };
    });
    const named = { name: 'frobnicate', ...(dataset && { dataset }) };
    const body: EntryBody = { kind: 'unknown', ...named, operations };
    const time = this.append(this.logs[0] as MemoryLog, body);
    for (const one of operations) {
      this.apply(one.dataset, one.key, { time, decided: time, value: one.value });
    }
  }

  truncateLogs(before: SourceTime): void {
    for (const log of this.logs) log.truncate(before);
  }

  /** From now on no read looks further back than now. */
  forgetHistory(): void {
    this.#oldestReadable = this.#lastTime;
  }

  maybeFail(what: string): void {
    if (this.faults && this.faults.random.below(this.faults.oneIn) === 0) {
      throw new CodrError('source-unreachable', `memory:${this.id} failed on purpose: ${what}`);
    }
  }

  /** Resolves when more of the logs has become safe to read. */
  changed(): Promise<void> {
    return this.#growth.promise;
  }

  streamOf(key: Uint8Array): number {
    return key.reduce((sum, byte) => sum + byte, 0) % this.logs.length;
  }

  // ---- for transactions ----

  /** Appends an entry at the next time and returns that time. */
  append(log: MemoryLog, body: EntryBody | ((time: SourceTime) => EntryBody)): SourceTime {
    const second = BigInt(this.wallSeconds) << 32n;
    this.#lastTime = this.#lastTime >= second ? this.#lastTime + 1n : second + 1n;
    const position = { time: this.#lastTime, term: this.#term };
    log.append({ position, body: typeof body === 'function' ? body(this.#lastTime) : body });
    if (!this.#manual) this.advanceMajority();
    return this.#lastTime;
  }

  /** Makes a decided effect readable. */
  apply(dataset: DatasetId, key: Uint8Array, version: Version): void {
    const records = this.#versions.get(dataset) as Map<string, Version[]>;
    const hex = toHex(key);
    records.set(hex, [...(records.get(hex) ?? []), version]);
  }

  /** `decided`: time of the commit; absent when it was aborted. */
  end(transaction: MemoryTransaction, decided?: SourceTime): void {
    const { preparedAt, number } = transaction;
    if (preparedAt !== undefined && decided !== undefined) {
      const undoable = this.#decisions.filter((one) => one.decided > this.#majorityTime);
      this.#decisions = [...undoable, { preparedAt, decided }];
    }
    this.#transactions.delete(number);
  }

  datasetOf(namespace: string): DatasetId {
    return this.#named(namespace).dataset;
  }

  /** `patched`: the value after a patch, which the log does not carry. */
  #write(log: MemoryLog, operations: readonly Operation[], patched?: Uint8Array): void {
    for (const { dataset, key, kind } of operations) this.#refuseConflict(dataset, key, kind);
    const time = this.append(log, { kind: 'write', operations });
    for (const { dataset, key, kind, value } of operations) {
      if (kind === changeKinds.clear) {
        const gone = { time, decided: time, value: undefined };
        for (const record of this.stateAt(dataset, time)) this.apply(dataset, record.key, gone);
      } else {
        const now = kind === changeKinds.put ? value : patched;
        this.apply(dataset, key, { time, decided: time, value: now });
      }
    }
  }

  #refuseConflict(dataset: DatasetId, key: Uint8Array, kind: number): void {
    for (const transaction of this.#transactions.values()) {
      const held =
        kind === changeKinds.clear ? transaction.touches(dataset) : transaction.holds(dataset, key);
      if (held) throw new Error('write conflict with an open transaction');
    }
  }

  #define(changes: readonly { kind: CatalogOperation['kind']; definition: Definition }[]): void {
    const names = new Map(this.#catalog.at(-1)?.names);
    const operations = changes.map(({ kind, definition }): CatalogOperation => {
      if (kind === 'drop') names.delete(definition.dataset);
      else names.set(definition.dataset, definition);
      return { kind, dataset: definition.dataset, body: definitionBytes(definition) };
    });
    const time = this.append(this.logs[0] as MemoryLog, { kind: 'catalog', operations });
    this.#catalog.push({ time, names });
  }

  #named(namespace: string): Definition {
    const definition = this.definition(namespace);
    if (!definition) throw new Error(`${namespace} does not exist`);
    return definition;
  }
}

/** The databases that URIs can name: `memory:NAME`. */
export class MemoryDatabases {
  readonly #databases = new Map<string, MemoryDatabase>();

  add(database: MemoryDatabase): MemoryDatabase {
    this.#databases.set(database.id, database);
    return database;
  }

  get(name: string): MemoryDatabase | undefined {
    return this.#databases.get(name);
  }
}

/** Native bytes of a definition: JSON of name, role and indexes. */
export function definitionBytes({
  namespace,
  role,
  indexes,
}: Omit<Definition, 'dataset'>): Uint8Array {
  return Buffer.from(JSON.stringify({ namespace, role, indexes }));
}
