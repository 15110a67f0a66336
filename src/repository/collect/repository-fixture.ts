// A small repository for tests: any store, no passphrase, seeded chance, small packs.
import type { Clock } from '../../base/clock.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { InlineSealer } from '../frame/sealer.ts';
import type { Credential } from '../keys/key-wrap.ts';
import { createRepository, openRepository } from '../keys/repository-config.ts';
import type { Lineage } from '../lineage/lineage.ts';
import type { ProcessIdentity, ProcessProbe } from '../lineage/writer.ts';
import { Repository, repositoryLineage } from '../repository.ts';
import { cutParameterSet } from '../tree/cut-parameters.ts';
import { adoptCondemned } from './condemned.ts';

export interface FixtureOptions {
  readonly seed: number;
  readonly clock?: Clock;
  readonly packBytesTarget?: number;
  readonly credential?: Credential;
  /** Entries of an object of the index. */
  readonly indexEntriesMax?: number;
  /** Of a peer. */
  readonly ownedSlots?: () => Uint8Array | undefined;
}

export const self: ProcessIdentity = {
  host: 'here',
  machineId: 'machine-1',
  bootId: 'boot-1',
  pidSpace: 'pid:[1]',
  pid: 100,
  startTicks: '5000',
};

/** Knows the processes of host `here`: pid 100 lives, all others are dead. */
export const probe: ProcessProbe = {
  self,
  isAlive: async ({ host, pid }) =>
    host !== self.host ? 'unknown' : pid === self.pid ? 'alive' : 'dead',
};

/** Real wall time, so that it compares with the ages of a folder; sleeps end at once. */
export const testClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async () => {},
};

export async function createFixture(store: ObjectStore, seed: number): Promise<void> {
  await createRepository(store, undefined, {
    random: new SeededRandom(seed),
    cut: cutParameterSet,
  });
}

/** As a process that starts now would open it. */
export async function openFixture(
  store: ObjectStore,
  options: FixtureOptions,
): Promise<Repository> {
  const opened = await openRepository(store, options.credential);
  return await Repository.open(
    {
      store,
      clock: options.clock ?? testClock,
      random: new SeededRandom(options.seed),
      spill: new MemorySpill(),
      sealer: new InlineSealer({ idKey: opened.unlocked.keys.id, level: 1 }),
      writer: `seed ${options.seed}`,
      memoryBytesMax: 64 * 1024 * 1024,
      packBytesTarget: options.packBytesTarget ?? 64 * 1024,
      ...(options.indexEntriesMax && { indexEntriesMax: options.indexEntriesMax }),
      ...(options.ownedSlots && { ownedSlots: options.ownedSlots }),
    },
    opened,
  );
}

/** Registers a source as `codr source add` does. */
export async function registerSource(repository: Repository, id: string): Promise<Lineage> {
  const lineage = await repository.openLineage(repositoryLineage);
  const own = await repository.openLineage(id);
  await lineage.commit(async (draft): Promise<undefined> => {
    await adoptCondemned(own, draft);
    draft.set(`source/${id}`, { name: id });
  });
  return own;
}
