// How long values of a type are where Cassandra writes no length (`valueLengthIfFixed()` of db/marshal).
import type { CassandraType, ScalarName } from './cassandra-type.ts';

/** Values that a vint length precedes. */
export const hasLengthPrefix = -1;

/** Others have a length prefix though their values are all of one length: tinyint, date, time. */
const fixedLengths: Partial<Readonly<Record<ScalarName, number>>> = {
  boolean: 1,
  int: 4,
  float: 4,
  bigint: 8,
  double: 8,
  timestamp: 8,
  uuid: 16,
  timeuuid: 16,
  empty: 0,
};

/**
 * Bytes of every value of the type in rows and clusterings, or -1 ({@link hasLengthPrefix}).
 * Cells of complex columns have a length prefix whatever this says.
 */
export function fixedValueLength(type: CassandraType): number {
  switch (type.kind) {
    case 'scalar':
      return fixedLengths[type.name] ?? hasLengthPrefix;
    case 'reversed':
      return fixedValueLength(type.type);
    case 'vector': {
      const element = fixedValueLength(type.element);
      return element < 0 ? hasLengthPrefix : element * type.dimension;
    }
    default:
      return hasLengthPrefix;
  }
}
