// Every kind of work that a peer does for others, by the kind of its order.
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import type { Repository } from '../../repository/repository.ts';
import { cutPieceKind, cutPieceWork, type WorkerReader } from '../capture/cut-piece.ts';
import { segmentWork, type WorkerSource } from '../capture/segment-worker.ts';
import { segmentKind } from '../capture/segments.ts';
import { foldKind, foldWork, type WorkerPoint } from '../read/fold-work.ts';
import { isRangeKind, rangeWork, type WorkerRestore } from '../restore/range-order.ts';
import type { SourceContext } from '../source-context.ts';
import { compareKind, compareWork, type WorkerCompare } from '../verify/compare-work.ts';
import { packsKind, packsWork } from '../verify/pack-order.ts';
import { IdleCache } from './idle-cache.ts';
import { OpenedHere } from './opened-here.ts';

/** What is open stays so between two orders that come not further apart. */
const idleMs = 30_000;

export interface WorkersOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** The source of that lineage as it is now, with its committed content learnt. */
  openSource(lineage: string): Promise<SourceContext>;
  openRepository(): Promise<Repository>;
}

/** The worker's side of {@link WorkPool}. */
export class Workers implements AsyncDisposable {
  readonly #openRepository: WorkersOptions['openRepository'];
  readonly #sources: OpenedHere<WorkerSource>;
  readonly #readers: OpenedHere<WorkerReader>;
  readonly #restores: OpenedHere<WorkerRestore>;
  readonly #points: OpenedHere<WorkerPoint>;
  readonly #compares: OpenedHere<WorkerCompare>;

  constructor({ clock, openSource, openRepository }: WorkersOptions) {
    this.#openRepository = openRepository;
    const opened = <T extends AsyncDisposable>(): OpenedHere<T> =>
      new OpenedHere<T>(new IdleCache(clock, idleMs), openSource);
    this.#sources = opened();
    this.#readers = opened();
    this.#restores = opened();
    this.#points = opened();
    this.#compares = opened();
  }

  /** Errors: `peer-lost` for a kind that this version does not know; those of the work. */
  async run({ kind, input }: WorkOrder, work: WorkContext): Promise<unknown> {
    if (kind === segmentKind) return await segmentWork(input, work, this.#sources);
    if (kind === cutPieceKind) return await cutPieceWork(input, work, this.#readers);
    if (isRangeKind(kind)) return await rangeWork(input, work, this.#restores);
    if (kind === foldKind) return await foldWork(input, work, this.#points);
    if (kind === compareKind) return await compareWork(input, work, this.#compares);
    if (kind === packsKind) return await packsWork(input, work, await this.#openRepository());
    throw new CodrError('peer-lost', `this version does no work of kind ${kind}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sources[Symbol.asyncDispose]();
    await this.#readers[Symbol.asyncDispose]();
    await this.#restores[Symbol.asyncDispose]();
    await this.#points[Symbol.asyncDispose]();
    await this.#compares[Symbol.asyncDispose]();
  }
}
