// How a run is named in a lineage entry, and where its blocks are: the two small ports through which a
// run meets change packs, with twins for runs that travel inside their lineage entry.
import { hash } from 'node:crypto';
import { ByteReader, ByteWriter, concatBytes, fromHex, toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { type PackId, packId } from '../../model/id.ts';
import type { SourceTime } from '../../model/time.ts';

/** A block's place: a frame of a change pack, or a slice of the run's inline bytes. */
export type BlockRef =
  | { readonly pack: PackId; readonly frame: number }
  | { readonly offset: number; readonly length: number };

/** A block and what it must hold: names of packs and entries alone do not prove that to a reader. */
export interface Block {
  readonly ref: BlockRef;
  /** {@link blockDigest} of its bytes. */
  readonly digest: string;
}

const digestBytes = 16;

/** First 16 bytes of the SHA-256 of a block, hex. */
export function blockDigest(raw: Uint8Array): string {
  return hash('sha256', raw).slice(0, 2 * digestBytes);
}

/** Describes a run in less than 1 KiB, whatever the run's size. */
export interface RunRef {
  /** First 16 bytes of the SHA-256 over its data blocks, hex: equal changes cut alike have equal ids. */
  readonly id: string;
  readonly records: number;
  /** Encoded bytes of its data blocks, before compression. */
  readonly rawBytes: number;
  /** Earliest and latest effective time in it. */
  readonly minTime: SourceTime;
  readonly maxTime: SourceTime;
  /** 0: cut from the log; n + 1: merged from runs of tier n. */
  readonly tier: number;
  /** Levels of index over the data blocks; 0: `root` is the only data block. */
  readonly levels: number;
  readonly root: BlockRef;
  /** {@link blockDigest} of the root. */
  readonly rootDigest: string;
}

/** Takes the blocks of big runs. */
export interface BlockSink {
  /** Waits while too much is in flight. Called by the writer before each block. */
  ready(): Promise<void>;
  /**
   * The memory belongs to the sink from the call on. Resolves when the block's pack has its name, which may
   * be as late as the next `flush`: the writer goes on meanwhile.
   */
  addBlock(raw: Uint8Array): Promise<BlockRef>;
  /** Seals what is open: every promise given before resolves. */
  flush(): Promise<void>;
}

/** Gives blocks back, in the order asked. Errors: `object-missing`, `object-damaged`. */
export interface BlockSource {
  read(refs: readonly BlockRef[]): Promise<Uint8Array[]>;
}

/** Keeps blocks in memory, one after the other. */
export class InlineBlockSink implements BlockSink {
  readonly #blocks: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get blocks(): readonly Uint8Array[] {
    return this.#blocks;
  }

  async ready(): Promise<void> {}

  async addBlock(raw: Uint8Array): Promise<BlockRef> {
    const offset = this.#length;
    this.#blocks.push(raw);
    this.#length += raw.length;
    return { offset, length: raw.length };
  }

  async flush(): Promise<void> {}

  bytes(): Uint8Array {
    return concatBytes(this.#blocks);
  }
}

/** Reads the blocks of a run from its inline bytes; views, no copies. A digest tells one that is cut short. */
export class InlineBlockSource implements BlockSource {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async read(refs: readonly BlockRef[]): Promise<Uint8Array[]> {
    return refs.map((ref) => {
      if (!('offset' in ref)) {
        throw new CodrError('object-damaged', 'a block of an inline run lies in a pack');
      }
      return this.#bytes.subarray(ref.offset, ref.offset + ref.length);
    });
  }
}

const refFormat = 1;

/** The bytes of a descriptor, as docs/format/run.md lists them. */
export function encodeRunRef(ref: RunRef): Uint8Array {
  const writer = new ByteWriter().u8(refFormat).text(ref.id).varint(ref.records);
  writer.varint(ref.rawBytes).u64(ref.minTime).u64(ref.maxTime).varint(ref.tier).varint(ref.levels);
  if ('pack' in ref.root) writer.u8(1).text(ref.root.pack).varint(ref.root.frame);
  else writer.u8(0).varint(ref.root.offset).varint(ref.root.length);
  return writer.bytes(fromHex(ref.rootDigest)).finish();
}

/** Errors: `format-unknown`, `object-damaged`. */
export function decodeRunRef(bytes: Uint8Array): RunRef {
  const reader = new ByteReader(bytes);
  try {
    const format = reader.u8();
    if (format !== refFormat) throw new CodrError('format-unknown', `run descriptor ${format}`);
    const ref: RunRef = {
      id: reader.text(),
      records: reader.varint(),
      rawBytes: reader.varint(),
      minTime: reader.u64(),
      maxTime: reader.u64(),
      tier: reader.varint(),
      levels: reader.varint(),
      root:
        reader.u8() === 1
          ? { pack: packId(reader.text()), frame: reader.varint() }
          : { offset: reader.varint(), length: reader.varint() },
      rootDigest: readDigest(reader),
    };
    if (reader.remaining === 0) return ref;
    throw new CodrError('object-damaged', 'a run descriptor has bytes left over');
  } catch (cause) {
    if (cause instanceof CodrError) throw cause;
    throw new CodrError('object-damaged', 'a run descriptor cannot be read', { cause });
  }
}

export function readDigest(reader: ByteReader): string {
  return toHex(reader.bytes(digestBytes));
}
