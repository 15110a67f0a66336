// Reads parts of tables that a cut on another peer has described. It opens nothing but the files that are named, and
// only when they are what that peer saw: other machines may have other files at the same paths.
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { RecordStream } from '../../../model/record.ts';
import { batchesOf } from '../../../model/record-block.ts';
import type { ConnectorContext } from '../../connector.ts';
import type { CutPartReader } from '../../cut-dataset.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import { FileExtents } from './file-inputs.ts';
import { MergePool } from './merge-pool.ts';
import { identityOf, type ListedSstable, openSstable, readComponent } from './node-files.ts';
import type { SortingSpace } from './owned-blocks.ts';
import { partFromText } from './part-text.ts';
import { PartFileError, partBlocks, type TablePart } from './table-part.ts';

export interface PartReaderOptions {
  readonly filesOf: FilesOf;
  readonly sorting: SortingSpace;
}

export class CassandraPartReader implements CutPartReader {
  readonly #options: PartReaderOptions;
  readonly #pool: MergePool | undefined;
  /** Files that were looked at, and are as described. */
  readonly #seen = new Set<string>();

  constructor(options: PartReaderOptions, { workers }: Pick<ConnectorContext, 'workers'>) {
    this.#options = options;
    this.#pool = workers ? new MergePool(workers) : undefined;
  }

  async *records(described: unknown, signal: AbortSignal): RecordStream {
    const { filesOf, sorting } = this.#options;
    try {
      const part = partFromText(described);
      await this.#look(part, signal);
      const extents = new FileExtents(murmur3Partitioner, filesOf);
      const place = { filesOf, extents, sorting, pool: this.#pool };
      yield* batchesOf(partBlocks(part, place, signal));
    } catch (error) {
      signal.throwIfAborted();
      throw toldElsewhere(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
  }

  /** Errors: `peer-lost` where a file is another one from here. */
  async #look({ files }: TablePart, signal: AbortSignal): Promise<void> {
    for (const { listed } of files) {
      signal.throwIfAborted();
      const name = `${listed.hostId} ${listed.folder} ${identityOf(listed)}`;
      if (this.#seen.has(name)) continue;
      await this.#lookAt(listed);
      this.#seen.add(name);
    }
  }

  async #lookAt(listed: ListedSstable): Promise<void> {
    const { filesOf } = this.#options;
    await using held = openSstable(listed, filesOf);
    const { size } = await held.open('Data.db');
    const digest = await readComponent(listed, 'Digest.crc32', filesOf(listed.peer));
    const seen = identityOf({ ...listed, dataBytes: size, digest: digest.toString('utf8').trim() });
    if (seen === identityOf(listed)) return;
    const message = `${listed.folder}: ${identityOf(listed)} is ${seen} from here`;
    throw new CodrError('peer-lost', message, { object: listed.folder });
  }
}

/** Damage is looked at by whoever described the part; all else is a matter of where it is read. */
function toldElsewhere(error: unknown): unknown {
  const isFile = error instanceof PartFileError;
  const cause = isFile ? error.cause : error;
  if (!isCodrError(cause)) return cause;
  const { code, message } = cause;
  if (code === 'peer-lost') return cause;
  const object = isFile ? error.listed.folder : cause.object;
  const isDamage = code === 'file-damaged' || code === 'source-unfit';
  return new CodrError(isDamage ? 'file-damaged' : 'peer-lost', message, {
    ...(object && { object }),
    cause,
  });
}
