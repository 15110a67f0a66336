// Merges of parts of tables in threads of their own, so that decompressing, parsing and merging use all processors.
// A thread has one part at a time and is a few blocks ahead of who reads it; blocks are transferred, not copied.
import { Worker } from 'node:worker_threads';
import { Semaphore, untilAborted } from '../../../base/async.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import { moduleUrl } from '../../../base/module-url.ts';
import { type ThreadError, unpackError } from '../../../base/thread-error.ts';
import type { BlockStream, RecordBlock } from '../../../model/record-block.ts';
import { JobFileError, type MergeJob } from './merge-files.ts';
import { AnsweredFiles, type FileAnswer, type FileQuestion } from './thread-files.ts';

/** Blocks of a part that wait on this side, about 256 KiB each. */
export const blocksAheadMax = 4;

export type MergeRequest =
  | FileAnswer
  | { readonly kind: 'start'; readonly job: MergeJob }
  | { readonly kind: 'more' }
  | { readonly kind: 'stop' };

/** After `end` and `failure` the thread is free. */
export type MergeReply =
  | FileQuestion
  | { readonly kind: 'block'; readonly block: RecordBlock }
  | { readonly kind: 'end' }
  /** `file`: which one of the job cannot be read. */
  | { readonly kind: 'failure'; readonly error: ThreadError; readonly file?: number };

export class MergePool implements AsyncDisposable {
  readonly #threads: Semaphore;
  readonly #count: number;
  readonly #idle: Lane[] = [];
  readonly #lanes: Lane[] = [];

  /** Threads are started when they are first needed. */
  constructor(threads: number) {
    this.#threads = new Semaphore(threads);
    this.#count = threads;
  }

  /** Jobs that run at once. */
  get threads(): number {
    return this.#count;
  }

  /** What `mergeFiles` gives, and throws. Waits for a thread; leaving the stream stops the job. */
  async *merged(job: MergeJob, filesOf: FilesOf, signal: AbortSignal): BlockStream {
    await this.#threads.take();
    const lane = this.#idle.pop() ?? this.#open();
    try {
      yield* lane.run(hereOf(job, filesOf), filesOf, signal);
    } finally {
      if (!lane.hasDied) this.#idle.push(lane);
      this.#threads.give();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  #open(): Lane {
    const lane = new Lane();
    this.#lanes.push(lane);
    return lane;
  }
}

/** Files of peers that turn out to be of this machine are read by the thread itself. */
function hereOf(job: MergeJob, filesOf: FilesOf): MergeJob {
  const files = job.files.map(({ listed, ...more }) => {
    const { peer, ...here } = listed;
    return { ...more, listed: filesOf(peer).isHere ? here : listed };
  });
  return { ...job, files };
}

/** One thread and what it has said. */
class Lane {
  readonly #worker = new Worker(moduleUrl('./merge-worker.ts', import.meta.url));
  readonly #replies: Exclude<MergeReply, FileQuestion>[] = [];
  /** Of the job that runs. */
  #files: AnsweredFiles | undefined;
  #failure: Error | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor() {
    const worker = this.#worker;
    worker.on('message', (reply: MergeReply) => {
      if (reply.kind === 'file') return void this.#files?.heard(reply);
      this.#replies.push(reply);
      this.#heard();
    });
    worker.on('error', (error) => this.#fail(error as Error));
    worker.on('exit', (code) => this.#fail(new Error(`a merging thread ended with code ${code}`)));
  }

  get hasDied(): boolean {
    return this.#failure !== undefined;
  }

  async *run(job: MergeJob, filesOf: FilesOf, signal: AbortSignal): BlockStream {
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

  #take(): Exclude<MergeReply, FileQuestion> {
    const reply = this.#replies.shift();
    if (reply) return reply;
    throw this.#failure ?? new Error('a merging thread has said nothing');
  }

  #say(request: MergeRequest): void {
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
