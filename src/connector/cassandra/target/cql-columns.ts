// How CQL sets each column: a value for what is one cell, elements added to sets, maps and lists, fields of user
// types one by one. Says where in a statement's values each of them stands.
import { type ComparableCodec, comparableCodec } from '../key/comparable.ts';
import { quoted } from '../schema/read-schema.ts';
import type { Column } from '../schema/table-schema.ts';
import { isComplex } from '../type/cassandra-type.ts';

export interface TargetColumn {
  readonly name: string;
  readonly bytes: Buffer;
  readonly kind: 'simple' | 'set' | 'map' | 'list' | 'udt';
  /** Among the values of UPDATE; of a user type its first field's. None for lists. */
  readonly place: number;
  /** Among the single-cell columns of INSERT. */
  readonly insertPlace: number;
  /** Of elements and keys. */
  readonly path: ComparableCodec | undefined;
}

export interface TargetColumns {
  readonly columns: readonly TargetColumn[];
  /** Names of single-cell columns. */
  readonly simple: readonly string[];
  /** What UPDATE sets, in the order of its values; lists are set by statements of their own. */
  readonly places: readonly string[];
}

export function targetColumns(all: readonly Column[]): TargetColumns {
  const columns: TargetColumn[] = [];
  const simple: string[] = [];
  const places: string[] = [];
  for (const { name, type } of all) {
    const column = { name, bytes: Buffer.from(name), path: undefined };
    const at = { place: places.length, insertPlace: simple.length };
    if (!isComplex(type)) {
      columns.push({ ...column, ...at, kind: 'simple' });
      simple.push(name);
      places.push(`${quoted(name)} = ?`);
    } else if (type.kind === 'udt') {
      columns.push({ ...column, ...at, kind: 'udt' });
      places.push(...type.fields.map((field) => `${quoted(name)}.${quoted(field.name)} = ?`));
    } else if (type.kind === 'map' || type.kind === 'set') {
      const path = comparableCodec(type.kind === 'map' ? type.key : type.element);
      columns.push({ ...column, ...at, kind: type.kind, path });
      places.push(keyed(name, '+'));
    } else {
      columns.push({ ...column, ...at, kind: 'list' });
    }
  }
  return { columns, simple, places };
}

/** `c = c + ?` */
export const keyed = (name: string, operator: '+'): string =>
  `${quoted(name)} = ${quoted(name)} ${operator} ?`;
