// Encodes SSTables in threads of their own, so that a restore folds and encodes at once. A thread has any number of
// files; of each it is given a few blocks more than it has answered for. Blocks are copied once and transferred. A
// thread has no connection to other machines: what it makes for them is written by who has.
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../../../base/module-url.ts';
import { packError, type ThreadError, unpackError } from '../../../base/thread-error.ts';
import { threadLimits } from '../../../base/thread-limits.ts';
import { ownBlock, type RecordBlock } from '../../../model/record-block.ts';
import type { SstableComponent, WriterOptions } from '../sstable/write-sstable.ts';
import type { EncodedFile, Encoding, FileEncoder } from './file-encoder.ts';
import type { StagedPlace, StagedSstable } from './staging.ts';

/** Of one file, about 100 KiB each. */
const blocksAheadMax = 8;

/** As a thread is told: a partitioner goes by its name. */
export interface EncodeJob extends Omit<WriterOptions, 'partitioner'> {
  readonly partitioner: string | undefined;
  /** Where the thread writes the file; absent: it gives the bytes back. */
  readonly place?: StagedPlace;
}

export type EncodeRequest =
  | { readonly kind: 'open'; readonly id: number; readonly job: EncodeJob }
  | { readonly kind: 'block'; readonly id: number; readonly block: RecordBlock }
  /** The answer to `bytes`. */
  | { readonly kind: 'stored'; readonly id: number; readonly error?: ThreadError }
  | { readonly kind: 'finish' | 'discard'; readonly id: number };

/** Each block, `finish` and `discard` is answered once, in order; before that come the bytes that they make. */
export type EncodeReply =
  | {
      readonly kind: 'bytes';
      readonly id: number;
      readonly component: SstableComponent;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'written'; readonly id: number; readonly dataBytes: number }
  | { readonly kind: 'ended'; readonly id: number; readonly file: EncodedFile }
  | { readonly kind: 'failed'; readonly id: number; readonly error: ThreadError };

export class EncodePool implements Encoding, AsyncDisposable {
  readonly #count: number;
  readonly #lanes: Lane[] = [];

  /** Threads are started when they are first needed. */
  constructor(threads: number) {
    this.#count = threads;
  }

  open(options: WriterOptions, files: StagedSstable): FileEncoder {
    return new RemoteEncoder(this.#laneOf(), options, files);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.splice(0).map((lane) => lane.close()));
  }

  /** The one with the fewest files. */
  #laneOf(): Lane {
    const idle = this.#lanes.find(({ files }) => files === 0);
    if (idle) return idle;
    if (this.#lanes.length < this.#count) {
      const lane = new Lane();
      this.#lanes.push(lane);
      return lane;
    }
    return this.#lanes.reduce((least, lane) => (lane.files < least.files ? lane : least));
  }
}

type Listener = (reply: EncodeReply | Error) => void;

/** One thread, and who waits for what it says. */
class Lane {
  readonly #worker = new Worker(moduleUrl('./encode-worker.ts', import.meta.url), {
    resourceLimits: threadLimits,
  });
  readonly #listeners = new Map<number, Listener>();
  #failure: Error | undefined;
  #next = 0;

  constructor() {
    const worker = this.#worker;
    worker.on('message', (reply: EncodeReply) => this.#listeners.get(reply.id)?.(reply));
    worker.on('error', (error) => this.#fail(error as Error));
    worker.on('exit', (code) =>
      this.#fail(new Error(`an encoding thread ended with code ${code}`)),
    );
    worker.unref();
  }

  get files(): number {
    return this.#listeners.size;
  }

  begin(listener: Listener): number {
    if (this.#listeners.size === 0) this.#worker.ref();
    this.#next += 1;
    this.#listeners.set(this.#next, listener);
    if (this.#failure) listener(this.#failure);
    return this.#next;
  }

  end(id: number): void {
    this.#listeners.delete(id);
    // An idle thread does not keep the process alive.
    if (this.#listeners.size === 0) this.#worker.unref();
  }

  say(request: EncodeRequest, transferred: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transferred);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const listener of [...this.#listeners.values()]) listener(this.#failure);
  }
}

class RemoteEncoder implements FileEncoder {
  dataBytes = 0;
  readonly #lane: Lane;
  readonly #id: number;
  readonly #files: StagedSstable;
  readonly #isHere: boolean;
  #unanswered = 0;
  #failure: Error | undefined;
  #hasDied = false;
  #ended: EncodedFile | undefined;
  #waiting: (() => void) | undefined;

  constructor(lane: Lane, options: WriterOptions, files: StagedSstable) {
    this.#lane = lane;
    this.#files = files;
    this.#isHere = files.isHere;
    this.#id = lane.begin((reply) => this.#hear(reply));
    const { partitioner, ...plain } = options;
    const place = this.#isHere && { place: files.place };
    const job = { ...plain, partitioner: partitioner?.className, ...place };
    lane.say({ kind: 'open', id: this.#id, job });
  }

  async write(block: RecordBlock): Promise<void> {
    while (this.#unanswered >= blocksAheadMax && !this.#failure) await this.#reply();
    if (this.#failure) throw this.#failure;
    // What a block views may be viewed by others.
    const own = ownBlock(block);
    this.#unanswered += 1;
    const request = { kind: 'block', id: this.#id, block: own } as const;
    this.#lane.say(request, [own.bytes.buffer, own.bounds.buffer] as ArrayBuffer[]);
  }

  async finish(): Promise<EncodedFile> {
    this.#lane.say({ kind: 'finish', id: this.#id });
    while (!this.#ended && !this.#failure) await this.#reply();
    if (!this.#ended) throw this.#failure;
    this.#lane.end(this.#id);
    if (!this.#isHere) await this.#files.close();
    return this.#ended;
  }

  async discard(): Promise<void> {
    this.#lane.say({ kind: 'discard', id: this.#id });
    while (!this.#ended && !this.#hasDied) await this.#reply();
    this.#lane.end(this.#id);
    if (!this.#isHere) await this.#files.discard();
  }

  /** Bytes for other machines; the thread waits for the answer. */
  async #store(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    const answer = { kind: 'stored', id: this.#id } as const;
    try {
      await this.#files.write(component, bytes);
      this.#lane.say(answer);
    } catch (error) {
      this.#lane.say({ ...answer, error: packError(error) });
    }
  }

  #hear(reply: EncodeReply | Error): void {
    if (reply instanceof Error) {
      this.#failure ??= reply;
      this.#hasDied = true;
    } else if (reply.kind === 'bytes') {
      void this.#store(reply.component, reply.bytes);
      return;
    } else if (reply.kind === 'failed') this.#failure ??= unpackError(reply.error);
    else if (reply.kind === 'ended') this.#ended = reply.file;
    else {
      this.#unanswered -= 1;
      this.dataBytes = reply.dataBytes;
    }
    this.#waiting?.();
  }

  #reply(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}
