// Pieces that end at about the same time are committed as one: a lineage takes entries one after another, and each costs its
// committer some calls to the store, and everyone who follows it one more.
import type { Clock } from '../../base/clock.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import { CondemnedPacksError } from '../../repository/lineage/pack-table.ts';

/** Longest time that a finished piece waits for others. */
const windowMs = 1000;

type Change = (draft: Draft) => void;

interface Waiting {
  readonly change: Change;
  readonly done: PromiseWithResolvers<void>;
}

export class CommitGroup {
  readonly #lineage: Pick<Lineage, 'commit'>;
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #most: () => number;
  /** Pieces that are worked on. */
  #working = 0;
  #waiting: Waiting[] = [];
  /** What waits has been committed: nothing sleeps on for it, which would keep the process. */
  #flushed = new AbortController();

  /** `most`: so many pieces wait for no others. */
  constructor(lineage: Pick<Lineage, 'commit'>, clock: Pick<Clock, 'sleep'>, most: () => number) {
    this.#lineage = lineage;
    this.#clock = clock;
    this.#most = most;
  }

  /**
   * Works, and commits what came of it when this resolves: with others that end soon, or at once when nothing else is
   * worked on. Errors: those of the work, of its change, and of the commit.
   */
  async run<T>(
    work: () => Promise<T>,
    change: (made: T, draft: Draft) => void,
    signal: AbortSignal,
  ): Promise<T> {
    this.#working++;
    const made = await work().catch((error) => {
      this.#working--;
      this.#flushWhenDue();
      throw error;
    });
    this.#working--;
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ change: (draft) => change(made, draft), done });
    if (!this.#flushWhenDue() && this.#waiting.length === 1) void this.#flushLater(signal);
    await done.promise;
    return made;
  }

  #flushWhenDue(): boolean {
    const isDue = this.#working === 0 || this.#waiting.length >= this.#most();
    if (isDue) void this.#flush();
    return isDue;
  }

  async #flushLater(signal: AbortSignal): Promise<void> {
    const flushed = this.#flushed.signal;
    // What is finished is kept when the rest is told to stop.
    await this.#clock.sleep(windowMs, AbortSignal.any([signal, flushed])).catch(() => {});
    if (!flushed.aborted) await this.#flush();
  }

  async #flush(): Promise<void> {
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    this.#flushed.abort();
    this.#flushed = new AbortController();
    try {
      await this.#commit(group);
    } catch (error) {
      if (!(error instanceof CondemnedPacksError) || group.length === 1) {
        for (const { done } of group) done.reject(error);
        return;
      }
      // Not all of them rely on those packs.
      for (const one of group) await this.#commit([one]).catch((own) => one.done.reject(own));
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    await this.#lineage.commit((draft): undefined => {
      for (const { change } of group) change(draft);
    });
    for (const { done } of group) done.resolve();
  }
}
