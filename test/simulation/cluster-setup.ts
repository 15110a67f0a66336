// What a simulated world of peers is made of before anything happens: two sources with equal records, a network, a
// coordinator and a store, all as the seed decides. One world in 24 is quiet: nothing fails there, and there is enough
// to tell how often the same is stored.
import { SeededRandom } from '../../src/base/random.ts';
import { MemoryDatabase, MemoryDatabases } from '../../src/connector/memory/memory-database.ts';
import { everything } from '../../src/model/namespace.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import type { ClusterWorld, SourceInWorld } from './cluster-world.ts';
import { WatchedStore } from './commit-watch.ts';
import { CoordinatorService } from './coordinator-service.ts';
import { RandomWorkload } from './random-workload.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { RestoreCheck } from './restore-check.ts';
import { SimulatedNetwork } from './simulated-network.ts';
import type { Trace } from './simulation.ts';
import { UnsteadyConnector } from './unsteady-connector.ts';

export interface ClusterSetup {
  readonly world: ClusterWorld;
  readonly random: SeededRandom;
  /** What must not be, as it comes. */
  readonly broken: unknown[];
  readonly isQuiet: boolean;
}

export async function makeCluster(seed: number, trace: Trace): Promise<ClusterSetup> {
  const random = new SeededRandom(seed);
  const clock = new ManualClock();
  const store = new WatchedStore(clock);
  const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
  const opened = withRememberedKeys(created);
  const pick = <T>(...of: readonly [T, ...T[]]): T => of[random.below(of.length)] as T;
  const databases = new MemoryDatabases();
  const isQuiet = random.below(24) === 0;
  const connector = new UnsteadyConnector(databases, random, isQuiet ? 0 : pick(0, 0, 12));
  // Base copies take a while: what happens meanwhile is what they must bear.
  connector.delayMsMax = isQuiet ? 400 : pick(0, 1000, 3000);
  const delayMsMax = pick(5, 40, 400);
  const network = new SimulatedNetwork(clock, random, {
    ...{ delayMsMax: isQuiet ? 20 : delayMsMax, lostPerMille: 0, twicePerMille: 0 },
  });
  const broken: unknown[] = [];
  const records = isQuiet ? { count: 800, bytes: 400 } : { count: pick(8, 8, 30, 120), bytes: 60 };
  const sources = ['one', 'two'].map((name) => makeSource(name, databases, random, records));
  const world: ClusterWorld = {
    ...{ seed, clock, random, store, opened, databases, connector, network, trace, sources },
    removed: [],
    scope: everything,
    limits: {
      workers: pick(1, 2),
      segmentBytes: isQuiet ? 20_000 : pick(400, 2000),
      tickBytesMax: pick(1000, 1 << 20),
      memoryBytesMax: 1 << 20,
    },
    packBytesTarget: pick(2000, 20_000),
    service: new CoordinatorService(clock),
    peers: new Map(),
    broken: (error) => void broken.push(error),
  };
  return { world, random, broken, isQuiet };
}

/** Longest time of a call to the store by peer: often one is slow, and much happens to others while it stores and reads. */
export function storeDelays(random: SeededRandom, isQuiet: boolean): (peer: string) => number {
  if (isQuiet) return () => 50;
  const slow = (['none', 'p1', 'p1', 'p1', 'all'] as const)[random.below(5)];
  return (peer) => (slow === 'all' ? 500 : slow === peer ? 1000 : 0);
}

/** Both sources begin with the same records. */
function makeSource(
  name: string,
  databases: MemoryDatabases,
  random: SeededRandom,
  records: { readonly count: number; readonly bytes: number },
): SourceInWorld {
  const database = databases.add(new MemoryDatabase({ name }));
  const habits = { transactions: false, renames: false, truncations: false, stepDowns: false };
  const workload = new RandomWorkload(database, random, everything, {
    ...{ ...habits, unknownEntries: false, valueBytesMax: 60, keyCount: 40 },
  });
  const own = new SeededRandom(7);
  // Chance takes its time: an eighth of a value is enough.
  const text = () => Buffer.alloc(records.bytes, own.bytes(Math.ceil(records.bytes / 8)));
  database.create('a.one');
  for (let i = 0; i < records.count; i++) {
    const key = Buffer.from(`k${String(i).padStart(4, '0')}`);
    database.putAll('a.one', [{ key, value: text() }]);
  }
  const check = new RestoreCheck({ database, databases, workload, scope: everything, random });
  return { name, database, workload, check };
}
