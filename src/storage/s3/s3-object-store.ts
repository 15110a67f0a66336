// Objects in a bucket of an S3 store. Each is one PUT with `If-None-Match: *`, which never replaces what is
// there; whether a server keeps that promise is asked before the first object is written. The SDK tries
// nothing again: whoever repeats a create must know that it may have taken effect (retrying-object-store.ts).
import { crc32 } from 'node:zlib';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { untilAborted } from '../../base/async.ts';
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Random } from '../../base/random.ts';
import {
  assertFolderPrefix,
  assertObjectName,
  isNamePart,
  resolveRange,
  temporaryPrefix,
} from '../object-name.ts';
import type { ByteRange, ObjectStore, StoredObject, StoreLack } from '../object-store.ts';
import { type Abortable, abortable, s3Error, sent, statusOf } from './s3-error.ts';
import { S3Listing } from './s3-listing.ts';
import type { S3Place } from './s3-url.ts';

/** Bytes of a chance object that is made to see what the server does. */
const probeBytes = 32;

/** What became of a PUT; `keepsVersions`: the bucket gave the object a version. */
interface Put {
  readonly outcome: 'created' | 'exists';
  readonly keepsVersions: boolean;
}

const taken: Put = { outcome: 'exists', keepsVersions: false };

export class S3ObjectStore implements ObjectStore {
  readonly url: string;
  readonly #client: S3Client;
  readonly #place: S3Place;
  readonly #listing: S3Listing;
  readonly #random: Random;
  readonly #onLack: (lack: StoreLack) => void;
  #probed: Promise<void> | undefined;
  readonly #shown = new Set<string>();
  /** The bucket did so when it was asked. */
  #keepsVersions = false;

  constructor(
    client: S3Client,
    place: S3Place,
    random: Random,
    onLack: (lack: StoreLack) => void = () => {},
  ) {
    this.url = `s3://${place.bucket}/${place.prefix}`;
    this.#client = client;
    this.#place = place;
    this.#listing = new S3Listing(client, place);
    this.#random = random;
    this.#onLack = onLack;
  }

