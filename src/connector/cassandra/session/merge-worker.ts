// The thread behind `merge-pool.ts`: one job at a time. Blocks go to the other side as they are made, a few ahead of
// what it has asked for.
import { parentPort } from 'node:worker_threads';
import { assert } from '../../../base/assert.ts';
import { Semaphore, untilAborted } from '../../../base/async.ts';
import { packError } from '../../../base/thread-error.ts';
import { localFiles } from './local-files.ts';
import { JobFileError, type MergeJob, mergeFiles } from './merge-files.ts';
import { blocksAheadMax, type MergeReply, type MergeRequest } from './merge-pool.ts';
import type { ReadsOf } from './node-files.ts';
import { AskedFiles } from './thread-files.ts';

interface Run {
  readonly stop: AbortController;
  /** Blocks that may be sent. */
  readonly room: Semaphore;
}

let run: Run | undefined;

const asked = new AskedFiles((question) => parentPort?.postMessage(question));
const filesOf: ReadsOf = (peer) => (peer === undefined ? localFiles : asked.of(peer));

parentPort?.on('message', (request: MergeRequest) => {
  if (request.kind === 'start') {
    assert(run === undefined, 'a thread merges one part at a time');
    run = { stop: new AbortController(), room: new Semaphore(blocksAheadMax) };
    void perform(request.job, run);
  } else if (request.kind === 'file') asked.heard(request);
  else if (request.kind === 'more') run?.room.give();
  else run?.stop.abort();
});

/** Says `end` or `failure` once, as the last of a job. */
async function perform(job: MergeJob, { stop, room }: Run): Promise<void> {
  let last: MergeReply = { kind: 'end' };
  try {
    for await (const { bytes, bounds, count } of mergeFiles(job, filesOf, stop.signal)) {
      await untilAborted(room.take(), stop.signal);
      const block: MergeReply = { kind: 'block', block: { bytes, bounds, count } };
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
}
