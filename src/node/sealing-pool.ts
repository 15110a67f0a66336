// The Sealer in worker threads: hashing, compressing and encrypting beside the thread that reads and
// writes. Buffers are transferred, not copied; jobs go to the worker that has the fewest.
import { Worker } from 'node:worker_threads';
import { moduleUrl } from '../base/module-url.ts';
import { type ThreadError, unpackError } from '../base/thread-error.ts';
import { threadLimits } from '../base/thread-limits.ts';
import type { FrameSeal } from '../repository/frame/frame-codec.ts';
import {
  type BlobBatch,
  type NamedBatch,
  type OpenRequest,
  type Sealer,
  type SealerOptions,
  splitIds,
} from '../repository/frame/sealer.ts';

/** What a worker is asked. Buffers in it are transferred. */
export type SealingJob =
  | { readonly kind: 'hash'; readonly batch: BlobBatch }
  | { readonly kind: 'seal'; readonly raw: Uint8Array<ArrayBuffer>; readonly seal: FrameSeal }
  | { readonly kind: 'open'; readonly request: OpenRequest };

export interface SealingRequest {
  readonly number: number;
  readonly job: SealingJob;
}

/** `raw` comes back from `hash`; `result` is ids, the sealed frame or the raw frame. */
export type SealingReply = { readonly number: number } & (
  | { readonly result: Uint8Array<ArrayBuffer>; readonly raw?: Uint8Array<ArrayBuffer> }
  | { readonly failure: ThreadError }
);

type Done = Extract<SealingReply, { readonly result: Uint8Array<ArrayBuffer> }>;

interface Waiting {
  readonly resolve: (reply: Done) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  failure: Error | undefined;
}

/** How many jobs run at once is the caller's to bound (`framesInFlightMax` of the BlobStore). */
export class SealingPool implements Sealer {
  readonly #lanes: Lane[];
  #number = 0;

  constructor(options: SealerOptions & { readonly workers: number }) {
    this.#lanes = Array.from({ length: options.workers }, () => openLane(options));
  }

  async hash(batch: BlobBatch): Promise<NamedBatch> {
    const { result, raw } = await this.#run({ kind: 'hash', batch }, [batch.raw.buffer]);
    return { raw: raw as Uint8Array<ArrayBuffer>, ids: splitIds(result) };
  }

  async seal(raw: Uint8Array<ArrayBuffer>, seal: FrameSeal): Promise<Uint8Array> {
    const job: SealingJob = { kind: 'seal', raw, seal: compact(seal) };
    return (await this.#run(job, [raw.buffer])).result;
  }

  async open(request: OpenRequest): Promise<Uint8Array> {
    // Copied: the stored frame is usually part of a larger read.
    const stored = new Uint8Array(request.stored);
    const seal = compact(request.seal);
    const job: SealingJob = { kind: 'open', request: { ...request, stored, seal } };
    return (await this.#run(job, [stored.buffer])).result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map(({ worker }) => worker.terminate()));
  }

  #run(job: SealingJob, transfer: ArrayBuffer[]): Promise<Done> {
    // One that has ended waits for nothing, and would get all.
    const alive = this.#lanes.filter(({ failure }) => !failure);
    const lanes = alive.length > 0 ? alive : this.#lanes;
    const lane = lanes.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      if (lane.failure) {
        reject(lane.failure);
        return;
      }
      if (lane.waiting.size === 0) lane.worker.ref();
      lane.waiting.set(number, { resolve, reject });
      const request: SealingRequest = { number, job };
      lane.worker.postMessage(request, transfer);
    });
  }
}

/** A message clones the whole buffer behind each view, which may be a pool of 64 KiB. */
function compact(seal: FrameSeal): FrameSeal {
  const { key, repositoryId, salt } = seal;
  return {
    ...seal,
    key: new Uint8Array(key),
    repositoryId: new Uint8Array(repositoryId),
    salt: new Uint8Array(salt),
  };
}

function openLane(options: SealerOptions): Lane {
  const worker = new Worker(moduleUrl('./sealing-worker.ts', import.meta.url), {
    workerData: { idKey: options.idKey, level: options.level },
    resourceLimits: threadLimits,
  });
  const lane: Lane = { worker, waiting: new Map(), failure: undefined };
  const fail = (error: Error): void => {
    lane.failure ??= error;
    for (const { reject } of lane.waiting.values()) reject(lane.failure);
    lane.waiting.clear();
  };
  worker.on('message', (reply: SealingReply) => {
    const waiting = lane.waiting.get(reply.number);
    lane.waiting.delete(reply.number);
    // An idle worker does not keep the process alive.
    if (lane.waiting.size === 0) worker.unref();
    if ('failure' in reply) waiting?.reject(unpackError(reply.failure));
    else waiting?.resolve(reply);
  });
  worker.on('error', (error) => fail(error as Error));
  worker.on('exit', (code) => fail(new Error(`a sealing worker ended with code ${code}`)));
  worker.unref();
  return lane;
}
