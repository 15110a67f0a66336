// Bytes of Cassandra's records as the repository holds them: kinds, flags and limits. The layout itself is in
// docs/format/cassandra-records.md, field by field. Everything is big-endian, `vint` is unsigned LEB128.
// record-key.ts takes keys apart, row-reader.ts and row-builder.ts read and write rows.

/** The byte after the partition key. Ascending as Cassandra orders a partition. */
export const keyKinds = {
  partitionKey: 0x18,
  partitionDeletion: 0x20,
  static: 0x28,
  clustering: 0x40,
} as const;

/** How a clustering ends: a row, or a marker before or after all that begins with its prefix. */
export const clusteringEnds = { before: 0x20, row: 0x38, after: 0x60 } as const;

/** First byte of a row's value. */
export const rowFlags = {
  timestamp: 0x01,
  /** ttl and expiry follow the timestamp. */
  expiring: 0x02,
  deletion: 0x04,
  /** The clustering's values as they were, for types whose comparable form loses some of it. */
  originals: 0x08,
} as const;

/** First byte of a marker's value. */
export const markerFlags = { opens: 0x01, originals: 0x08 } as const;

/** First byte of a cell. */
export const cellFlags = {
  tombstone: 0x01,
  expiring: 0x02,
  /** No value follows: it has no bytes. Always set for tombstones. */
  empty: 0x04,
  /** Set exactly when the row has a timestamp and the cell has the same. */
  rowTimestamp: 0x08,
  /** Set exactly when cell and row are expiring with the same ttl and expiry. */
  rowExpiry: 0x10,
  /** The value is a counter context: cells merge by shard. */
  counter: 0x20,
  /** The path's original follows it. */
  pathOriginal: 0x80,
} as const;

/** First byte of a complex column in place of a cell's. */
export const complexFlags = { complex: 0x40, deletion: 0x01 } as const;

/** A deletion in bytes: marked for delete at (i64), local deletion time (u32). */
export const deletionBytes = 12;
/** Escaped partition keys are bounded: one of 568 bytes or more is cut, a hash follows. */
export const partitionKeyBytesMax = 600;
export const longPartitionKeyPrefixBytes = 568;
