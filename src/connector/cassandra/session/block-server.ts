// The side of a thread of `block-pool.ts`: one job at a time. Blocks go to the other side as they are made, a few
// ahead of what it has asked for.
import { parentPort } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { Semaphore, untilAborted } from '../../../base/async.ts';
import { packError } from '../../../base/thread-error.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { blocksAheadMax, type JobReply, type JobRequest } from './block-pool.ts';
import { localFiles } from './local-files.ts';
import { JobFileError } from './merge-files.ts';
import type { ReadsOf } from './node-files.ts';
import { AskedFiles } from './thread-files.ts';

interface Run {
  readonly stop: AbortController;
  /** Blocks that may be sent. */
  readonly room: Semaphore;
}

/** Performs jobs until the thread ends. The memory of the blocks that a job gives is given away. */
export function serveBlocks<Job>(
  blocksOf: (job: Job, filesOf: ReadsOf, signal: AbortSignal) => BlockStream,
): void {
  let run: Run | undefined;
  const asked = new AskedFiles((question) => parentPort?.postMessage(question));
  const filesOf: ReadsOf = (peer) => (peer === undefined ? localFiles : asked.of(peer));
  /** Says `end` or `failure` once, as the last of a job. */
  const perform = async (job: Job, { stop, room }: Run): Promise<void> => {
    let last: JobReply = { kind: 'end' };
    try {
      for await (const { bytes, bounds, count } of blocksOf(job, filesOf, stop.signal)) {
        await untilAborted(room.take(), stop.signal);
        const block: JobReply = { kind: 'block', block: { bytes, bounds, count } };
        parentPort?.postMessage(block, [bytes.buffer, bounds.buffer] as ArrayBuffer[]);
      }
    } catch (error) {
      last =
        error instanceof JobFileError
          ? { kind: 'failure', error: packError(error.cause), file: error.index }
          : { kind: 'failure', error: packError(error) };
    }
    run = undefined;
    parentPort?.postMessage(last);
  };
  parentPort?.on('message', (request: JobRequest<Job>) => {
    if (request.kind === 'start') {
      assert(run === undefined, 'a thread has one job at a time');
      run = { stop: new AbortController(), room: new Semaphore(blocksAheadMax) };
      void perform(request.job, run);
    } else if (request.kind === 'file') asked.heard(request);
    else if (request.kind === 'more') run?.room.give();
    else run?.stop.abort();
  });
}
