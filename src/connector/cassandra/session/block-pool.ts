// Jobs that give blocks, in threads of their own, so that decompressing, parsing and merging use all processors. A
// thread has one job at a time and is a few blocks ahead of who reads it; blocks are transferred, not copied.
import { Worker } from 'node:worker_threads';
import { Semaphore, untilAborted } from '../../../base/async.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import { type ThreadError, unpackError } from '../../../base/thread-error.ts';
import { threadLimits } from '../../../base/thread-limits.ts';
import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { JobFileError } from './merge-files.ts';
import { AnsweredFiles, type FileAnswer, type FileQuestion } from './thread-files.ts';

/** Blocks of a part that wait on this side, about 256 KiB each. */
export const blocksAheadMax = 4;

export type JobRequest<Job> =
  | FileAnswer
  | { readonly kind: 'start'; readonly job: Job }
  | { readonly kind: 'more' }
  | { readonly kind: 'stop' };

/** After `end` and `failure` the thread is free. */
export type JobReply =
  | FileQuestion
  | { readonly kind: 'block'; readonly block: RecordBlock }
  | { readonly kind: 'end' }
  /** `file`: which one of the job cannot be read. */
  | { readonly kind: 'failure'; readonly error: ThreadError; readonly file?: number };

export class BlockPool<Job> implements AsyncDisposable {
  readonly #threads: Semaphore;
  readonly #count: number;
  readonly #module: URL;
  readonly #idle: Lane<Job>[] = [];
  readonly #lanes: Lane<Job>[] = [];

  /** Threads are started when they are first needed. `module`: what {@link serveBlocks} runs in. */
  constructor(threads: number, module: URL) {
    this.#threads = new Semaphore(threads);
    this.#count = threads;
    this.#module = module;
  }

  /** Jobs that run at once. */
  get threads(): number {
    return this.#count;
  }

  /** What the job gives, and throws. Waits for a thread; leaving the stream stops the job. */
  async *run(job: Job, filesOf: FilesOf, signal: AbortSignal): BlockStream {
    await this.#threads.take();
    const lane = this.#idle.pop() ?? this.#open();
    try {
      yield* lane.run(job, filesOf, signal);
    } finally {
      if (!lane.hasDied) this.#idle.push(lane);
      this.#threads.give();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #open(): Lane<Job> {
    const lane = new Lane<Job>(this.#module);
    this.#lanes.push(lane);
    return lane;
  }
}

/** One thread and what it has said. */
class Lane<Job> {
  readonly #worker: Worker;
  readonly #replies: Exclude<JobReply, FileQuestion>[] = [];
  /** Of the job that runs. */
  #files: AnsweredFiles | undefined;
  #failure: Error | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(module: URL) {
    const worker = new Worker(module, { resourceLimits: threadLimits });
    this.#worker = worker;
    worker.on('message', (reply: JobReply) => {
      if (reply.kind === 'file') return void this.#files?.heard(reply);
      this.#replies.push(reply);
      this.#heard();
    });
    worker.on('error', (error) => this.#fail(error as Error));
    worker.on('exit', (code) => this.#fail(new Error(`a reading thread ended with code ${code}`)));
  }

  get hasDied(): boolean {
    return this.#failure !== undefined;
  }

  async *run(job: Job, filesOf: FilesOf, signal: AbortSignal): BlockStream {
    signal.throwIfAborted();
    const files = new AnsweredFiles(filesOf, (answer, transfer) =>
      this.#worker.postMessage(answer, transfer),
    );
    this.#files = files;
    this.#worker.ref();
    this.#say({ kind: 'start', job });
    let isRunning = true;
    try {
      for (;;) {
        await untilAborted(this.#hasReply(), signal);
        const reply = this.#take();
        if (reply.kind === 'block') {
          yield reply.block;
          this.#say({ kind: 'more' });
          continue;
        }
        isRunning = false;
        if (reply.kind === 'end') return;
        const error = unpackError(reply.error);
        throw reply.file === undefined ? error : new JobFileError(reply.file, error);
      }
    } finally {
      if (isRunning) await this.#stop();
      await files.end();
      // An idle thread does not keep the process alive.
      this.#worker.unref();
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Waits for the end of the job; a thread that has died has ended it too. */
  async #stop(): Promise<void> {
    this.#say({ kind: 'stop' });
    for (let last = false; !last && !this.hasDied; ) {
      await this.#hasReply();
      last = this.#replies.shift()?.kind !== 'block';
    }
  }

  /** Takes nothing: whoever has stopped waiting has lost nothing. */
  async #hasReply(): Promise<void> {
    while (this.#replies.length === 0 && !this.#failure) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  #take(): Exclude<JobReply, FileQuestion> {
    const reply = this.#replies.shift();
    if (reply) return reply;
    throw this.#failure ?? new Error('a reading thread has said nothing');
  }

  #say(request: JobRequest<Job>): void {
    this.#worker.postMessage(request);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#heard();
  }

  #heard(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