  /**
   * Proves once that the server refuses a taken name and gives back what was written. Leaves nothing behind.
   * Errors: `store-unfit`, `store-unreachable`.
   */
  async probe(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // For all who wait: who leaves does not end it for the others.
    this.#probed ??= this.#probe().catch((error: unknown) => {
      this.#probed = undefined;
      throw error;
    });
    await (signal ? untilAborted(this.#probed, signal) : this.#probed);
  }

  async create(
    name: string,
    body: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<'created' | 'exists'> {
    assertObjectName(name);
    signal?.throwIfAborted();
    // One piece, and a copy: a stream could not be signed, nor the caller's buffers be free afterwards.
    const bytes = Buffer.concat(body);
    await this.probe(signal);
    const { outcome, keepsVersions } = await this.#put(name, bytes, signal);
    // Versions were turned on meanwhile, and there are servers that forget conditions then.
    if (keepsVersions && !this.#keepsVersions) {
      this.#probed = undefined;
      this.#shown.clear();
      await this.probe(signal);
    }
    return outcome;
  }

  async get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    assertObjectName(name);
    signal?.throwIfAborted();
    return await this.#get(name, range, signal);
  }

  async #get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    if (range) resolveRange(range, 0);
    if (range && ('suffix' in range ? range.suffix : range.length) === 0) {
      // No header can ask for nothing.
      if (await this.#stat(name, signal)) return new Uint8Array();
      throw missingError(name);
    }
    const input = { ...this.#key(name), ...(range && { Range: rangeHeader(range) }) };
    return await this.#send('read', name, signal, async (abort) => {
      try {
        const answer = await this.#client.send(new GetObjectCommand(input), abort);
        const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
        if (answer.ContentLength !== undefined && answer.ContentLength !== bytes.length) {
          throw new Error(`${bytes.length} of ${answer.ContentLength} bytes came`);
        }
        // Whole objects in place of parts: bytes of other places would look like damage.
        if (range && bytes.length > ('suffix' in range ? range.suffix : range.length)) {
          throw new Error(`${bytes.length} bytes came, more than were asked for`);
        }
        return bytes;
      } catch (error) {
        const status = statusOf(error);
        // Some part of an object that has no byte there.
        if (status === 416) return new Uint8Array();
        if (status === 404 && (error as Error).name !== 'NoSuchBucket') throw missingError(name);
        throw error;
      }
    });
  }

  async stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    assertObjectName(name);
    signal?.throwIfAborted();
    return await this.#stat(name, signal);
  }

  async #stat(name: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    return await this.#send('look at', name, signal, async (abort) => {
      try {
        const head = await this.#client.send(new HeadObjectCommand(this.#key(name)), abort);
        return { name, size: head.ContentLength ?? 0, modifiedMs: secondOf(head.LastModified) };
      } catch (error) {
        // A head has no body that could say more: a bucket that is not there is found by other calls.
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
    assertFolderPrefix(prefix);
    for await (const { key, size, modified } of this.#listing.objects(prefix, signal)) {
      // Folder marks and the like, which other tools leave.
      if (!key.split('/').every(isNamePart)) continue;
      signal?.throwIfAborted();
      yield { name: key, size, modifiedMs: secondOf(modified) };
    }
  }

  async listFolders(prefix: string, signal?: AbortSignal): Promise<string[]> {
    assertFolderPrefix(prefix);
    return (await this.#listing.folders(prefix, signal)).filter(isNamePart);
  }

  async remove(name: string, signal?: AbortSignal): Promise<void> {
    assertObjectName(name);
    signal?.throwIfAborted();
    await this.#remove(name, signal);
  }

  /** What probes that were killed left behind. */
  async sweep(beforeMs: number, signal?: AbortSignal): Promise<number> {
    let count = 0;
    for await (const { key, modified } of this.#listing.objects(temporaryPrefix, signal)) {
      if (secondOf(modified) >= beforeMs) continue;
      await this.#remove(key, signal);
      count++;
    }
    return count;
  }

  async #remove(name: string, signal?: AbortSignal): Promise<void> {
    await this.#send('remove', name, signal, async (abort) => {
      try {
        await this.#client.send(new DeleteObjectCommand(this.#key(name)), abort);
      } catch (error) {
        if (statusOf(error) !== 404 || (error as Error).name === 'NoSuchBucket') throw error;
      }
    });
  }

  async #put(name: string, bytes: Buffer, signal?: AbortSignal): Promise<Put> {
    const input = {
      ...this.#key(name),
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: 'application/octet-stream',
      IfNoneMatch: '*',
      ChecksumCRC32: crc32Base64(bytes),
    };
    return await this.#send('write', name, signal, async (abort) => {
      try {
        const { VersionId } = await this.#client.send(new PutObjectCommand(input), abort);
        return { outcome: 'created', keepsVersions: (VersionId ?? 'null') !== 'null' };
      } catch (error) {
        const status = statusOf(error);
        if (status !== undefined && status !== 409 && status !== 412) throw error;
        signal?.throwIfAborted();
        // The name is taken, or was by a removed version; another writer of it was under way; or the server
        // refused it and hung up while the body was sent, so that nobody heard. Only what is there has won.
        if (await this.#stat(name, signal)) return taken;
        throw s3Error(error, 'write', `${this.url}${name}`);
      }
    });
  }

  async #probe(): Promise<void> {
    // A name that no list gives.
    const name = `${temporaryPrefix}${toHex(this.#random.bytes(8))}`;
    await this.#once('bucket', () => this.#probeBucket());
    try {
      await this.#once('conditions', () => this.#probeConditions(name));
      await this.#once('checksum', () => this.#probeChecksum(name));
      // Amazon's own lists are what the others' are measured by.
      if (this.#place.endpoint === undefined) return;
      await this.#once('order', () => this.#probeOrder(name));
    } finally {
      // An aborted probe too takes its object away.
      await this.#remove(name).catch(() => {});
    }
  }

  /** What was shown is not asked again when a later question breaks off. */
  async #once(what: string, ask: () => Promise<void>): Promise<void> {
    if (this.#shown.has(what)) return;
    await ask();
    this.#shown.add(what);
  }

  async #probeConditions(name: string): Promise<void> {
    const [mine, other] = [this.#random.bytes(probeBytes), this.#random.bytes(probeBytes)];
    const { keepsVersions } = await this.#put(name, Buffer.from(mine));
    const { outcome: second } = await this.#put(name, Buffer.from(other));
    const there = await this.#get(name);
    if (second !== 'exists' || toHex(there) !== toHex(mine)) {
      throw this.#unfit('lets an object be replaced in spite of If-None-Match');
    }
    const part = await this.#get(name, { offset: 3, length: 5 });
    if (toHex(part) !== toHex(mine.subarray(3, 8))) throw this.#unfit('ignores ranges of bytes');
    if (keepsVersions) await this.#probeVersions(name);
  }

  /** Some servers make a bucket that is not there with its first object. */
  async #probeBucket(): Promise<void> {
    const command = new HeadBucketCommand({ Bucket: this.#place.bucket });
    await this.#send('look at', '', undefined, async (abort) => {
      // Whatever else it says, the first write says better: this answer has no body.
      const error: unknown = await this.#client.send(command, abort).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (statusOf(error) !== 404) return;
      throw Object.assign(error as Error, { name: 'NoSuchBucket', message: 'NoSuchBucket' });
    });
  }

  /** A server that keeps folders as trees lists by folder, not by whole name. */
  async #probeOrder(name: string): Promise<void> {
    const pair = [`${name}-o-x`, `${name}-o/x`];
    try {
      for (const one of pair) await this.#put(one, Buffer.from(one));
      const ordered = await this.#listing.isOrdered(`${name}-o`);
      if (ordered || this.#listing.walks) return;
      this.#listing.walks = true;
      this.#onLack({
        what: `${this.url} lists objects by folder, not by name`,
        consequence: 'each folder is listed by itself, so lists take more requests',
      });
    } finally {
      for (const one of pair) await this.#remove(one).catch(() => {});
    }
  }

  /** A server that takes a body with a wrong checksum would keep what was damaged on its way. */
  async #probeChecksum(name: string): Promise<void> {
    const wrong = { ...this.#key(`${name}-sum`), Body: this.#random.bytes(probeBytes) };
    const command = new PutObjectCommand({ ...wrong, ChecksumCRC32: 'AAAAAA==' });
    try {
      await this.#client.send(command, abortable());
    } catch (error) {
      if (statusOf(error) === 400) return;
      throw s3Error(error, 'write', `${this.url}${name}-sum`);
    }
    await this.#remove(`${name}-sum`);
    this.#onLack({
      what: `${this.url} takes objects whose checksum is wrong`,
      consequence: 'what is damaged on its way there is found when it is read: run verify often',
    });
  }

  /** There are servers to whom the mark of a removed object is an object. */
  async #probeVersions(name: string): Promise<void> {
    await this.#remove(name);
    try {
      await this.#put(name, Buffer.from(this.#random.bytes(probeBytes)));
    } catch (error) {
      if ((error as CodrError).facts?.status !== 412) throw error;
      throw this.#unfit(
        'keeps versions, and never lets the name of a removed object be used again',
      );
    }
    if (this.#keepsVersions) return;
    this.#keepsVersions = true;
    this.#onLack({
      what: `the bucket of ${this.url} keeps old versions`,
      consequence:
        'what collect frees goes when the bucket lets old versions go: give it a lifecycle rule for them',
    });
  }

  #unfit(what: string): CodrError {
    return new CodrError('store-unfit', `${this.url}: the server ${what}`, {
      object: this.url,
      remedy:
        'use a server that honours conditional writes; of some (Ceph before Squid) a bucket without ' +
        'versioning does',
    });
  }

  #key(name: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#place.bucket, Key: this.#place.prefix + name };
  }

  async #send<T>(
    what: string,
    name: string,
    signal: AbortSignal | undefined,
    call: (abort: Abortable) => Promise<T>,
  ): Promise<T> {
    return await sent(what, `${this.url}${name}`, signal, call);
  }
}

function rangeHeader(range: ByteRange): string {
  if ('suffix' in range) return `bytes=-${range.suffix}`;
  return `bytes=${range.offset}-${range.offset + range.length - 1}`;
}

/** Heads tell whole seconds, lists may tell more. */
function secondOf(time: Date | undefined): number {
  return Math.trunc((time?.getTime() ?? 0) / 1000) * 1000;
}

function crc32Base64(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString('base64');
}

function missingError(name: string): CodrError {
  return new CodrError('object-missing', `there is no object ${name}`, { object: name });
}
