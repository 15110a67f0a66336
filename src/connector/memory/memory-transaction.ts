// A transaction of the memory database. Its operations reach the logs as they are made and take effect
// together, at one time in all logs, when it commits. Over several logs it is prepared first.
import { emptyBytes, toHex } from '../../base/bytes.ts';
import { type ChangeKind, changeKinds } from '../../model/change.ts';
import type { DatasetId } from '../../model/id.ts';
import { maxTime, type SourceTime } from '../../model/time.ts';
import type { MemoryDatabase } from './memory-database.ts';
import type { MemoryLog } from './memory-log.ts';
import { encodePatch, type Splice, spliced } from './memory-patch.ts';

interface Held {
  readonly dataset: DatasetId;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export class MemoryTransaction {
  readonly number: number;
  readonly #database: MemoryDatabase;
  readonly #held = new Map<string, Held>();
  readonly #logs = new Set<MemoryLog>();
  /** Earliest and latest prepare. */
  #prepared: { first: SourceTime; last: SourceTime } | undefined;

  constructor(database: MemoryDatabase, number: number) {
    this.#database = database;
    this.number = number;
  }

  /** Earliest prepare while undecided. */
  get preparedAt(): SourceTime | undefined {
    return this.#prepared?.first;
  }

  put(namespace: string, key: Uint8Array, value: Uint8Array): void {
    this.#operate(namespace, key, changeKinds.put, value, value);
  }

  patch(namespace: string, key: Uint8Array, splice: Splice): void {
    const dataset = this.#database.datasetOf(namespace);
    const held = this.#held.get(place(dataset, key));
    const value = spliced(held ? held.value : this.#database.get(dataset, key), splice);
    this.#operate(namespace, key, changeKinds.patch, encodePatch(splice), value);
  }

  delete(namespace: string, key: Uint8Array): void {
    const dataset = this.#database.datasetOf(namespace);
    const held = this.#held.get(place(dataset, key));
    if ((held ? held.value : this.#database.get(dataset, key)) === undefined) return;
    this.#operate(namespace, key, changeKinds.delete, emptyBytes, undefined);
  }

  /** From now on the commit may take effect at any later time; reads wait before it. */
  prepare(): void {
    for (const log of this.#logs) {
      const at = this.#database.append(log, { kind: 'prepare', transaction: this.number });
      this.#prepared = { first: this.#prepared?.first ?? at, last: at };
    }
  }

  /** Commits at the latest prepare, or at the time of the commit entry when not prepared. */
  commit(): void {
    if (this.#logs.size > 1 && !this.#prepared) this.prepare();
    const prepared = this.#prepared?.last;
    let decided: SourceTime = 0n;
    for (const log of this.#logs) {
      const at = this.#database.append(log, (now) => ({
        kind: 'commit',
        transaction: this.number,
        time: prepared ?? now,
      }));
      decided = maxTime(decided, at);
    }
    for (const { dataset, key, value } of this.#held.values()) {
      this.#database.apply(dataset, key, { time: prepared ?? decided, decided, value });
    }
    this.#database.end(this, decided);
  }

  abort(): void {
    for (const log of this.#logs)
      this.#database.append(log, { kind: 'abort', transaction: this.number });
    this.#database.end(this);
  }

  holds(dataset: DatasetId, key: Uint8Array): boolean {
    return this.#held.has(place(dataset, key));
  }

  touches(dataset: DatasetId): boolean {
    return [...this.#held.values()].some((held) => held.dataset === dataset);
  }

  #operate(
    namespace: string,
    key: Uint8Array,
    kind: ChangeKind,
    logged: Uint8Array,
    value: Uint8Array | undefined,
  ): void {
    const dataset = this.#database.datasetOf(namespace);
    const log = this.#database.logs[this.#database.streamOf(key)] as MemoryLog;
    this.#held.set(place(dataset, key), { dataset, key, value });
    this.#logs.add(log);
    const operations = [{ dataset, key, kind, value: logged }];
    this.#database.append(log, { kind: 'part', transaction: this.number, operations });
  }
}

function place(dataset: DatasetId, key: Uint8Array): string {
  return `${dataset}/${toHex(key)}`;
}
