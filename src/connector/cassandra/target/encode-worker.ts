// The thread behind `encode-pool.ts`: writes SSTables, each of its own blocks in their order, several side by side.
import { parentPort } from 'node:worker_threads';
import { packError } from '../../../base/thread-error.ts';
import { partitionerNamed } from '../key/partitioner.ts';
import { localFiles } from '../session/local-files.ts';
import { SstableWriter } from '../sstable/write-sstable.ts';
import type { EncodeJob, EncodeReply, EncodeRequest } from './encode-pool.ts';
import { StagedSstable } from './staging.ts';

/** Each file does one thing after the other; after an error only `discard`. */
class OpenFile {
  readonly #id: number;
  readonly #files: StagedSstable;
  readonly #writer: SstableWriter;
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(id: number, { place, partitioner, ...options }: EncodeJob) {
    this.#id = id;
    this.#files = new StagedSstable(place, () => localFiles);
    const named = partitioner === undefined ? undefined : partitionerNamed(partitioner);
    this.#writer = new SstableWriter(
      { ...options, ...(named && { partitioner: named }) },
      this.#files,
    );
  }

  take(request: Exclude<EncodeRequest, { kind: 'open' }>): void {
    this.#last = this.#last.then(async () => {
      if (this.#hasFailed && request.kind !== 'discard') return;
      try {
        say(await this.#perform(request));
      } catch (error) {
        this.#hasFailed = true;
        say({ kind: 'failed', id: this.#id, error: packError(error) });
      }
    });
  }

  async #perform(request: Exclude<EncodeRequest, { kind: 'open' }>): Promise<EncodeReply> {
    const id = this.#id;
    if (request.kind === 'block') {
      await this.#writer.write(request.block);
      return { kind: 'written', id, dataBytes: this.#writer.dataBytes };
    }
    if (request.kind === 'discard') {
      open.delete(id);
      await this.#files.discard();
      return { kind: 'ended', id, file: { bytes: 0, cappedExpiries: 0 } };
    }
    const { bytes, cappedExpiries } = await this.#writer.finish();
    await this.#files.close();
    open.delete(id);
    return { kind: 'ended', id, file: { bytes, cappedExpiries } };
  }
}

const open = new Map<number, OpenFile>();
const say = (reply: EncodeReply): void => parentPort?.postMessage(reply);

parentPort?.on('message', (request: EncodeRequest) => {
  if (request.kind === 'open') open.set(request.id, new OpenFile(request.id, request.job));
  else open.get(request.id)?.take(request);
});
