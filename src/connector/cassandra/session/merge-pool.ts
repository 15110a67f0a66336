// Merges of parts of tables in threads.
import type { FilesOf } from '../../../base/file-access.ts';
import { moduleUrl } from '../../../base/module-url.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { BlockPool } from './block-pool.ts';
import type { MergeJob } from './merge-files.ts';

export class MergePool implements AsyncDisposable {
  readonly #pool: BlockPool<MergeJob>;

  constructor(threads: number) {
    this.#pool = new BlockPool(threads, moduleUrl('./merge-worker.ts', import.meta.url));
  }

  /** Jobs that run at once. */
  get threads(): number {
    return this.#pool.threads;
  }

  /** What `mergeFiles` gives, and throws. Waits for a thread; leaving the stream stops the job. */
  merged(job: MergeJob, filesOf: FilesOf, signal: AbortSignal): BlockStream {
    return this.#pool.run(hereOf(job, filesOf), filesOf, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
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
