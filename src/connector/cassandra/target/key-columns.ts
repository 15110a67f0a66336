// What the key columns of a row hold, one value each, as statements give them to a server: out of the keys of records.
import { ByteSink } from '../key/byte-sink.ts';
import { type ClusteringCodec, clusteringCodec } from '../key/clustering-codec.ts';
import { rowFlags } from '../record/record-layout.ts';
import type { RowReader } from '../record/row-reader.ts';
import type { TableSchema } from '../schema/table-schema.ts';

/** Key columns' values out of keys of records. */
export class KeyColumns {
  readonly #parts: number;
  readonly #codec: ClusteringCodec;
  readonly #sink = new ByteSink(1024);
  readonly #ranges: Int32Array;

  constructor({ partitionKey, clustering }: TableSchema) {
    this.#parts = partitionKey.length;
    this.#codec = clusteringCodec(clustering.map(({ type }) => type));
    this.#ranges = new Int32Array(2 * clustering.length);
  }

  /** A key of several columns holds each behind its length (2 bytes), and a zero byte after it. */
  partition(raw: Uint8Array): Buffer[] {
    const key = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
    if (this.#parts === 1) return [key];
    const values: Buffer[] = [];
    for (let at = 0; at < key.length; ) {
      const end = at + 2 + key.readUInt16BE(at);
      values.push(key.subarray(at + 2, end));
      at = end + 1;
    }
    return values;
  }

  /** Of key bytes [at, end) of a row that the reader has read; undefined where one of them is null. */
  clustering(bytes: Uint8Array, at: number, end: number, row: RowReader): Buffer[] | undefined {
    if ((row.flags & rowFlags.originals) !== 0) return this.#originals(row);
    const sink = this.#sink;
    sink.length = 0;
    const count = this.#codec.decode(bytes, at, end, sink, this.#ranges);
    const values = Buffer.from(sink.bytes.subarray(0, sink.length));
    const found: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const start = this.#ranges[2 * i] as number;
      if (start < 0) return undefined;
      found.push(values.subarray(start, this.#ranges[2 * i + 1]));
    }
    return found;
  }

  #originals({ bytes, originalsStart, originalsEnd }: RowReader): Buffer[] | undefined {
    const values: Buffer[] = [];
    for (let at = originalsStart; at < originalsEnd; ) {
      let length = -1;
      let byte = 0x80;
      for (let scale = 1; byte >= 0x80; scale *= 128) {
        byte = bytes[at++] as number;
        length += (byte & 0x7f) * scale;
      }
      if (length < 0) return undefined;
      values.push(Buffer.from(bytes.buffer, bytes.byteOffset + at, length));
      at += length;
    }
    return values;
  }
}
