// What a table is at one moment, as far as reading, merging and writing its rows need to know.
import type { CassandraType } from '../type/cassandra-type.ts';

export interface Column {
  readonly name: string;
  /** `reversed` for a DESC clustering column. */
  readonly type: CassandraType;
}

export interface DroppedColumn extends Column {
  readonly isStatic: boolean;
  /** Cells written at or before this, µs since 1970, are gone. Decimal text: it is a 64-bit number. */
  readonly droppedMicros: string;
}

/** JSON-safe: it travels in the catalog's bodies. */
export interface TableSchema {
  readonly keyspace: string;
  readonly table: string;
  /** UUID with dashes. */
  readonly id: string;
  readonly partitionKey: readonly Column[];
  readonly clustering: readonly Column[];
  readonly statics: readonly Column[];
  readonly regulars: readonly Column[];
  readonly dropped: readonly DroppedColumn[];
  readonly isCounter: boolean;
  /** Column names of `system_schema.tables.flags`: `compound`, `dense`, `counter`, `super`. */
  readonly flags: readonly string[];
  readonly gcGraceSeconds: number;
  readonly defaultTtlSeconds: number;
  /** Class without its package, and options. */
  readonly compaction: Readonly<Record<string, string>>;
  readonly compression: Readonly<Record<string, string>>;
}
