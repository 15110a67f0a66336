// A pin holds what a reader needs while it reads: collection deletes nothing while a live pin is older
// than its barrier. The pin is created before the state is read, so it always holds what is then seen; it is
// renewed while the work goes on, since a host that cannot be asked is believed for a day only.
import { toHex } from '../base/bytes.ts';
import { isCodrError } from '../base/error.ts';
import type { EngineWorld } from '../engine/source-context.ts';
import { type PinRecord, renewPinMs } from '../repository/collect/pins.ts';
import type { Lineage } from '../repository/lineage/lineage.ts';
import {
  createMutable,
  type MutableContext,
  removeMutable,
} from '../repository/lineage/mutable.ts';
import type { Repository } from '../repository/repository.ts';

/** What is read: a source, or the repository's own lineage. */
interface Pinned {
  readonly repository: Repository;
  readonly lineage: Lineage;
  readonly world: Pick<EngineWorld, 'clock' | 'log' | 'probe' | 'random'>;
}

/**
 * Runs `work` under a pin, with the lineage read anew after the pin stands. A copy that may only be read is
 * read without a pin, with a warning, and so is one on a full disk: a restore must not wait for space. A
 * collection meanwhile can only make it fail: what is missing is an error.
 */
export async function withPin<T>(context: Pinned, work: () => Promise<T>): Promise<T> {
  const { repository, lineage, world } = context;
  const mutable = { store: repository.store, keys: repository.unlocked.keys };
  const pin = new StandingPin(mutable, toHex(world.random.bytes(16)), {
    lineage: lineage.name,
    holder: world.probe.self,
    sinceMs: world.clock.now(),
    seq: lineage.seq,
  });
  const why = await unlessRefused(() => pin.create());
  const isPinned = why === undefined;
  if (!isPinned) warnOnce(context, why);
  const done = new AbortController();
  const keeping = isPinned ? keep(pin, world, done.signal) : undefined;
  try {
    await lineage.refresh();
    return await work();
  } finally {
    done.abort();
    await keeping;
    // A store may take objects and never let them go: the pin ends with its process all the same.
    if (isPinned) await letGo(pin, world);
  }
}

/** What the work gave, or how it failed, says more than that its pin stays for a while. */
async function letGo(pin: StandingPin, { log }: Pinned['world']): Promise<void> {
  try {
    await unlessRefused(() => pin.remove());
  } catch (error) {
    log.warn({ error }, 'a pin could not be removed: it holds collections until it is a week old');
  }
}

/** Renews the pin until `signal` aborts. A renewal may fail: there is time for three more. */
async function keep(
  pin: StandingPin,
  { clock, log }: Pinned['world'],
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await clock.sleep(renewPinMs, signal);
    } catch {
      return; // the work has ended
    }
    await pin.renew(clock.now()).catch((error: unknown) => {
      log.warn({ error }, 'a pin could not be renewed');
    });
  }
}

class StandingPin {
  readonly #mutable: MutableContext;
  readonly #id: string;
  readonly #record: PinRecord;
  #n = 0;

  constructor(mutable: MutableContext, id: string, record: PinRecord) {
    this.#mutable = mutable;
    this.#id = id;
    this.#record = record;
  }

  async create(): Promise<boolean> {
    return await createMutable(this.#mutable, this.#place(0), this.#record);
  }

  /** The value before stays until the next renewal: a list that runs now shows it, or the new one. */
  async renew(renewedMs: number): Promise<void> {
    const n = this.#n + 1;
    await createMutable(this.#mutable, this.#place(n), { ...this.#record, renewedMs });
    this.#n = n;
    if (n > 1) await removeMutable(this.#mutable, this.#place(n - 2));
  }

  async remove(): Promise<void> {
    for (const n of [this.#n - 1, this.#n]) {
      if (n >= 0) await removeMutable(this.#mutable, this.#place(n));
    }
  }

  #place(n: number): { what: string; id: string; n: number } {
    return { what: 'pin', id: this.#id, n };
  }
}

/** Why the store takes nothing, though it may be read; undefined when `work` went well. */
async function unlessRefused(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (isCodrError(error, 'store-unreachable') && error.facts.refuses !== undefined) {
      return error.message;
    }
    throw error;
  }
}

/** Repositories of which the user has been told; a check pins one lineage after the other. */
const warned = new WeakSet<Repository>();

function warnOnce({ repository, world }: Pinned, why: string): void {
  if (warned.has(repository)) return;
  warned.add(repository);
  world.log.warn(
    { repository: repository.store.url, why },
    'the repository takes nothing new: it is read without a pin, so a collection meanwhile could ' +
      'remove packs',
  );
}
