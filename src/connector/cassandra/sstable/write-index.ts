// Index.db of version `nb`: per partition its key and position in Data.db, and for wide ones the promoted index,
// an entry per 64 KiB of unfiltereds with the first and last clustering (format/big/RowIndexEntry.java).
//
//   u16 length, key | vint position | vint size | [vint header length | int32 ldt | int64 markedForDeleteAt |
//   vint n | n × entry | n × int32 offset of the entry, from the first entry's start]
//   entry: first | last | vint offset in the partition | signed vint width - 65536 | open? [int32 ldt | int64 at]
//   first, last: kind 4, clustering of a row; or kind, u16 components, clustering of a marker
import { OutBytes, vintLength } from './write-bytes.ts';
import { deletionTimeMax } from './write-tombstones.ts';

/** `column_index_size` of BIG tables. */
const indexBlockBytes = 65_536;
const widthBase = 65_536;
const deletionLength = 12;
/** Of a row's clustering among the kinds of bounds. */
const rowKind = 4;

/** A deletion as kept while it is open: the caller's arrays are not held. */
export interface OpenDeletion {
  open: boolean;
  hi: number;
  lo: number;
  time: number;
}

export class IndexWriter {
  readonly out = new OutBytes(64 * 1024);
  readonly #entries = new OutBytes(4096);
  readonly #offsets: number[] = [];
  readonly #first = new OutBytes(256);
  readonly #last = new OutBytes(256);
  #blockOpen = false;
  #blockStart = 0;

  readonly #blockBytes: number;

  constructor(blockBytes = indexBlockBytes) {
    this.#blockBytes = blockBytes;
  }

  startPartition(): void {
    this.#entries.length = 0;
    this.#offsets.length = 0;
    this.#blockOpen = false;
  }

  /**
   * An unfiltered was written, from `start` to `end`, counted from the partition's start. `bytes[from, to)` is the
   * clustering of a row, or kind, number of components and clustering of a marker. `open` is the deletion open
   * after it.
   */
  unfiltered(
    isRow: boolean,
    bytes: Uint8Array,
    from: number,
    to: number,
    start: number,
    end: number,
    open: OpenDeletion,
  ): void {
    if (!this.#blockOpen) {
      this.#blockOpen = true;
      this.#blockStart = start;
      setName(this.#first, isRow, bytes, from, to);
    }
    const full = end - this.#blockStart >= this.#blockBytes;
    // Narrow partitions, which are most, have no promoted index: nobody asks for their last clustering.
    if (full || this.#offsets.length > 0) setName(this.#last, isRow, bytes, from, to);
    if (full) this.#closeBlock(end, open);
  }

  /** The partition ended at `end`, its end byte included. `deletion` is the partition's, 12 bytes as in Data.db. */
  endPartition(
    key: Uint8Array,
    keyLength: number,
    position: number,
    headerLength: number,
    deletion: Uint8Array,
    end: number,
    open: OpenDeletion,
  ): void {
    if (this.#blockOpen && this.#offsets.length > 0) this.#closeBlock(end, open);
    const { out } = this;
    out.reserve(keyLength + 64);
    out.u16(keyLength);
    out.copy(key, 0, keyLength);
    out.reserve(64 + 4 * this.#offsets.length);
    out.vint(position);
    const count = this.#offsets.length;
    if (count < 2) {
      out.u8(0);
      return;
    }
    const indexed = this.#entries.length + 4 * count;
    out.vint(vintLength(headerLength) + deletionLength + vintLength(count) + indexed);
    out.vint(headerLength);
    out.copy(deletion, 0, deletionLength);
    out.vint(count);
    out.copy(this.#entries.bytes, 0, this.#entries.length);
    out.reserve(4 * count);
    for (const offset of this.#offsets) out.i32(offset);
  }

  #closeBlock(end: number, open: OpenDeletion): void {
    const entries = this.#entries;
    this.#offsets.push(entries.length);
    entries.copy(this.#first.bytes, 0, this.#first.length);
    entries.copy(this.#last.bytes, 0, this.#last.length);
    entries.reserve(40);
    entries.vint(this.#blockStart);
    entries.signedVint(end - this.#blockStart - widthBase);
    entries.u8(open.open ? 1 : 0);
    if (open.open) {
      // As Data.db has it: `nb` holds no later second.
      entries.i32(Math.min(open.time, deletionTimeMax));
      entries.i64(open.hi, open.lo);
    }
    this.#blockOpen = false;
  }
}

function setName(
  name: OutBytes,
  isRow: boolean,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  name.length = 0;
  if (isRow) name.u8(rowKind);
  name.copy(bytes, from, to);
}
