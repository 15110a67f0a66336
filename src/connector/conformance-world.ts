// What a kind of database must offer so that the connector conformance suite can drive it: writes, and
// what the database itself says it held. Small and neutral, so that every kind can have one.
import type { SourceTime } from '../model/time.ts';
import type { Connector, ConnectorContext, SourceConfig } from './connector.ts';

/** One write to the record of that number: make or replace it, change part of it, or remove it. */
export interface WorldWrite {
  readonly kind: 'put' | 'change' | 'delete';
  readonly record: number;
  /** Decides the content; equal seeds may give equal bytes. */
  readonly seed: number;
}

export interface WorldTransaction {
  write(namespace: string, writes: readonly WorldWrite[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

/** A database of its own for one test, empty at the start. */
export interface ConformanceWorld extends AsyncDisposable {
  readonly connector: Connector;
  readonly context: ConnectorContext;
  readonly source: SourceConfig;
  /** Another, empty database. */
  readonly target: SourceConfig;
  create(namespace: string): Promise<void>;
  /** Replaces what has the name `to`. */
  rename(from: string, to: string): Promise<void>;
  drop(namespace: string): Promise<void>;
  write(namespace: string, writes: readonly WorldWrite[]): Promise<void>;
  begin(): Promise<WorldTransaction>;
  /** Native values of all records at that time, in any order; undefined when there was no such dataset. */
  stateAt(namespace: string, at: SourceTime): Promise<Uint8Array[] | undefined>;
  /** Native values that the target holds now. */
  targetState(namespace: string): Promise<Uint8Array[] | undefined>;
  /** Makes the log forget what it can; false when this world cannot. */
  truncateLog(): Promise<boolean>;
}
