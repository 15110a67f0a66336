// The schema that a cut reads by, all of it as one and the same node tells it. Of several that are asked in turn, one that
// is cut off from its fellows would mix in what it still has: a point would lack a table, or a column, that it has not
// heard of. Whether a node that is captured has the same schema, it says itself.
import { CodrError, isCodrError } from '../../../base/error.ts';
import { type KeyspaceSchema, readSchema, type SchemaQuery } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CqlSession } from './cql.ts';
import { durableKeyspaces } from './durable-writes.ts';
import type { PreparedNode } from './node-cut.ts';
import type { Ring } from './ring.ts';
import { readTablesNow, type TableNow } from './table-past.ts';

export interface CutSchema {
  /** Tables in scope alone are read in full. */
  readonly schema: readonly KeyspaceSchema[];
  readonly tables: readonly TableSchema[];
  /** By table id. */
  readonly now: ReadonlyMap<string, TableNow>;
  /** Of `NodeTask`. */
  readonly durableAt: ReadonlyMap<string, number>;
}

/** As the node tells it that told the ring; undefined when it does not answer any more. */
export async function readCutSchema(
  cql: CqlSession,
  { asked }: Pick<Ring, 'asked'>,
  scope: (keyspace: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<CutSchema | undefined> {
  const ask: SchemaQuery = (query) =>
    cql.rows(query, { signal, ...(asked !== undefined && { host: asked }) });
  try {
    const schema = await readSchema(ask, scope);
    const tables = schema.flatMap((keyspace) => keyspace.tables);
    const now = await readTablesNow(ask, schema);
    return { schema, tables, now, durableAt: await durableKeyspaces(ask) };
  } catch (error) {
    if (isCodrError(error, 'source-unreachable')) return undefined;
    throw error;
  }
}

/** By address, why a node is no replica of a cut that is read by the schema of others. */
export function otherSchemas(
  { schemaVersions }: Pick<Ring, 'schemaVersions'>,
  prepared: ReadonlyMap<string, PreparedNode>,
): Map<string, CodrError> {
  const others = [...prepared].filter(([, { marks }]) => marks.schemaVersion !== schemaVersions[0]);
  return new Map(
    others.map(([address, { marks }]) => {
      const message = `${address} has version ${marks.schemaVersion} of the schema, others have ${schemaVersions[0]}`;
      const remedy = 'see nodetool describecluster, and whether the nodes reach each other';
      return [address, new CodrError('source-unreachable', message, { object: address, remedy })];
    }),
  );
}
