// What a kind of database without an ordered log must offer so that the conformance suite of cuts can drive it:
// writes, replicas that go and return, and what the database itself says it holds.
import type { CatalogEntry } from '../model/catalog.ts';
import type { DataRecord } from '../model/record.ts';
import type { WorldWrite } from './conformance-world.ts';
import type { Connector, ConnectorContext, SourceConfig } from './connector.ts';

/** A cluster of at least two replicas for each record, all up. Tables of one world have names of their own. */
export interface CutConformanceWorld extends AsyncDisposable {
  readonly connector: Connector;
  readonly context: ConnectorContext;
  readonly source: SourceConfig;
  /** Takes a restore under names that are free; may be the source. */
  readonly target: SourceConfig;
  /** Names of all tables begin so. */
  readonly prefix: string;
  create(namespace: string): Promise<void>;
  drop(namespace: string): Promise<void>;
  truncate(namespace: string): Promise<void>;
  /** Acknowledged by all replicas that are up. `change` replaces the whole record, as `put` does. */
  write(namespace: string, writes: readonly WorldWrite[]): Promise<void>;
  /** One statement that deletes all records from `from` on, before `to`. */
  removeRange(namespace: string, from: number, to: number): Promise<void>;
  /** What a client that asks all replicas sees: `record=seed`, ascending. */
  seen(namespace: string): Promise<string[]>;
  /** The same of the target. */
  seenInTarget(namespace: string): Promise<string[]>;
  /** Folded records of the live form in the same words. */
  textsOf(entry: CatalogEntry, records: readonly DataRecord[]): string[];
  /** Stops one replica, does the work, and starts it again, without any repair or hint. False: cannot. */
  withoutOne(work: () => Promise<void>): Promise<boolean>;
}
