// The questions of this process to one peer: gathered while earlier ones are under way, so that many small ones
// become few large ones; given up at a deadline; and not asked at all for a while after the peer fell silent.
import { untilAborted } from '../base/async.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { sameEpoch } from './epoch.ts';
import {
  batchMax,
  decodeAnswer,
  encodeQuestion,
  type Question,
  type Said,
  saidBy,
} from './fingerprint-codec.ts';

/** Carries bytes to the `serve` of a peer's exchange, and its answer back. */
export interface PeerTransport {
  /** Rejects when the peer cannot be reached or `signal` is aborted. */
  call(peer: string, request: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

interface LineOptions {
  readonly transport: PeerTransport;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  readonly log: Logger;
  readonly deadlineMs: number;
  readonly silenceMs: number;
}

interface Waiting {
  readonly question: Question;
  readonly count: number;
  answered(verdicts: readonly Said[] | undefined): void;
}

/** Two: one on the wire while the answer to the other is read. */
const callsMax = 2;

export class PeerLine {
  readonly #peer: string;
  readonly #options: LineOptions;
  #waiting: Waiting[] = [];
  #calls = 0;
  #silentUntilMs = Number.NEGATIVE_INFINITY;

  constructor(peer: string, options: LineOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  /** Undefined when the peer does not answer in time, or refuses. Never rejects. */
  ask(question: Question): Promise<readonly Said[] | undefined> {
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
  #nextBatch(): Waiting[] {
    const { epoch } = (this.#waiting[0] as Waiting).question;
    let count = 0;
    let length = 0;
    for (const { question, count: more } of this.#waiting) {
      if (count + more > batchMax || !sameEpoch(question.epoch, epoch)) break;
      count += more;
      length++;
    }
    return this.#waiting.splice(0, length);
  }

  async #askFor(batch: readonly Waiting[]): Promise<void> {
    let verdicts: readonly Said[] | undefined;
    try {
      const { epoch } = (batch[0] as Waiting).question;
      const askers = batch.flatMap(({ question }) => question.askers);
      const ids = Buffer.concat(batch.map(({ question }) => question.ids));
      const count = batch.reduce((sum, one) => sum + one.count, 0);
      const answer = decodeAnswer(await this.#call(encodeQuestion({ epoch, askers, ids })), count);
      if (sameEpoch(answer.epoch, epoch)) verdicts = saidBy(answer);
      if (answer.moved) {
        const fields = { peer: this.#peer, asked: epoch, answered: answer.epoch };
        this.#options.log.debug(fields, 'a peer owns other slots than this one thinks');
      }
    } catch (error) {
      this.#fallSilent(error);
    }
    let at = 0;
    for (const { count, answered } of batch) {
      answered(verdicts?.slice(at, at + count));
      at += count;
    }
  }

  async #call(message: Uint8Array): Promise<Uint8Array> {
    const { transport, clock, deadlineMs } = this.#options;
    const stop = new AbortController();
    const done = new AbortController();
    const late = (): void => stop.abort(new Error(`no answer in ${deadlineMs} ms`));
    clock.sleep(deadlineMs, done.signal).then(late, () => {});
    try {
      return await untilAborted(transport.call(this.#peer, message, stop.signal), stop.signal);
    } finally {
      done.abort();
    }
  }

  #fallSilent(error: unknown): void {
    const { clock, silenceMs, log } = this.#options;
    const isNew = !this.#isSilent;
    this.#silentUntilMs = clock.monotonic() + silenceMs;
    const fields = { peer: this.#peer, error };
    const message = `${this.#peer} does not answer for its fingerprints: what it knows may be stored again`;
    if (isNew) log.warn(fields, message);
  }
}
