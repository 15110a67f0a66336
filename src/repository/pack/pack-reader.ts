// Reads frames out of packs: the last 256 KiB first, which hold the footer; then neighbouring frames in
// one ranged read of up to 16 MiB. Footers and opened frames are kept, each up to a number of bytes.
import { LRUCache } from 'lru-cache';
import { untilAborted } from '../../base/async.ts';
import { CodrError } from '../../base/error.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { type FrameSeal, footerOrdinal, frameKinds } from '../frame/frame-codec.ts';
import { readTwice } from '../read-twice.ts';
import {
  decodeTrailer,
  type FrameEntry,
  type PackAddress,
  PackFooter,
  packName,
  trailerBytes,
} from './pack-format.ts';
import type { PackContext } from './pack-writer.ts';

interface PackReaderOptions {
  /** Opened footers kept, raw bytes; about 45 bytes a leaf. */
  readonly footerCacheBytesMax: number;
  /** Opened frames kept, raw bytes. */
  readonly frameCacheBytesMax: number;
}

const defaultPackReaderOptions: PackReaderOptions = {
  footerCacheBytesMax: 64 * 1024 * 1024,
  frameCacheBytesMax: 64 * 1024 * 1024,
};

const endBytes = 256 * 1024;
const readBytesMax = 16 * 1024 * 1024;
/** Bytes between two wanted frames that are cheaper to read than another request. */
const gapBytesMax = 128 * 1024;

interface WantedFrame extends FrameEntry {
  readonly ordinal: number;
}

export class PackReader {
  readonly #store: ObjectStore;
  readonly #context: PackContext;
  readonly #footers: LRUCache<string, PackFooter>;
  readonly #frames: LRUCache<string, Uint8Array>;
  readonly #opening = new Map<string, Promise<PackFooter>>();

  constructor(
    store: ObjectStore,
    context: PackContext,
    options: PackReaderOptions = defaultPackReaderOptions,
  ) {
    this.#store = store;
    this.#context = context;
    this.#footers = new LRUCache({
      maxSize: Math.max(1, options.footerCacheBytesMax),
      sizeCalculation: (footer) => footer.byteLength,
    });
    this.#frames = new LRUCache({
      maxSize: Math.max(1, options.frameCacheBytesMax),
      sizeCalculation: (raw) => Math.max(1, raw.length),
    });
  }

  /** Errors: `object-missing`, `object-damaged`, `format-unknown`. */
  async footer(pack: PackAddress, signal?: AbortSignal): Promise<PackFooter> {
    const known = this.#footers.get(pack.id);
    if (known) return known;
    // Once for all who want it; so it is not cancelled by one of them.
    const opening =
      this.#opening.get(pack.id) ??
      readTwice(() => this.#openFooter(pack)).finally(() => this.#opening.delete(pack.id));
    this.#opening.set(pack.id, opening);
    return await (signal ? untilAborted(opening, signal) : opening);
  }

  /**
   * Raw bytes of the frames `ordinals` (each once), by ordinal. They may be shared with the cache: read
   * only. Memory is their raw size, and the caller's to bound.
   */
  async frames(
    pack: PackAddress,
    ordinals: readonly number[],
    signal?: AbortSignal,
  ): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    const footer = await this.footer(pack, signal);
    const wanted: WantedFrame[] = [];
    for (const ordinal of [...ordinals].sort((a, b) => a - b)) {
      const kept = this.#frames.get(`${pack.id}/${ordinal}`);
      if (kept) found.set(ordinal, kept);
      else wanted.push({ ordinal, ...footer.frame(ordinal) });
    }
    for (const run of neighbours(wanted)) {
      await readTwice(() => this.#readRun(pack, footer, run, found, signal));
    }
    return found;
  }

  async #readRun(
    pack: PackAddress,
    footer: PackFooter,
    run: readonly WantedFrame[],
    found: Map<number, Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const object = packName(pack);
    const [first, last] = [run[0] as WantedFrame, run.at(-1) as WantedFrame];
    const length = last.offset + last.storedLength - first.offset;
    const bytes = await this.#store.get(object, { offset: first.offset, length }, signal);
    const opened = run.map(async (frame) => {
      const start = frame.offset - first.offset;
      const stored = bytes.subarray(start, start + frame.storedLength);
      const seal = this.#sealOf(footer, frame.ordinal, frame.kind);
      const request = { stored, seal, rawLength: frame.rawLength, object };
      const raw = await this.#context.sealer.open(request);
      this.#frames.set(`${pack.id}/${frame.ordinal}`, raw);
      found.set(frame.ordinal, raw);
    });
    await Promise.all(opened);
  }

  async #openFooter(pack: PackAddress): Promise<PackFooter> {
    const object = packName(pack);
    let end = await this.#store.get(object, { suffix: endBytes });
    const trailer = decodeTrailer(end.subarray(-trailerBytes), object);
    const needed = trailer.footerBytes + trailerBytes;
    if (needed > end.length) end = await this.#store.get(object, { suffix: needed });
    if (needed > end.length || trailer.kind !== pack.kind) {
      const why = trailer.kind !== pack.kind ? `it says kind ${trailer.kind}` : 'it is truncated';
      throw new CodrError('object-damaged', `${object} is damaged: ${why}`, { object });
    }
    const start = end.length - needed;
    const raw = await this.#context.sealer.open({
      stored: end.subarray(start, start + trailer.footerBytes),
      seal: {
        key: this.#context.keys.packKey(trailer.epoch, trailer.salt),
        repositoryId: this.#context.repositoryId,
        salt: trailer.salt,
        ordinal: footerOrdinal,
        kind: frameKinds.footer,
      },
      rawLength: trailer.footerRawBytes,
      object,
    });
    const footer = new PackFooter(raw, trailer, object);
    this.#footers.set(pack.id, footer);
    return footer;
  }

  #sealOf(footer: PackFooter, ordinal: number, kind: FrameEntry['kind']): FrameSeal {
    const { epoch, salt } = footer.seal;
    const key = this.#context.keys.packKey(epoch, salt);
    return { key, repositoryId: this.#context.repositoryId, salt, ordinal, kind };
  }
}

/** Groups ascending frames into runs whose bytes are read at once. */
function neighbours(wanted: readonly WantedFrame[]): WantedFrame[][] {
  const runs: WantedFrame[][] = [];
  for (const frame of wanted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const fits =
      run?.[0] &&
      last &&
      frame.offset - last.offset - last.storedLength <= gapBytesMax &&
      frame.offset + frame.storedLength - run[0].offset <= readBytesMax;
    if (fits) run.push(frame);
    else runs.push([frame]);
  }
  return runs;
}
