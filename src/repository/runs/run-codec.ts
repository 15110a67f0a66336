// The bytes of one block of a run: changes in the order of compareChanges, keys cut by what they share
// with the key before. A block stands alone: it carries its own tables of datasets and streams.
// Field by field: docs/format/run.md.
import { ByteReader, ByteWriter, commonPrefixLength, emptyBytes, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type Change, type ChangeKind, changeKinds } from '../../model/change.ts';
import { type DatasetId, datasetId, type StreamId, streamId } from '../../model/id.ts';
import type { Position, SourceTime } from '../../model/time.ts';

/** A block holds at most this many raw bytes, or one change that alone is larger. */
export const blockBytesMax = 128 * 1024;

const blockFormat = 1;

// The head byte of a change: kind − 1 in the lowest two bits, then what follows.
const nextDataset = 4;
const hasStream = 8;
const hasPositionTime = 16;
const hasTerm = 32;
const hasIndex = 64;
const reservedBits = 128;

/** Most bytes that a change adds besides its key, value and table entries. */
const changeOverheadMax = 64;

/** Gathers ascending changes into one block. Reusable: `finish` empties it. */
export class BlockEncoder {
  #body = new ByteWriter(blockBytesMax);
  readonly #datasets: DatasetId[] = [];
  readonly #streams = new Map<StreamId, number>();
  #count = 0;
  #keyBytes = 0;
  #baseHigh = 0;
  #key: Uint8Array = emptyBytes;
  #stream = 0;
  #term = 0n;
  #headerBytes = 0;

  get count(): number {
    return this.#count;
  }

