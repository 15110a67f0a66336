// When each node last truncated a table: TRUNCATE leaves no tombstone, only a record in `system.local`. It
// says up to which commit-log position, and when by the node's clock. Verified on 5.0.9: i64 segment,
// i32 position, i64 ms since 1970, big-endian.
import { CodrError } from '../../../base/error.ts';
import type { LogPosition } from './commit-log-intervals.ts';
import type { CqlSession } from './cql.ts';

export interface Truncation extends LogPosition {
  /** ms since 1970, by the node's clock. */
  readonly atMs: number;
}

/** By table id. */
export type TruncationMap = ReadonlyMap<string, Truncation>;

export interface NodeMarks {
  readonly hostId: string;
  /** Grows at each start of the server; restarts change it, whatever the control can tell. */
  readonly runId: string;
  readonly truncations: TruncationMap;
}

/** Asks the node alone. Errors: `source-unreachable`. */
export async function readNodeMarks(
  cql: CqlSession,
  address: string,
  signal: AbortSignal,
): Promise<NodeMarks> {
  const query = 'SELECT host_id, gossip_generation, truncated_at FROM system.local';
  const [row] = await cql.rows(query, { signal, host: address });
  const truncations = new Map<string, Truncation>();
  for (const [tableId, blob] of Object.entries(row?.truncated_at ?? {})) {
    truncations.set(tableId, decodeTruncation(blob as Buffer));
  }
  return {
    hostId: String(row?.host_id),
    runId: String(row?.gossip_generation),
    truncations,
  };
}

export function decodeTruncation(blob: Uint8Array): Truncation {
  if (blob.length !== 20) {
    const message = `a truncation record has ${blob.length} bytes, not 20`;
    throw new CodrError('source-unfit', message, { object: 'system.local.truncated_at' });
  }
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  return {
    segment: Number(view.getBigInt64(0)),
    position: view.getInt32(8),
    atMs: Number(view.getBigInt64(12)),
  };
}
