// Leaves and nodes are cut, written and joined by the same code; this is what differs between them.
// Level 0 are records in leaves, level n ≥ 1 are entries in nodes of level n.

import type { CutHashing, Keyed } from '../leaf/cut-hashing.ts';
import {
  encodeLeafInto,
  type LeafRecord,
  recordCutLength,
  valueLength,
} from '../leaf/leaf-codec.ts';
import type { BlobKind, LeafSink } from '../leaf/leaf-store.ts';
import type { CutParameters } from './cut-parameters.ts';
import { encodeNodeInto, entryCutLength, type NodeEntry } from './node-codec.ts';

/** What building and joining trees needs from outside. */
export interface TreeContext {
  readonly sink: LeafSink;
  readonly hashing: CutHashing;
  readonly cut: CutParameters;
  /** Calls of `sink.put` a level may have open at a time; default 4, each of about 256 KiB. */
  readonly putsInFlightMax?: number;
  readonly signal?: AbortSignal;
}

/** How the items of one level are measured and written. */
export interface TreeLevel<I extends Keyed> {
  readonly level: number;
  readonly kind: BlobKind;
  cutLength(item: I): number;
  /** Records that the item stands for. */
  recordsOf(item: I): number;
  /** Raw key and value bytes that the item stands for. */
  bytesOf(item: I): number;
  /** Writes `items[from..to)` at `at` of `target`; returns the offset after them. */
  encode(target: Buffer, at: number, items: readonly I[], from: number, to: number): number;
  /** The item in memory of its own, so that it keeps no larger buffer alive. */
  owned(item: I): I;
}

export const leafLevel: TreeLevel<LeafRecord> = {
  level: 0,
  kind: 'leaf',
  cutLength: recordCutLength,
  recordsOf: () => 1,
  bytesOf: (record) => record.key.length + valueLength(record),
  encode: encodeLeafInto,
  owned: (record) => ({
    key: Buffer.from(record.key),
    value: Buffer.from(record.value),
    externalBytes: record.externalBytes,
  }),
};

export function nodeLevel(level: number): TreeLevel<NodeEntry> {
  return {
    level,
    kind: 'node',
    cutLength: entryCutLength,
    recordsOf: (entry) => entry.records,
    bytesOf: (entry) => entry.bytes,
    encode: (target, at, items, from, to) => encodeNodeInto(target, at, level, items, from, to),
    // Entries are made with memory of their own.
    owned: (entry) => entry,
  };
}
