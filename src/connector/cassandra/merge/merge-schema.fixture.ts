// The table of the records that merge-fixture.ts makes, for the forms that ask a schema.
import type { TableSchema } from '../schema/table-schema.ts';

export const int = { kind: 'scalar', name: 'int' } as const;
/** The static and the regular ones. */
export const columns = ['a', 'b', 'm'].map((name) => ({ name, type: int }));
export const schema: TableSchema = {
  keyspace: 'shop',
  table: 'orders',
  id: '5bc52802-de25-35ed-aeab-188eecebb090',
  partitionKey: [{ name: 'k', type: int }],
  clustering: ['c', 'd'].map((name) => ({ name, type: int })),
  statics: columns,
  regulars: columns,
  dropped: [],
  isCounter: false,
  flags: ['compound'],
  gcGraceSeconds: 0,
  defaultTtlSeconds: 0,
  compaction: {},
  compression: {},
};
