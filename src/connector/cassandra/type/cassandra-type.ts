// Cassandra's types as a tree. `marshal-name.ts` and `cql-name.ts` beside this file read and write their names.

/** Types without parameters, by their CQL names; `empty` is EmptyType of old compact tables. */
export type ScalarName =
  | 'ascii'
  | 'bigint'
  | 'blob'
  | 'boolean'
  | 'counter'
  | 'date'
  | 'decimal'
  | 'double'
  | 'duration'
  | 'empty'
  | 'float'
  | 'inet'
  | 'int'
  | 'smallint'
  | 'text'
  | 'time'
  | 'timestamp'
  | 'timeuuid'
  | 'tinyint'
  | 'uuid'
  | 'varint';

/** `frozen` is said of every collection and user type: outer ones that are multi-cell say false. */
export type CassandraType =
  | { readonly kind: 'scalar'; readonly name: ScalarName }
  | { readonly kind: 'list' | 'set'; readonly element: CassandraType; readonly frozen: boolean }
  | {
      readonly kind: 'map';
      readonly key: CassandraType;
      readonly value: CassandraType;
      readonly frozen: boolean;
    }
  | { readonly kind: 'tuple'; readonly fields: readonly CassandraType[] }
  | {
      readonly kind: 'udt';
      readonly keyspace: string;
      readonly name: string;
      readonly fields: readonly { readonly name: string; readonly type: CassandraType }[];
      readonly frozen: boolean;
    }
  | { readonly kind: 'vector'; readonly element: CassandraType; readonly dimension: number }
  /** DESC clustering. */
  | { readonly kind: 'reversed'; readonly type: CassandraType }
  /** The key of several partition columns. */
  | { readonly kind: 'composite'; readonly components: readonly CassandraType[] };

/** More than one cell: an unfrozen collection or user type. */
export function isComplex(type: CassandraType): boolean {
  return 'frozen' in type && !type.frozen;
}
