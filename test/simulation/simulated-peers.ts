// Other peers of a simulated process: each has its own view of the repository and answers orders as text. They
// are lost at random, before they begin or when all is done and only the answer is missing.
import { CodrError } from '../../src/base/error.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { Random } from '../../src/base/random.ts';
import {
  alone,
  type Sharing,
  type WorkContext,
  type WorkOrder,
  WorkPool,
  type Workplace,
} from '../../src/cluster/work-pool.ts';
import type { EngineWorld, SourceContext } from '../../src/engine/source-context.ts';
import { Workers } from '../../src/engine/work/workers.ts';
import type { Repository } from '../../src/repository/repository.ts';

export interface PeersOptions {
  readonly count: number;
  readonly random: Random;
  /** One of so many pieces of work is lost; 0: none. */
  readonly lossEvery: number;
  /** What the peers know of the source, without a repository. */
  readonly context: Omit<SourceContext, 'lineage' | 'repository'>;
  readonly openRepository: () => Promise<Repository>;
}

/** Without peers the process works alone. */
export async function simulatedSharing(options: PeersOptions): Promise<Sharing> {
  const { context, count } = options;
  const slots = context.world.limits.workers;
  if (count === 0) return alone(slots);
  const peers: SimulatedPeer[] = [];
  for (let i = 0; i < count; i++) {
    peers.push(new SimulatedPeer(`peer ${i}`, options, await options.openRepository()));
  }
  // One that was lost is met anew, as after its start.
  const places = (): Workplace[] => peers.map((peer) => peer.place());
  return new WorkPool({ slots, places, clock: context.world.clock, log: silentLogger });
}

class SimulatedPeer {
  readonly #name: string;
  readonly #options: PeersOptions;
  readonly #workers: Workers;
  #place: Workplace | undefined;

  constructor(name: string, options: PeersOptions, repository: Repository) {
    this.#name = name;
    this.#options = options;
    const { world } = options.context;
    const own: EngineWorld = { ...world, sharing: alone(world.limits.workers) };
    this.#workers = new Workers({
      clock: world.clock,
      openSource: async (name) => {
        const lineage = await repository.openLineage(name);
        repository.learn(lineage);
        return { ...options.context, world: own, repository, lineage };
      },
      openRepository: async () => repository,
    });
  }

  place(): Workplace {
    const name = this.#name;
    const slots = this.#options.context.world.limits.workers;
    this.#place ??= { name, slots, run: (order, context) => this.#run(order, context) };
    return this.#place;
  }

  async #run(order: WorkOrder, context: WorkContext): Promise<unknown> {
    this.#maybeLost();
    const heard = JSON.parse(JSON.stringify(order)) as WorkOrder;
    const result = await this.#workers.run(heard, context);
    this.#maybeLost();
    return JSON.parse(JSON.stringify(result));
  }

  #maybeLost(): void {
    const { lossEvery, random } = this.#options;
    if (lossEvery === 0 || random.below(lossEvery) > 0) return;
    this.#place = undefined;
    throw new CodrError('peer-lost', `${this.#name} fell silent`);
  }
}
