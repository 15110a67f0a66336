// Asks other processes whether they have stored what this one is about to store. They may not know, or not answer:
// then it is stored here too. What an older piece of work is storing just now is waited for, a little.
import type { Clock } from '../../base/clock.ts';
import type { LeafId } from '../../model/id.ts';
import type { BlobLocation } from '../index/page-search.ts';
import type { PackRef } from './pack-format.ts';

/**
 * `storing`: an older session has said that it stores it; `unanswered`: nobody says anything in time; undefined:
 * who should know does not know of it.
 */
type LeafAnswer = PackRef | 'storing' | 'unanswered' | undefined;

/** The other processes of a cluster, as far as leaves are concerned. */
export interface LeafExchange {
  /** One answer an id, in order; a pack is committed and holds the leaf. Never rejects. */
  ask(ids: readonly LeafId[], session: number): Promise<readonly LeafAnswer[]>;
  /** Where leaves may lie, by owners of slots: undefined where they say nothing. May be wrong. Never rejects. */
  where(ids: readonly LeafId[]): Promise<readonly (BlobLocation | undefined)[]>;
  /** These lineages have new entries that the others should read. */
  committed(lineages: readonly string[]): void;
}

/** A cluster, and what is needed to ask it. */
export interface LeafExchangeAccess {
  readonly exchange: LeafExchange;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Longest time that one session waits, all in all, for what older ones are storing. */
  readonly patienceMs: number;
  /** True when any source has committed the pack, as far as is known here. */
  isCommitted(pack: PackRef): boolean;
}

/** What this process finds out by itself. */
export interface OwnKnowledge {
  /** Called with packs that others say are committed, before each is accepted or not. */
  hear(packs: readonly PackRef[]): Promise<void>;
  /** True when a commit of this process may rely on the pack. */
  accepts(pack: PackRef): boolean;
  /** Packs of those ids that are in the index; `filtered`: where that costs next to nothing. */
  lookUp(
    ids: readonly LeafId[],
    how: 'whole' | 'filtered',
    isCommitted: (pack: PackRef) => boolean,
  ): Promise<ReadonlyMap<LeafId, PackRef>>;
  /** Called around each wait. */
  wait(waiting: () => Promise<void>): Promise<void>;
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

  /**
   * Packs of those ids that others know. What nobody answers for is looked up here, and so is what they have not
   * heard of yet. Rejects when it was stopped, or cannot be looked up.
   */
  async ask(ids: readonly LeafId[], own: OwnKnowledge): Promise<Map<LeafId, PackRef>> {
    const { exchange, clock } = this.#access;
    const known = new Map<LeafId, PackRef>();
    const looked = { filtered: new Set<LeafId>(), whole: new Set<LeafId>() };
    const lookUp = async (some: readonly LeafId[], how: 'whole' | 'filtered'): Promise<void> => {
      const wanted = some.filter((id) => !looked[how].has(id));
      for (const id of wanted) looked[how].add(id);
      if (wanted.length === 0) return;
      const found = await own.lookUp(wanted, how, (pack) => this.#access.isCommitted(pack));
      for (const [id, pack] of found) known.set(id, pack);
    };
    for (let open = ids; ; ) {
      const answers = await exchange.ask(open, this.#session);
      const told = answers.filter((answer) => typeof answer === 'object');
      await own.hear([...new Set(told)]);
      const unanswered: LeafId[] = [];
      const unknown: LeafId[] = [];
      const storing: LeafId[] = [];
      for (const [i, id] of open.entries()) {
        const answer = answers[i];
        if (typeof answer === 'object' && own.accepts(answer)) known.set(id, answer);
        else if (answer === 'unanswered') unanswered.push(id);
        else if (answer === 'storing') storing.push(id);
        else unknown.push(id);
      }
      await lookUp([...unknown, ...storing], 'filtered');
      await lookUp(unanswered, 'whole');
      // Who stores one of them is likely to store the others too, and only has not come to say so yet.
      const isBeingStored = storing.some((id) => !known.has(id));
      open = open.filter((id) => !known.has(id));
      if (!isBeingStored || this.#patienceMs <= 0) return known;
      this.#patienceMs -= pollMs;
      await own.wait(() => clock.sleep(pollMs, this.#signal));
    }
  }
}
