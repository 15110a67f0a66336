// The network between the peers of a simulated world: each message takes its time, and may be lost, come twice,
// or meet a line that is cut, in one direction or both. Whoever asks a peer that is silent is told so in the end.
import { CodrError } from '../../src/base/error.ts';
import type { Random } from '../../src/base/random.ts';
import type { ManualClock } from '../harness/manual-clock.ts';
import type { PeerClock } from './peer-clock.ts';

/** How the lines of a world are; may be changed at any time. */
export interface LineFaults {
  readonly delayMsMax: number;
  /** Of 1,000 messages. */
  readonly lostPerMille: number;
  readonly twicePerMille: number;
}

/** One process at the end of lines. */
export interface Station {
  readonly name: string;
  readonly clock: PeerClock;
  /** It has died: connections to it are refused. */
  readonly isDead: boolean;
}

export interface Question<T> {
  readonly from: Station;
  readonly to: Station;
  /** Done by the one that is asked; may be done twice. */
  readonly work: (signal: AbortSignal) => Promise<T>;
  /** For how long silence is borne. */
  readonly patienceMs: number;
  /** Signs of life count as well as the answer. */
  readonly beats?: boolean;
  readonly signal: AbortSignal;
}

const beatMs = 4000;
/** Nobody waits any more. */
const answered = new Error('answered');

export class SimulatedNetwork {
  faults: LineFaults;
  readonly #clock: ManualClock;
  readonly #random: Random;
  /** `from to` of lines that carry nothing. */
  readonly #cut = new Set<string>();

  constructor(clock: ManualClock, random: Random, faults: LineFaults) {
    this.#clock = clock;
    this.#random = random;
    this.faults = faults;
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  carries(from: string, to: string): boolean {
    return !this.#cut.has(`${from} ${to}`);
  }

  /** A message on its way. False: it does not arrive. */
  async carry(from: string, to: string): Promise<boolean> {
    const { delayMsMax } = this.faults;
    if (delayMsMax > 0) await this.#clock.sleep(this.#random.below(delayMsMax));
    return this.carries(from, to) && !this.loses();
  }

  /** Whether chance takes a message now. */
  loses(): boolean {
    const { lostPerMille } = this.faults;
    return lostPerMille > 0 && this.#random.below(1000) < lostPerMille;
  }

  /** Errors: `peer-unreachable` for silence and for a peer that is gone; those of the work; the signal's reason. */
  async ask<T>(question: Question<T>): Promise<T> {
    const { from, signal, to } = question;
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    const answer = Promise.withResolvers<T>();
    answer.promise.catch(() => {});
    const silent = (): CodrError => new CodrError('peer-unreachable', `${to.name} does not answer`);
    const giveUp = (): void => answer.reject(signal.aborted ? signal.reason : silent());
    signal.addEventListener('abort', giveUp, { once: true });
    this.#silence(question, over.signal).then(giveUp, () => {});
    const times = this.#random.below(1000) < this.faults.twicePerMille ? 2 : 1;
    for (let i = 0; i < times; i++) void this.#once(question, ended, answer);
    try {
      return await answer.promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
      over.abort(answered);
      await from.clock.pass();
    }
  }

  /** Resolves when nothing was heard for too long; rejects with the signal. */
  async #silence<T>(question: Question<T>, over: AbortSignal): Promise<void> {
    const { from, to, patienceMs, beats } = question;
    let heardMs = this.#clock.monotonic();
    while (this.#clock.monotonic() - heardMs < patienceMs) {
      await this.#clock.sleep(beats ? beatMs : patienceMs, over);
      const lives = !to.isDead && !to.clock.isFrozen;
      const isHeard = lives && this.carries(from.name, to.name) && this.carries(to.name, from.name);
      if (beats && isHeard) heardMs = this.#clock.monotonic();
    }
  }

  async #once<T>(
    { from, to, work, patienceMs, beats }: Question<T>,
    ended: AbortSignal,
    answer: PromiseWithResolvers<T>,
  ): Promise<void> {
    const lost = async (): Promise<void> => {
      if (!beats) return;
      // A stream that lost something breaks.
      await this.#clock.sleep(patienceMs);
      answer.reject(new CodrError('peer-unreachable', `the line to ${to.name} broke`));
    };
    if (!(await this.carry(from.name, to.name))) return await lost();
    if (to.isDead) {
      answer.reject(new CodrError('peer-unreachable', `${to.name} refuses connections`));
      return;
    }
    await to.clock.pass();
    let told: () => void;
    try {
      const result = await work(ended);
      told = () => answer.resolve(result);
    } catch (error) {
      told = () => answer.reject(error);
    }
    if (!to.isDead && (await this.carry(to.name, from.name))) told();
    else await lost();
  }
}