  /** True when `change` fits beside what is there; an empty block takes anything. */
  takes(change: Change): boolean {
    if (this.#count === 0) return true;
    const added = change.key.length + change.value.length + changeOverheadMax;
    const names = 2 * (change.dataset.length + change.stream.length) + 64;
    return this.#body.length + this.#headerBytes + names + added <= blockBytesMax;
  }

  add(change: Change): void {
    const time = splitTime(change.time);
    if (this.#count === 0) this.#baseHigh = time.high;
    const streamAt = this.#streamIndex(change.stream);
    const head = this.#headOf(change, streamAt);
    const body = this.#body.u8(head);
    if (head & hasStream) body.varint(streamAt);
    const shared = commonPrefixLength(this.#key, change.key);
    body.varint(shared).prefixed(change.key.subarray(shared));
    body.varint(zigzag(time.high - this.#baseHigh)).varint(time.low);
    if (head & hasPositionTime) {
      const place = splitTime(change.position.time);
      body.varint(zigzag(place.high - time.high)).varint(place.low);
    }
    if (head & hasTerm) body.u64(change.position.term);
    if (head & hasIndex) body.varint(change.index);
    body.prefixed(change.value);
    this.#key = change.key;
    this.#stream = streamAt;
    this.#term = change.position.term;
    this.#keyBytes += change.key.length;
    this.#count++;
  }

  /** The block's bytes, owned by the caller. */
  finish(): Uint8Array {
    const block = new ByteWriter(this.#headerBytes + this.#body.length + 64);
    block.u8(blockFormat).varint(this.#count).varint(this.#keyBytes).u32(this.#baseHigh);
    writeTable(block, this.#datasets);
    writeTable(block, [...this.#streams.keys()]);
    block.bytes(this.#body.finish());
    this.#body = new ByteWriter(blockBytesMax);
    this.#datasets.length = 0;
    this.#streams.clear();
    this.#count = 0;
    this.#keyBytes = 0;
    this.#key = emptyBytes;
    this.#stream = 0;
    this.#term = 0n;
    this.#headerBytes = 0;
    return block.finish();
  }

  #headOf(change: Change, streamAt: number): number {
    let head = change.kind - 1;
    if (this.#datasets.at(-1) !== change.dataset) {
      if (this.#datasets.length > 0) head |= nextDataset;
      this.#datasets.push(change.dataset);
      this.#headerBytes += change.dataset.length + 4;
    }
    if (streamAt !== this.#stream) head |= hasStream;
    if (change.position.time !== change.time) head |= hasPositionTime;
    if (change.position.term !== this.#term) head |= hasTerm;
    if (change.index !== 0) head |= hasIndex;
    return head;
  }

  #streamIndex(stream: StreamId): number {
    const known = this.#streams.get(stream);
    if (known !== undefined) return known;
    this.#streams.set(stream, this.#streams.size);
    this.#headerBytes += Buffer.byteLength(stream) + 4;
    return this.#streams.size - 1;
  }
}

/**
 * All changes of a block, ascending. Values are views of `raw`; keys share one new buffer. Errors:
 * `format-unknown`, `object-damaged`.
 */
export function decodeBlock(raw: Uint8Array): Change[] {
  try {
    return readBlock(new ByteReader(raw));
  } catch (cause) {
    if (cause instanceof CodrError) throw cause;
    throw new CodrError('object-damaged', 'a block of a run cannot be read', { cause });
  }
}

function readBlock(reader: ByteReader): Change[] {
  const format = reader.u8();
  if (format !== blockFormat) {
    throw new CodrError('format-unknown', `block format ${format} of a run is not known`);
  }
  const count = reader.varint();
  const keys = Buffer.allocUnsafe(checkedLength(reader, reader.varint(), blockKeyBytesMax));
  const baseHigh = reader.u32();
  const datasets = readTable(reader).map(datasetId);
  const streams = readTable(reader).map(streamId);
  const changes: Change[] = [];
  let keysAt = 0;
  let keyStart = 0;
  let dataset = 0;
  let stream = 0;
  let term = 0n;
  for (let i = 0; i < count; i++) {
    const head = reader.u8();
    if (head & reservedBits) throw damaged('an unknown bit in the head of a change');
    if (head & nextDataset) dataset++;
    if (head & hasStream) stream = reader.varint();
    const shared = reader.varint();
    const suffix = reader.prefixed();
    if (shared > keysAt - keyStart) throw damaged('a key that shares more than there is');
    if (keysAt + shared + suffix.length > keys.length)
      throw damaged('more key bytes than announced');
    keys.copyWithin(keysAt, keyStart, keyStart + shared);
    keys.set(suffix, keysAt + shared);
    keyStart = keysAt;
    keysAt += shared + suffix.length;
    const high = baseHigh + unzigzag(reader.varint());
    const time = joinTime(high, reader.varint());
    let place = time;
    if (head & hasPositionTime) {
      const placeHigh = high + unzigzag(reader.varint());
      place = joinTime(placeHigh, reader.varint());
    }
    if (head & hasTerm) term = reader.u64();
    const position: Position = { time: place, term };
    const index = head & hasIndex ? reader.varint() : 0;
    changes.push({
      dataset: named(datasets, dataset),
      key: keys.subarray(keyStart, keysAt),
      time,
      stream: named(streams, stream),
      position,
      index,
      kind: kinds[head & 3] as ChangeKind,
      value: reader.prefixed(),
    });
  }
  if (reader.remaining !== 0 || keysAt !== keys.length)
    throw damaged('bytes after its last change');
  return changes;
}

const kinds = [changeKinds.put, changeKinds.delete, changeKinds.patch, changeKinds.clear] as const;

/** Keys are at most 1,056 bytes and shared ones cost two, so a block cannot announce more than this. */
const blockKeyBytesMax = blockBytesMax * 256;

function checkedLength(reader: ByteReader, length: number, lengthMax: number): number {
  if (length > Math.max(lengthMax, reader.remaining)) throw damaged(`${length} bytes of keys`);
  return length;
}

function named<T>(table: readonly T[], at: number): T {
  const name = table[at];
  if (name === undefined) throw damaged(`a name outside its table of ${table.length}`);
  return name;
}

function damaged(what: string): CodrError {
  return new CodrError('object-damaged', `a block of a run holds ${what}`);
}

/** A count, then that many texts. */
export function writeTable(writer: ByteWriter, names: readonly string[]): void {
  writer.varint(names.length);
  for (const name of names) writer.text(name);
}

export function readTable(reader: ByteReader): string[] {
  const names: string[] = [];
  for (let left = reader.varint(); left > 0; left--) names.push(view(reader.prefixed()).toString());
  return names;
}

const word = new DataView(new ArrayBuffer(8));

/** The two 32-bit halves of a time: plain numbers are several times faster than bigint arithmetic. */
function splitTime(time: SourceTime): { high: number; low: number } {
  word.setBigUint64(0, time);
  return { high: word.getUint32(0), low: word.getUint32(4) };
}

function joinTime(high: number, low: number): SourceTime {
  if (high < 0 || high > 0xffff_ffff || low > 0xffff_ffff) throw damaged('a time of over 64 bits');
  word.setUint32(0, high);
  word.setUint32(4, low);
  return word.getBigUint64(0);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
