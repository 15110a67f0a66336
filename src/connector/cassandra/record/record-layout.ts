// Bytes of Cassandra's records as the repository holds them. The page is docs/format/cassandra-records.md;
// everything here is big-endian, `vint` is unsigned LEB128 as in base/bytes.ts.
//
//   key   := token 8 B, sign bit flipped ‖ partition key, escaped ‖ kind 1 B ‖ [clustering]
//   clustering of a row := (component)* ‖ 0x38      of a marker := (component)* ‖ 0x20 | 0x60
//   component := 0x40 value | 0x3f empty | 0x3e null   (DESC: value inverted, 0x41 empty, 0x42 null)
//
// A partition key is escaped as OSS50 does with blobs: a run of zero bytes is 00, then FE for each further
// zero, then FF, which is left out where the key ends. One of more than 600 escaped bytes is cut to 568 and
// followed by its SHA-256, and a record of kind `partitionKey` carries it.
//
// Value, by kind of key:
//   partitionKey       the partition key, raw
//   partitionDeletion  marked for delete at 8 ‖ local deletion time 4
//   static, row        flags ‖ [originals] ‖ [timestamp 8] ‖ [ttl 4, expiry 4] ‖ [deletion 12] ‖ column*
//   marker             flags (opens, originals) ‖ [originals] ‖ [deletion 12]
//   originals          per component of the clustering: vint 0 null, else length + 1, then the bytes
//   column             vint, name ‖ a cell, or: flags 0x40 | 0x41 ‖ [deletion 12] ‖ vint count ‖ cell*
//   cell               flags ‖ [timestamp 8] ‖ [expiry 4] ‖ [ttl 4] ‖ [path: vint, bytes ‖ [vint, original]]
//                      ‖ [value: vint, bytes]
//
// A marker says which range deletion holds from its position on: the bytes are a step function, the same for
// the same deletions however files cut them. Consecutive markers of a partition never say the same.
// Timestamps are signed 64-bit µs; local deletion times, expiry and ttl unsigned 32-bit s.
// Columns ascend by name (unsigned bytes), a simple one before a complex one of the same name; cells of a
// complex column ascend by path, which is in byte-comparable form.

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
/** Escaped partition keys are bounded. */
export const partitionKeyBytesMax = 600;
export const longPartitionKeyPrefixBytes = 568;
