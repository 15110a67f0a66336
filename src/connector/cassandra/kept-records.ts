// Streams that keep deletions beside what lives, as of one second: those that a table holds for certain then.

import type { BlockStream } from '../../model/record-block.ts';
import type { LiveForm } from '../connector.ts';
import { keptForm } from './merge/kept-form.ts';
import type { TableSchema } from './schema/table-schema.ts';

/** As of when, and which deletions count. */
export interface KeptMoment {
  readonly nowMs: number;
  /** Older deletions are left out. */
  readonly sinceMs: number;
  /** Later seconds are cut to it. */
  readonly secondsMax?: number;
}

/** For streams that are merged and have no dropped columns any more. */
export function keptAt(
  merged: BlockStream,
  { clustering }: Pick<TableSchema, 'clustering'>,
  { nowMs, sinceMs, secondsMax }: KeptMoment,
): BlockStream {
  return keptForm(merged, {
    clusteringCount: clustering.length,
    nowSeconds: Math.floor(nowMs / 1000),
    sinceSeconds: Math.floor(sinceMs / 1000),
    ...(secondsMax !== undefined && { secondsMax }),
  });
}

/** What a live form keeps of deletions: all, or those that are not older than it says. */
export function keptIn(formed: BlockStream, schema: TableSchema, live: LiveForm): BlockStream {
  const { deletions, nowMs, expirySecondsMax } = live;
  const sinceMs = deletions?.sinceMs;
  if (sinceMs === undefined) return formed;
  const capped = expirySecondsMax !== undefined && { secondsMax: expirySecondsMax };
  return keptAt(formed, schema, { nowMs, sinceMs, ...capped });
}
