// A log that nobody writes to tells nothing, and the newest moment that can be restored grows old with it.
// Shortly before a commit is due, a source that has been quiet is asked for an entry of its own, so that the
// commit reaches up to about now. Why: docs/decisions/0008-quiet-sources-are-asked.md.
import type { SourceSession } from '../../connector/connector.ts';
import type { EngineWorld } from '../source-context.ts';

/** Parts of the recovery point objective: after how much of it one looks, and how long a quiet log was quiet. */
const lookAfter = 3 / 4;
const quietFor = 1 / 4;
/** A source that does not answer for this long is asked again; a member may have died with the question. */
const answerMsMax = 60_000;

export class QuietLog {
  readonly #session: Pick<SourceSession, 'watermark'>;
  readonly #world: Pick<EngineWorld, 'clock' | 'log'>;
  readonly #rpoMs: number;
  #heardMs: number;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: AbortController | undefined;

  constructor(
    session: Pick<SourceSession, 'watermark'>,
    world: Pick<EngineWorld, 'clock' | 'log'>,
    rpoMs: number,
  ) {
    this.#session = session;
    this.#world = world;
    this.#rpoMs = rpoMs;
    this.#heardMs = world.clock.monotonic();
  }

  /** The log has moved. */
  heard(): void {
    this.#heardMs = this.#world.clock.monotonic();
  }

  /**
   * Asks when the commit after the one of `lastTickMs` is near and nothing new is there for it. Once for
   * each commit, and when nothing comes of it again after the objective. Never waits: a source that does
   * not answer must not keep its reader from reading.
   */
  look(lastTickMs: number, signal: AbortSignal): void {
    const now = this.#world.clock.monotonic();
    const isDueSoon = now - lastTickMs >= this.#rpoMs * lookAfter;
    const isQuiet = now - this.#heardMs >= this.#rpoMs * quietFor;
    const wasAsked = this.#askedMs > lastTickMs && now - this.#askedMs < this.#rpoMs;
    const waits = this.#asking !== undefined && now - this.#askedMs < answerMsMax;
    if (waits || !isDueSoon || !isQuiet || wasAsked || signal.aborted) return;
    this.#asking?.abort(new Error(`no answer for ${answerMsMax / 1000} s`));
    this.#askedMs = now;
    this.#ask(signal);
  }

  #ask(signal: AbortSignal): void {
    const asking = new AbortController();
    this.#asking = asking;
    const done = (): void => {
      if (this.#asking === asking) this.#asking = undefined;
    };
    const both = AbortSignal.any([signal, asking.signal]);
    this.#session.watermark(both).then(done, (error: unknown) => {
      done();
      if (signal.aborted) return;
      this.#world.log.warn({ error: String(error) }, 'a quiet source did not note the time');
    });
  }
}
