// Since when keyspaces write the commit log. Spans of files prove what was captured only where they do: what passes the
// log by leaves an empty span, which compaction may lose in its neighbours. A keyspace that did not for a while, and
// does again, shows it by when it was told.
import type { SchemaQuery } from '../schema/read-schema.ts';

/** By keyspace, when it was told last, in µs by a server's clock; absent: it does not. */
export async function durableKeyspaces(ask: SchemaQuery): Promise<Map<string, number>> {
  const query =
    'SELECT keyspace_name, durable_writes, writetime(durable_writes) AS told_at FROM system_schema.keyspaces';
  const rows = await ask(query);
  return new Map(
    rows
      .filter(({ durable_writes }) => durable_writes === true)
      .map(({ keyspace_name, told_at }) => [String(keyspace_name), Number(String(told_at))]),
  );
}
