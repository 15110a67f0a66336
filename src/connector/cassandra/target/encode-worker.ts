// The thread behind `encode-pool.ts`: writes SSTables, each of its own blocks in their order, several side by side.
import { parentPort } from 'node:worker_threads';
import { packError, type ThreadError, unpackError } from '../../../base/thread-error.ts';
import { partitionerNamed } from '../key/partitioner.ts';
import { localFiles } from '../session/local-files.ts';
import { type SstableComponent, SstableWriter } from '../sstable/write-sstable.ts';
import type { EncodeJob, EncodeReply, EncodeRequest } from './encode-pool.ts';
import { StagedSstable } from './staging.ts';

type FileRequest = Exclude<EncodeRequest, { kind: 'open' | 'stored' }>;

/** Each file does one thing after the other; after an error only `discard`. */
class OpenFile {
  readonly #id: number;
  /** Absent: another thread writes. */
  readonly #files: StagedSstable | undefined;
  readonly #writer: SstableWriter;
  #storing: PromiseWithResolvers<void> | undefined;
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(id: number, { place, partitioner, ...options }: EncodeJob) {
    this.#id = id;
    this.#files = place && new StagedSstable(place, () => localFiles);
    const named = partitioner === undefined ? undefined : partitionerNamed(partitioner);
    this.#writer = new SstableWriter(
      { ...options, ...(named && { partitioner: named }) },
      this.#files ?? { write: (component, bytes) => this.#give(component, bytes) },
    );
  }

  stored(error: ThreadError | undefined): void {
    if (error) this.#storing?.reject(unpackError(error));
    else this.#storing?.resolve();
  }

  take(request: FileRequest): void {
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

  /** One call at a time: the writer waits for each. */
  async #give(component: SstableComponent, bytes: Uint8Array): Promise<void> {
    const own = Uint8Array.from(bytes);
    this.#storing = Promise.withResolvers();
    const reply: EncodeReply = { kind: 'bytes', id: this.#id, component, bytes: own };
    parentPort?.postMessage(reply, [own.buffer]);
    await this.#storing.promise;
  }

  async #perform(request: FileRequest): Promise<EncodeReply> {
    const id = this.#id;
    if (request.kind === 'block') {
      await this.#writer.write(request.block);
      return { kind: 'written', id, dataBytes: this.#writer.dataBytes };
    }
    if (request.kind === 'discard') {
      open.delete(id);
      await this.#files?.discard();
      return { kind: 'ended', id, file: { bytes: 0, cappedExpiries: 0 } };
    }
    const { bytes, cappedExpiries } = await this.#writer.finish();
    await this.#files?.close();
    open.delete(id);
    return { kind: 'ended', id, file: { bytes, cappedExpiries } };
  }
}

const open = new Map<number, OpenFile>();
const say = (reply: EncodeReply): void => parentPort?.postMessage(reply);

parentPort?.on('message', (request: EncodeRequest) => {
  const { kind, id } = request;
  if (kind === 'open') open.set(id, new OpenFile(id, request.job));
  else if (kind === 'stored') open.get(id)?.stored(request.error);
  else open.get(id)?.take(request);
});
