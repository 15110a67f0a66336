// How to decode the columns of a file's header, worked out once: lengths, paths, and the place of
// each column among all by name. Rows in Data.db have simple columns first, records have all
// columns by name.
import { compareBytes } from '../../../base/bytes.ts';
import { type ComparableCodec, comparableCodec } from '../key/comparable.ts';
import { type CassandraType, isComplex } from '../type/cassandra-type.ts';
import { fixedValueLength, hasLengthPrefix } from '../type/value-layout.ts';
import type { HeaderColumn } from './statistics.ts';

export interface ColumnPlan {
  /** The name as it stands in a record: its length, then its bytes. */
  readonly head: Uint8Array;
  readonly complex: boolean;
  readonly counter: boolean;
  /** Bytes of every value, or `hasLengthPrefix`. */
  readonly valueLength: number;
  /**
   * For the paths of complex columns; undefined for those of user types: field indexes,
   * which are as they are.
   */
  readonly path: ComparableCodec | undefined;
  /** The place by name. */
  readonly rank: number;
}

/** In the order of the header. */
export function planColumns(columns: readonly HeaderColumn[]): ColumnPlan[] {
  const byName = [...columns].sort((a, b) => compareBytes(a.nameBytes, b.nameBytes));
  return columns.map((column) => {
    const { type } = column;
    const complex = isComplex(type);
    return {
      head: nameHead(column.nameBytes),
      complex,
      counter: type.kind === 'scalar' && type.name === 'counter',
      valueLength: complex ? hasLengthPrefix : fixedValueLength(type),
      path: complex ? pathCodec(type) : undefined,
      rank: byName.indexOf(column),
    };
  });
}

/** Lists have a timeuuid for each element, sets the element itself, maps the key. */
function pathCodec(type: CassandraType): ComparableCodec | undefined {
  switch (type.kind) {
    case 'list':
      return comparableCodec({ kind: 'scalar', name: 'timeuuid' });
    case 'set':
      return comparableCodec(type.element);
    case 'map':
      return comparableCodec(type.key);
    default:
      return undefined;
  }
}

/** Names have at most 65 535 bytes, so their length has at most three. */
function nameHead(name: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = name.length;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  length.push(rest);
  return Uint8Array.from([...length, ...name]);
}
