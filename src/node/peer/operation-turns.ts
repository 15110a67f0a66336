// Whose turn it is to run what nobody runs. All peers see the same operations, owners and peers, and so come to the
// same order; each waits for those before it, but not for long: they may be full, or dead and not known to be.
import type { Clock } from '../../base/clock.ts';
import { isCodrError } from '../../base/error.ts';
import { listPeers, type Peer } from '../../cluster/membership.ts';
import { type Candidate, ownersInOrder, ownersOfAll } from '../../cluster/placement.ts';
import type { Coordinator, CoordinatorEntry } from '../../coordination/coordinator.ts';
import { type OperationRecord, ownersPrefix } from './operation-records.ts';

/** For each peer that comes before this one, up to so many. */
const turnMs = 1000;
const turnsMax = 4;

type Placed = Pick<OperationRecord, 'id' | 'source'>;

export class OperationTurns {
  readonly #name: string;
  readonly #coordinator: Coordinator;
  readonly #clock: Clock;
  /** When this peer first saw that nobody runs it, by id. */
  readonly #since = new Map<string, number>();

  constructor({
    name,
    coordinator,
    clock,
  }: {
    readonly name: string;
    readonly coordinator: Coordinator;
    readonly clock: Clock;
  }) {
    this.#name = name;
    this.#coordinator = coordinator;
    this.#clock = clock;
  }

  /** Whether something new is to begin here. One who is not listed knows of nobody better. */
  async isFirst(operation: Placed): Promise<boolean> {
    const candidates = await this.#candidates(await this.#coordinator.list(ownersPrefix));
    const order = ownersInOrder(keyOf(operation), candidates);
    return !order.includes(this.#name) || order[0] === this.#name;
  }

  /** How long this peer has to wait yet before it may take each, ms. All that nobody runs is to be given. */
  async waits(
    orphans: readonly Placed[],
    owners: readonly CoordinatorEntry[],
  ): Promise<ReadonlyMap<string, number>> {
    const ids = new Set(orphans.map(({ id }) => id));
    for (const id of this.#since.keys()) if (!ids.has(id)) this.#since.delete(id);
    if (orphans.length === 0) return new Map();
    const now = this.#clock.monotonic();
    const orders = ownersOfAll(orphans.map(keyOf), await this.#candidates(owners));
    return new Map(
      orphans.map(({ id }, i) => {
        const since = this.#since.get(id) ?? now;
        this.#since.set(id, since);
        const rank = orders[i]?.indexOf(this.#name) ?? -1;
        const turns = rank < 0 ? turnsMax : Math.min(rank, turnsMax);
        return [id, Math.max(0, since + turns * turnMs - now)];
      }),
    );
  }

  async #candidates(owners: readonly CoordinatorEntry[]): Promise<readonly Candidate[]> {
    const peers = await this.#peers();
    return peers
      .filter(({ state }) => state === 'up')
      .map(({ name, weight }) => {
        const load = owners.filter(({ value }) => value === name).length;
        return { name, weight, load };
      });
  }

  /** An entry that nobody can read keeps nobody from running what is left. */
  async #peers(): Promise<readonly Peer[]> {
    try {
      return await listPeers(this.#coordinator);
    } catch (error) {
      if (isCodrError(error, 'format-unknown')) return [];
      throw error;
    }
  }
}

/** A source has its stream at the same place again and again, as long as that has room. */
const keyOf = ({ source, id }: Placed): string => source ?? id;
