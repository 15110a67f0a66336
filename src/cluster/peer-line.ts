// The questions of one kind of this process to one peer: gathered while earlier ones are under way, so that many small
// ones become few large ones; given up at a deadline; and not asked at all for a while after the peer fell silent.
import { untilAborted } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Epoch } from './epoch.ts';
import { sameEpoch } from './epoch.ts';
import { batchMax, encodeQuestion, type Question } from './fingerprint-codec.ts';

/** Carries bytes to a peer's exchange, and its answer back. Both reject when it is not reached, or at the signal. */
export interface PeerTransport {
  /** To its `serve`. */
  call(peer: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  /** To its `serveWhere`, which older peers do not have. */
  where(peer: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** What an answer says. */
interface Answered<T> {
  readonly epoch: Epoch;
  /** By id, as asked; absent when the question was refused. */
  readonly said: readonly T[] | undefined;
  readonly moved: boolean;
}

interface LineOptions<T> {
  call(message: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
  decode(answer: Uint8Array, count: number): Answered<T>;
  /** What follows from silence. */
  readonly consequence: string;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  readonly deadlineMs: number;
  readonly silenceMs: number;
}

interface Waiting<T> {
  readonly question: Question;
  readonly count: number;
  answered(said: readonly T[] | undefined): void;
}

/** Two: one on the wire while the answer to the other is read. */
const callsMax = 2;

export class PeerLine<T> {
  readonly #peer: string;
  readonly #options: LineOptions<T>;
  #waiting: Waiting<T>[] = [];
  #calls = 0;
  #silentUntilMs = Number.NEGATIVE_INFINITY;

  constructor(peer: string, options: LineOptions<T>) {
    this.#peer = peer;
    this.#options = options;
  }

  /** Undefined when the peer does not answer in time, or refuses. Never rejects. */
  ask(question: Question): Promise<readonly T[] | undefined> {
    return new Promise((answered) => {
      const count = question.askers.reduce((sum, asker) => sum + asker.count, 0);
      this.#waiting.push({ question, count, answered });
      // Later in this turn: what is asked side by side goes together.
      queueMicrotask(() => this.#send());
    });
  }

  /** A message whose loss does no harm. */
  tell(message: Uint8Array): void {
    if (this.#isSilent) return;
    this.#call(message).catch((error: unknown) => this.#fallSilent(error));
  }

  get #isSilent(): boolean {
    return this.#options.clock.monotonic() < this.#silentUntilMs;
  }

  #send(): void {
    if (this.#isSilent) {
      for (const { answered } of this.#waiting.splice(0)) answered(undefined);
      return;
    }
    while (this.#waiting.length > 0 && this.#calls < callsMax) {
      const batch = this.#nextBatch();
      this.#calls++;
      void this.#askFor(batch).finally(() => {
        this.#calls--;
        this.#send();
      });
    }
  }

  /** Questions of one epoch that fit into one message. */
  #nextBatch(): Waiting<T>[] {
    const { epoch } = (this.#waiting[0] as Waiting<T>).question;
    let count = 0;
    let length = 0;
    for (const { question, count: more } of this.#waiting) {
      if (count + more > batchMax || !sameEpoch(question.epoch, epoch)) break;
      count += more;
      length++;
    }
    return this.#waiting.splice(0, length);
  }

  async #askFor(batch: readonly Waiting<T>[]): Promise<void> {
    let said: readonly T[] | undefined;
    try {
      const { epoch } = (batch[0] as Waiting<T>).question;
      const askers = batch.flatMap(({ question }) => question.askers);
      const ids = Buffer.concat(batch.map(({ question }) => question.ids));
      const count = batch.reduce((sum, one) => sum + one.count, 0);
      const message = encodeQuestion({ epoch, askers, ids });
      const answer = this.#options.decode(await this.#call(message), count);
      if (sameEpoch(answer.epoch, epoch)) said = answer.said;
      if (answer.moved) {
        const fields = { peer: this.#peer, asked: epoch, answered: answer.epoch };
        this.#options.log.debug(fields, 'a peer owns other slots than this one thinks');
      }
    } catch (error) {
      this.#fallSilent(error);
    }
    let at = 0;
    for (const { count, answered } of batch) {
      answered(said?.slice(at, at + count));
      at += count;
    }
  }

  async #call(message: Uint8Array): Promise<Uint8Array> {
    const { clock, deadlineMs } = this.#options;
    const stop = new AbortController();
    const done = new AbortController();
    const late = (): void => stop.abort(new Error(`no answer in ${deadlineMs} ms`));
    clock.sleep(deadlineMs, done.signal).then(late, () => {});
    try {
      return await untilAborted(this.#options.call(message, stop.signal), stop.signal);
    } finally {
      done.abort();
    }
  }

  #fallSilent(error: unknown): void {
    const { clock, silenceMs, log, consequence } = this.#options;
    const isNew = !this.#isSilent;
    this.#silentUntilMs = clock.monotonic() + silenceMs;
    const fields = { peer: this.#peer, error };
    const message = `${this.#peer} does not answer for its fingerprints: ${consequence}`;
    if (isNew) log.warn(fields, message);
  }
}
