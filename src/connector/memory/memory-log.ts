// One ordered log of the memory database: entries with positions, a start that truncation moves forward,
// and an end that a rollback moves back.
import type { ChangeKind } from '../../model/change.ts';
import type { DatasetId, StreamId } from '../../model/id.ts';
import { comparePositions, type Position, type SourceTime } from '../../model/time.ts';

export interface Operation {
  readonly dataset: DatasetId;
  readonly key: Uint8Array;
  readonly kind: ChangeKind;
  readonly value: Uint8Array;
}

export interface CatalogOperation {
  readonly kind: 'create' | 'rename' | 'drop' | 'index';
  readonly dataset: DatasetId;
  readonly body: Uint8Array;
}

/** `part` and what follows it belong to a transaction, which takes effect at the `time` of its commit. */
export type EntryBody =
  | { readonly kind: 'noop' }
  | { readonly kind: 'write'; readonly operations: readonly Operation[] }
  | { readonly kind: 'catalog'; readonly operations: readonly CatalogOperation[] }
  | {
      readonly kind: 'part';
      readonly transaction: number;
      readonly operations: readonly Operation[];
    }
  | { readonly kind: 'prepare'; readonly transaction: number }
  | { readonly kind: 'commit'; readonly transaction: number; readonly time: SourceTime }
  | { readonly kind: 'abort'; readonly transaction: number }
  /** `operations`: what it means to a connector that knows it. */
  | {
      readonly kind: 'unknown';
      readonly name: string;
      readonly dataset?: DatasetId;
      readonly operations: readonly Operation[];
    };

export interface LogEntry {
  readonly position: Position;
  readonly body: EntryBody;
}

export class MemoryLog {
  readonly stream: StreamId;
  #entries: LogEntry[] = [];
  /** Number of the first entry that is still held; entries are numbered from 0. */
  #first = 0;

  constructor(stream: StreamId) {
    this.stream = stream;
  }

  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#first + this.#entries.length;
  }

  get oldest(): LogEntry {
    return this.#entries[0] as LogEntry;
  }

  get newest(): LogEntry {
    return this.#entries.at(-1) as LogEntry;
  }

  append(entry: LogEntry): void {
    this.#entries.push(entry);
  }

  /** The entry of that number; undefined before the start and after the end. */
  at(number: number): LogEntry | undefined {
    return this.#entries[number - this.#first];
  }

  /** Number of the entry at exactly this position. */
  find(position: Position): number | undefined {
    const at = this.#entries.findIndex((entry) => comparePositions(entry.position, position) === 0);
    return at < 0 ? undefined : this.#first + at;
  }

  /** Forgets entries before `time`, never the newest one. */
  truncate(time: SourceTime): void {
    const kept = this.#entries.findIndex((entry) => entry.position.time >= time);
    const count = kept < 0 ? this.#entries.length - 1 : kept;
    this.#entries = this.#entries.slice(count);
    this.#first += count;
  }

  /** Removes what is later than `time`. */
  rollBack(time: SourceTime): void {
    this.#entries = this.#entries.filter((entry) => entry.position.time <= time);
  }

  /** Transactions that have an entry here but no decision. */
  undecided(): Iterable<number> {
    return this.openUntil(this.newest.position.time).keys();
  }

  /** Transactions without a decision at or before `time`, with the place of their first entry. */
  openUntil(time: SourceTime): Map<number, Position> {
    const open = new Map<number, Position>();
    for (const { position, body } of this.#entries) {
      if (position.time > time || !('transaction' in body)) continue;
      if (body.kind === 'commit' || body.kind === 'abort') open.delete(body.transaction);
      else if (!open.has(body.transaction)) open.set(body.transaction, position);
    }
    return open;
  }

  /** The last entry at or before `time`; the oldest when there is none. */
  lastUntil(time: SourceTime): LogEntry {
    return this.#entries.findLast((entry) => entry.position.time <= time) ?? this.oldest;
  }
}
