// How fast a source is read that has other things to do: readers rest in proportion to their work as long as the
// source says that it is under pressure, and come back to full speed step by step when it no longer does. Every process
// has a pace of its own; they meet, as senders in a network do, since each halves and grows by the same steps.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SourceSession } from '../connector/connector.ts';
import type { RecordStream } from '../model/record.ts';

export interface SourcePaceOptions {
  /** Of the source, for the log. */
  readonly name: string;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
}

const askEveryMs = 1000;
/** A source that takes so long to say how it is, is under pressure. */
const slowAnswerMs = 2000;
/** The least share of the time that is spent reading. */
const shareLeast = 1 / 16;
/** What a look without pressure gives back: full speed after 16 of them. */
const shareStep = 1 / 16;
/** One rest; a snapshot that is read must not grow old over it. */
const restMsMax = 5000;

/** Of one source in one process, shared by all that read there. */
export class SourcePace {
  readonly #options: SourcePaceOptions;
  #share = 1;
  #why = '';
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #session: Pick<SourceSession, 'pressure'> = {};

  constructor(options: SourcePaceOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** The share of the time that is spent reading: 1 is full speed. */
  get share(): number {
    return this.#share;
  }

  /** For people; undefined at full speed. */
  get note(): string | undefined {
    if (this.#share === 1) return undefined;
    return `slowed to ${Math.round(this.#share * 100)} %: ${this.#why}`;
  }

  /**
   * Through this session from now on, and once at once: how the source is before it is read is what it is compared with.
   * A session that has ended is not heard, which changes nothing.
   */
  asks(session: Pick<SourceSession, 'pressure'>, signal: AbortSignal): void {
    this.#session = session;
    this.look(signal);
  }

  /**
   * The batches, as fast as the source bears. `most`: the share that whoever gave the work away had seen, of a source
   * that is not asked from here. Rejects with the signal's reason.
   */
  async *paced(batches: RecordStream, signal: AbortSignal, most = 1): RecordStream {
    const { clock } = this.#options;
    let fromMs = clock.monotonic();
    for await (const batch of batches) {
      this.look(signal);
      yield batch;
      const workedMs = clock.monotonic() - fromMs;
      const restMs = Math.min(restMsMax, workedMs * (1 / Math.min(most, this.#share) - 1));
      if (restMs > 0) await clock.sleep(restMs, signal);
      fromMs = clock.monotonic();
    }
  }

  /** Asks in the background, once at a time and once a second: reading, here or elsewhere, does not wait for the answer. */
  look(signal: AbortSignal): void {
    const { clock, log, name } = this.#options;
    const now = clock.monotonic();
    const session = this.#session;
    if (!session.pressure || this.#isAsking || now - this.#askedAtMs < askEveryMs) return;
    this.#isAsking = true;
    this.#askedAtMs = now;
    const heard = (said: string | undefined): void => {
      const tookMs = clock.monotonic() - now;
      const slow = `it takes ${Math.round(tookMs / 1000)} s to say how it is`;
      this.#heard(said ?? (tookMs > slowAnswerMs ? slow : undefined));
    };
    void session
      .pressure(signal)
      .then(heard, (error: unknown) => log.debug({ error, source: name }, 'no word of its load'))
      .finally(() => {
        this.#isAsking = false;
      });
  }

  #heard(why: string | undefined): void {
    const { log, name } = this.#options;
    const before = this.#share;
    if (why === undefined) {
      this.#share = Math.min(1, before + shareStep);
      if (before < 1 && this.#share === 1) log.info({ source: name }, 'read at full speed again');
      return;
    }
    this.#share = Math.max(shareLeast, before / 2);
    this.#why = why;
    if (before === 1) log.warn({ source: name, why }, 'the source is under pressure: read slower');
  }
}
