// Every kind of work that a peer does for others, by the kind of its order.
import type { Clock } from '../../base/clock.ts';
import { CodrError } from '../../base/error.ts';
import type { WorkContext, WorkOrder } from '../../cluster/work-pool.ts';
import { cutPieceKind, cutPieceWork, type WorkerReader } from '../capture/cut-piece.ts';
import { segmentWork, type WorkerSource } from '../capture/segment-worker.ts';
import { segmentKind } from '../capture/segments.ts';
import { foldKind, foldWork, type WorkerPoint } from '../read/fold-work.ts';
import { rangeKind, rangeWork, type WorkerRestore } from '../restore/range-order.ts';
import type { SourceContext } from '../source-context.ts';
import { IdleCache } from './idle-cache.ts';
import { OpenedHere } from './opened-here.ts';

/** What is open stays so between two orders that come not further apart. */
const idleMs = 30_000;

export interface WorkersOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** The source of that lineage as it is now, with its committed content learnt. */
  openSource(lineage: string): Promise<SourceContext>;
}

/** The worker's side of {@link WorkPool}. */
export class Workers implements AsyncDisposable {
  readonly #sources: IdleCache<WorkerSource>;
  readonly #readers: IdleCache<WorkerReader>;
  readonly #restores: OpenedHere<WorkerRestore>;
  readonly #points: OpenedHere<WorkerPoint>;
  readonly #openSource: WorkersOptions['openSource'];

  constructor({ clock, openSource }: WorkersOptions) {
    this.#sources = new IdleCache(clock, idleMs);
    this.#readers = new IdleCache(clock, idleMs);
    this.#restores = new OpenedHere(new IdleCache(clock, idleMs), openSource);
    this.#points = new OpenedHere(new IdleCache(clock, idleMs), openSource);
    this.#openSource = openSource;
  }

  /** Errors: `peer-lost` for a kind that this version does not know; those of the work. */
  async run({ kind, input }: WorkOrder, work: WorkContext): Promise<unknown> {
    const openSource = this.#openSource;
    if (kind === segmentKind) {
      return await segmentWork(input, work, { sources: this.#sources, openSource });
    }
    if (kind === cutPieceKind) {
      return await cutPieceWork(input, work, { readers: this.#readers, openSource });
    }
    if (kind === rangeKind) return await rangeWork(input, work, this.#restores);
    if (kind === foldKind) return await foldWork(input, work, this.#points);
    throw new CodrError('peer-lost', `this version does no work of kind ${kind}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sources[Symbol.asyncDispose]();
    await this.#readers[Symbol.asyncDispose]();
    await this.#restores[Symbol.asyncDispose]();
    await this.#points[Symbol.asyncDispose]();
  }
}
