// Asks other processes whether they have stored what this one is about to store. They may not know, or not answer:
// then it is stored here too. What an older piece of work is storing just now is waited for, a little.
import type { Clock } from '../../base/clock.ts';
import type { LeafId } from '../../model/id.ts';
import type { PackRef } from './pack-format.ts';

/** The other processes of a cluster, as far as leaves are concerned. */
export interface LeafExchange {
  /**
   * One answer an id, in order: a committed pack that holds it; `storing` when an older session has said that it
   * stores it; undefined when nobody knows of it or nobody says so in time. Never rejects.
   */
  ask(
    ids: readonly LeafId[],
    session: number,
  ): Promise<readonly (PackRef | 'storing' | undefined)[]>;
  /** These lineages have new entries that the others should read. */
  committed(lineages: readonly string[]): void;
}

/** A cluster, and what is needed to ask it. */
export interface LeafExchangeAccess {
  readonly exchange: LeafExchange;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Longest time that one session waits, all in all, for what older ones are storing. */
  readonly patienceMs: number;
}

const pollMs = 250;

/** The questions of one session. */
export class LeafQuestions {
  readonly #access: LeafExchangeAccess;
  readonly #session: number;
  #patienceMs: number;
  #signal: AbortSignal | undefined;

  /** `session`: lower is older. */
  constructor(access: LeafExchangeAccess, session: number) {
    this.#access = access;
    this.#session = session;
    this.#patienceMs = access.patienceMs;
  }

  /** Waiting ends with this signal from now on. */
  stopWith(signal: AbortSignal): void {
    this.#signal = signal;
  }

  /** Packs of those ids that others know. `waiting` is called around each wait. Rejects only when it was stopped. */
  async ask(
    ids: readonly LeafId[],
    waiting: (wait: () => Promise<void>) => Promise<void>,
  ): Promise<Map<LeafId, PackRef>> {
    const { exchange, clock } = this.#access;
    const known = new Map<LeafId, PackRef>();
    let open = ids;
    for (;;) {
      const answers = await exchange.ask(open, this.#session);
      for (const [i, answer] of answers.entries()) {
        if (answer && answer !== 'storing') known.set(open[i] as LeafId, answer);
      }
      // Who stores one of them is likely to store the others too, and only has not come to say so yet.
      const isBeingStored = answers.includes('storing');
      open = open.filter((_, i) => !answers[i] || answers[i] === 'storing');
      if (!isBeingStored || this.#patienceMs <= 0) break;
      this.#patienceMs -= pollMs;
      await waiting(() => clock.sleep(pollMs, this.#signal));
    }
    return known;
  }
}
