// When each node last truncated a table: TRUNCATE leaves no tombstone, only a record in `system.local`. It
// says up to which commit-log position, and when by the node's clock. Verified on 5.0.9: i64 segment,
// i32 position, i64 ms since 1970, big-endian.
import { CodrError } from '../../../base/error.ts';
import type { LogPosition } from './commit-log-intervals.ts';
import type { CqlSession } from './cql.ts';
import type { RingNode } from './replica-placement.ts';

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
  /** The schema that the node itself has. */
  readonly schemaVersion: string;
  readonly truncations: TruncationMap;
}

/** Asks the node alone. Errors: `source-unreachable`; `source-unfit` where another one answers at its address. */
export async function readNodeMarks(
  cql: CqlSession,
  { hostId, nativeAddress: host }: Pick<RingNode, 'hostId' | 'nativeAddress'>,
  signal: AbortSignal,
): Promise<NodeMarks> {
  const query = 'SELECT host_id, gossip_generation, schema_version, truncated_at FROM system.local';
  const [row] = await cql.rows(query, { signal, host });
  if (!row || String(row.host_id) !== hostId) {
    const message = `CQL at ${host} is answered by host ${row?.host_id}, not by ${hostId}`;
    throw new CodrError('source-unfit', message, {
      object: host,
      remedy: 'let each node announce an address of its own (rpc_address, broadcast_rpc_address)',
    });
  }
  const truncations = new Map<string, Truncation>();
  for (const [tableId, blob] of Object.entries(row.truncated_at ?? {})) {
    truncations.set(tableId, decodeTruncation(blob as Buffer));
  }
  return {
    hostId,
    runId: String(row.gossip_generation),
    schemaVersion: String(row.schema_version),
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
