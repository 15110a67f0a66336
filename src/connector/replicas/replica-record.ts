// Records of the replicas database: rows with timestamps, and deletions of rows, ranges and partitions. Keys
// compare as the database orders: by token, partition, and within it the partition's deletion, then rows and
// the bounds of range deletions. A marker says which range deletion holds from its place on.
import { createHash } from 'node:crypto';
import { assert } from '../../base/assert.ts';
import { compareBytes, view } from '../../base/bytes.ts';
import type { DataRecord } from '../../model/record.ts';

/** Everything below it that is not younger is gone. Younger wins; of equal ones the later written. */
export interface Deletion {
  /** µs, as the client gave it. */
  readonly timestamp: number;
  /** When it was written, seconds since 1970. */
  readonly seconds: number;
}

/** What stands at one place of a partition. */
export type Content =
  | { readonly kind: 'partition'; readonly deletion: Deletion }
  | { readonly kind: 'marker'; readonly deletion?: Deletion }
  | { readonly kind: 'row'; readonly row: Row };

export type Row =
  | ({ readonly alive: false } & Deletion)
  | {
      readonly alive: true;
      readonly timestamp: number;
      /** Seconds since 1970; absent: it never expires. */
      readonly expiry?: number;
      readonly text: string;
    };

/** Tokens of the ring are below it. */
export const tokenCount = 0x1_0000;
const tokenBytes = 2;
const kinds = { partition: 0x20, clustered: 0x40 } as const;
const places = { marker: 1, row: 2 } as const;
const rows = { tombstone: 1, plain: 2, expiring: 3 } as const;

/** Where a partition lies on the ring. */
export function tokenOf(partition: string): number {
  return createHash('sha256').update(partition).digest().readUInt16BE(0);
}

export function tokenOfKey(key: Uint8Array): number {
  return view(key).readUInt16BE(0);
}

/** First key of a token. */
export function tokenKey(token: number): Uint8Array {
  const key = Buffer.alloc(tokenBytes);
  key.writeUInt16BE(token);
  return key;
}

/** Of the partition itself, before all that is in it. */
export function partitionKey(partition: string): Uint8Array {
  assert(!partition.includes('\0'), 'names hold no zero');
  const name = Buffer.from(`${partition}\0`);
  return Buffer.concat([tokenKey(tokenOf(partition)), name]);
}

export function deletionKey(partition: string): Uint8Array {
  return Buffer.concat([partitionKey(partition), Buffer.of(kinds.partition)]);
}

/** Of a row, or of the marker that stands right before it. */
export function placeKey(partition: string, place: keyof typeof places, row: string): Uint8Array {
  assert(!row.includes('\0'), 'names hold no zero');
  const [kind, name] = [Buffer.of(kinds.clustered), Buffer.from(`${row}\0`)];
  return Buffer.concat([partitionKey(partition), kind, name, Buffer.of(places[place])]);
}

/** The partition's first key: its deletion, and markers of it, bear upon all behind. */
export function leadInOf(key: Uint8Array): Uint8Array {
  const end = key.indexOf(0, tokenBytes);
  return end < 0 ? key : key.subarray(0, end + 1);
}

/** Names in a key of a row: for people. */
export function namesOf(key: Uint8Array): { readonly partition: string; readonly row: string } {
  const start = leadInOf(key).length;
  const text = (from: number, to: number): string => view(key).subarray(from, to).toString();
  return { partition: text(tokenBytes, start - 1), row: text(start + 1, key.length - 2) };
}

/** Value: `partition`: a deletion; `marker`: one or nothing; `row`: its kind, timestamp and the rest. */
export function encodeContent(content: Content): Uint8Array {
  if (content.kind === 'partition') return encodeDeletion(content.deletion);
  if (content.kind === 'marker')
    return content.deletion ? encodeDeletion(content.deletion) : Buffer.alloc(0);
  const { row } = content;
  if (!row.alive) return Buffer.concat([Buffer.of(rows.tombstone), encodeDeletion(row)]);
  const head = Buffer.alloc(row.expiry === undefined ? 9 : 13);
  head[0] = row.expiry === undefined ? rows.plain : rows.expiring;
  head.writeBigInt64BE(BigInt(row.timestamp), 1);
  if (row.expiry !== undefined) head.writeUInt32BE(row.expiry, 9);
  return Buffer.concat([head, Buffer.from(row.text)]);
}

export function contentOf({ key, value }: DataRecord): Content {
  const kind = key[leadInOf(key).length];
  if (kind === kinds.partition) return { kind: 'partition', deletion: decodeDeletion(value) };
  assert(kind === kinds.clustered, 'a key has a known kind');
  if (key[key.length - 1] === places.marker) {
    return { kind: 'marker', ...(value.length > 0 && { deletion: decodeDeletion(value) }) };
  }
  return { kind: 'row', row: decodeRow(view(value)) };
}

/** Positive when `a` wins over `b`: a total order, so that a merge depends on no other one. */
export function compareRows(a: Row, b: Row): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp;
  if (a.alive !== b.alive) return a.alive ? -1 : 1;
  if (!a.alive || !b.alive) return compareBytes(encodeRow(a), encodeRow(b));
  if (a.expiry !== b.expiry) return (a.expiry ?? -1) - (b.expiry ?? -1);
  return compareBytes(Buffer.from(a.text), Buffer.from(b.text));
}

/** The stronger of two. */
export function strongest(a: Deletion | undefined, b: Deletion | undefined): Deletion | undefined {
  if (!a || !b) return a ?? b;
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp ? a : b;
  return a.seconds >= b.seconds ? a : b;
}

/** Whether two say the same. */
export function isSame(a: Deletion | undefined, b: Deletion | undefined): boolean {
  return a?.timestamp === b?.timestamp && a?.seconds === b?.seconds;
}

function encodeRow(row: Row): Uint8Array {
  return encodeContent({ kind: 'row', row });
}

function encodeDeletion({ timestamp, seconds }: Deletion): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeBigInt64BE(BigInt(timestamp));
  bytes.writeUInt32BE(seconds, 8);
  return bytes;
}

function decodeDeletion(value: Uint8Array): Deletion {
  const bytes = view(value);
  return { timestamp: Number(bytes.readBigInt64BE(0)), seconds: bytes.readUInt32BE(8) };
}

function decodeRow(value: Buffer): Row {
  if (value[0] === rows.tombstone) return { alive: false, ...decodeDeletion(value.subarray(1)) };
  const isExpiring = value[0] === rows.expiring;
  const timestamp = Number(value.readBigInt64BE(1));
  const text = value.subarray(isExpiring ? 13 : 9).toString();
  return { alive: true, timestamp, ...(isExpiring && { expiry: value.readUInt32BE(9) }), text };
}
