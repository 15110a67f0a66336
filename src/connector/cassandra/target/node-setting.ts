// A setting of one node, as it tells it by CQL.
import { isCodrError } from '../../../base/error.ts';
import type { CqlSession } from '../session/cql.ts';

/** Undefined where the version has none of the name, the node does not answer, or this user may not see settings. */
export async function nodeSetting(
  cql: Pick<CqlSession, 'rows'>,
  host: string,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const query = 'SELECT value FROM system_views.settings WHERE name = ?';
  try {
    const [row] = await cql.rows(query, { signal, host, params: [name] });
    return row && String(row.value);
  } catch (error) {
    if (!isCodrError(error)) throw error;
    return undefined;
  }
}
