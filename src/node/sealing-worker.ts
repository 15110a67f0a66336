// The thread behind `sealing-pool.ts`: one job after the other, no state but the key that names blobs.
import { parentPort, workerData } from 'node:worker_threads';
import { packError } from '../base/thread-error.ts';
import { openFrame, sealVerifiedFrame } from '../repository/frame/frame-codec.ts';
import { namesOf, type SealerOptions } from '../repository/frame/sealer.ts';
import type { SealingJob, SealingReply, SealingRequest } from './sealing-pool.ts';

const options = workerData as SealerOptions;

parentPort?.on('message', ({ number, job }: SealingRequest) => {
  let reply: SealingReply;
  try {
    reply = { number, ...perform(job) };
  } catch (error) {
    reply = { number, failure: packError(error) };
  }
  parentPort?.postMessage(reply, 'result' in reply ? buffersOf(reply) : []);
});

function perform(job: SealingJob): {
  readonly result: Uint8Array<ArrayBuffer>;
  readonly raw?: Uint8Array<ArrayBuffer>;
} {
  switch (job.kind) {
    case 'hash':
      return { result: namesOf(options.idKey, job.batch), raw: job.batch.raw };
    case 'seal':
      return { result: sealVerifiedFrame(job.raw, job.seal, options.level) };
    case 'open': {
      const raw = openFrame(job.request.stored, job.request.seal, job.request);
      return { result: ownBuffer(raw) };
    }
  }
}

/** Unused bytes that go along with a buffer rather than be left behind by a copy. */
const slackBytesMax = 1024;

/** Bytes whose buffer can be given away: not a slice of a pool or of something much longer. */
function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, length } = bytes;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength <= length + slackBytesMax;
  // Buffers of the pool cannot be transferred.
  const mayBePooled = buffer.byteLength === Buffer.poolSize;
  return isOwn && !mayBePooled ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

function buffersOf(reply: {
  readonly result: Uint8Array<ArrayBuffer>;
  readonly raw?: Uint8Array<ArrayBuffer>;
}): ArrayBuffer[] {
  return reply.raw ? [reply.result.buffer, reply.raw.buffer] : [reply.result.buffer];
}
