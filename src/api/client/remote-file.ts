// A file that is open at another peer. Read in order, it is asked for a little ahead. When the connection breaks it is
// opened again, and goes on if it is still the same file.
import { emptyBytes } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { FileFacts, OpenFile } from '../../base/file-access.ts';
import { type FileResult, leaseLost } from '../file-calls.ts';
import type { FileLease, HeldLease } from './file-lease.ts';
import type { RemoteFiles } from './remote-files.ts';

/** Asked for in one call. */
const pieceBytesMax = 1024 * 1024;
/** Of a file that is read in order, however small the readings are. */
const pieceBytesMin = 128 * 1024;
/** On their way beyond what is wanted, when a file is read in order. */
const piecesAhead = 2;

interface Opened {
  readonly lease: HeldLease;
  readonly file: number;
}

interface Piece {
  readonly position: number;
  readonly length: number;
  readonly bytes: Promise<Uint8Array>;
}

export class RemoteFile implements OpenFile {
  readonly facts: FileFacts;
  readonly #files: RemoteFiles;
  readonly #lease: FileLease;
  readonly #path: string;
  #opened: Promise<Opened>;
  /** Where the reading before ended. */
  #next = -1;
  /** One behind the other. */
  #ahead: Piece[] = [];

  private constructor(
    files: RemoteFiles,
    lease: FileLease,
    { path, opened, facts }: { path: string; opened: Opened; facts: FileFacts },
  ) {
    this.#files = files;
    this.#lease = lease;
    this.#path = path;
    this.#opened = Promise.resolve(opened);
    this.facts = facts;
  }

  static async open(files: RemoteFiles, lease: FileLease, path: string): Promise<RemoteFile> {
    const first = await files.repeated(() => lease.take());
    try {
      const { opened, facts } = await openAt(files, lease, first, path);
      return new RemoteFile(files, lease, { path, opened, facts });
    } catch (error) {
      lease.give();
      throw error;
    }
  }

  async read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const end = Math.max(position, Math.min(position + length, this.facts.bytes));
    const isInOrder = position === this.#next;
    this.#next = end;
    if (!isInOrder) this.#ahead = [];
    const size = isInOrder ? Math.max(pieceBytesMin, Math.min(pieceBytesMax, length)) : 0;
    this.#askUntil(end + piecesAhead * size, { position, size });
    // Readings may overlap in time: each takes its pieces before it waits for them.
    const mine = this.#ahead.filter((piece) => piece.position < end);
    this.#ahead = this.#ahead.filter((piece) => piece.position + piece.length > end);
    const bytes = into ?? Buffer.allocUnsafe(end - position);
    let at = position;
    for (const piece of mine) {
      const got = await piece.bytes;
      const part = got.subarray(at - piece.position, end - piece.position);
      bytes.set(part, at - position);
      at += part.length;
      // It ends earlier than when it was opened.
      if (at < Math.min(end, piece.position + piece.length)) break;
    }
    return bytes.subarray(0, at - position);
  }

  async close(): Promise<void> {
    this.#ahead = [];
    try {
      const { lease, file } = await this.#opened;
      await this.#files.act({ kind: 'close', lease: lease.id, file });
    } catch {
      // Who is not there has closed it.
    } finally {
      this.#lease.give();
    }
  }

  /** Whatever of the file up to there is not on its way, in pieces of `size`; 0: no more than that. */
  #askUntil(end: number, from: { readonly position: number; readonly size: number }): void {
    const last = this.#ahead.at(-1);
    let position = last ? last.position + last.length : from.position;
    const until = Math.min(end, this.facts.bytes);
    while (position < until) {
      const left = from.size > 0 ? this.facts.bytes - position : until - position;
      const length = Math.min(left, from.size || pieceBytesMax);
      const bytes = this.#piece(position, length);
      // Whoever awaits it hears of it; nobody may.
      bytes.catch(() => {});
      this.#ahead.push({ position, length, bytes });
      position += length;
    }
  }

  async #piece(position: number, length: number): Promise<Uint8Array> {
    return await this.#files.repeated(async () => {
      const opening = this.#opened;
      const { lease, file } = await opening;
      try {
        const place = { lease: lease.id, file, position, length };
        const { bytes } = await this.#files.call<FileResult>('Read', place);
        return bytes ?? emptyBytes;
      } catch (error) {
        // The connection may have broken alone: another one knows whether the file is still open.
        if (isLeaseLost(error)) this.#openAgain(opening, lease);
        throw error;
      }
    });
  }

  /** Once, for all pieces that find it closed. */
  #openAgain(failed: Promise<Opened>, lost: HeldLease): void {
    if (this.#opened !== failed) return;
    this.#lease.lost(lost);
    const again = this.#same();
    again.catch(() => {});
    this.#opened = again;
  }

  async #same(): Promise<Opened> {
    const { opened, facts } = await openAt(
      this.#files,
      this.#lease,
      await this.#files.repeated(() => this.#lease.now()),
      this.#path,
    );
    const { identity, bytes, modifiedMs } = this.facts;
    if (facts.identity === identity && facts.bytes === bytes && facts.modifiedMs === modifiedMs) {
      return opened;
    }
    const message = `${this.#path} at peer ${this.#files.peer} is another file now`;
    throw new CodrError('source-unreachable', message, { object: this.#path });
  }
}

async function openAt(
  files: RemoteFiles,
  leases: FileLease,
  first: HeldLease,
  path: string,
): Promise<{ readonly opened: Opened; readonly facts: FileFacts }> {
  let lease = first;
  return await files.repeated(async () => {
    try {
      const { file, facts } = await files.act({ kind: 'open', path, lease: lease.id });
      if (file === undefined || !facts) {
        throw new CodrError('failed', `peer ${files.peer} left out what it was asked`);
      }
      return { opened: { lease, file }, facts };
    } catch (error) {
      if (isLeaseLost(error)) {
        leases.lost(lease);
        lease = await leases.now();
      }
      throw error;
    }
  });
}

const isLeaseLost = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === leaseLost;
