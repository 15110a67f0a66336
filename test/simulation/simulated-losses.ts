// What happens to a simulated repository: its store fails or loses a pack, operators register its source, and have a
// check give up what was lost.
import type { Random } from '../../src/base/random.ts';
import { departures, giveUp, noteLost } from '../../src/engine/capture/give-up.ts';
import { check } from '../../src/repository/check/check.ts';
import { adoptCondemned } from '../../src/repository/collect/condemned.ts';
import { PackSet } from '../../src/repository/lineage/pack-set.ts';
import { packRecords } from '../../src/repository/lineage/pack-table.ts';
import type { BaseRecord, StoredStateRecord } from '../../src/repository/lineage/records.ts';
import { repositoryLineage } from '../../src/repository/repository.ts';
import type { FaultyObjectStore } from '../../src/storage/faulty-object-store.ts';
import type { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { type SimulatedProcess, source } from './simulated-process.ts';

/** As `codr source add` does. */
export async function registerSource(process: SimulatedProcess): Promise<void> {
  const { repository } = process.context;
  const lineage = await repository.openLineage(repositoryLineage);
  const own = await repository.openLineage(source);
  await lineage.commit(async (draft): Promise<undefined> => {
    await adoptCondemned(own, draft);
    draft.set(`source/${source}`, { name: source });
  });
}

/**
 * Removes one pack, and repairs as `codr check --repair` does. Returns its name; undefined: there is none. One that
 * a lineage's own state needs can only be put back from a copy, so it is none of these.
 */
export async function losePack(
  process: SimulatedProcess,
  store: MemoryObjectStore,
  random: Random,
): Promise<string | undefined> {
  const { context } = process;
  const { repository } = context;
  const needed = new Set<string>();
  /** What checkpoints folded is lost more often than by chance: there is little of it. */
  const folded = new Set<string>();
  for (const name of [repositoryLineage, source]) {
    const { state } = await repository.openLineage(name);
    for (const [, { packs }] of state.list<StoredStateRecord>('stored')) {
      for (const { id } of packRecords(state, PackSet.parse(packs))) needed.add(id);
    }
    for (const [, base] of state.list<BaseRecord>('base')) {
      const own = base.folded ? packRecords(state, PackSet.parse(base.packs)) : [];
      for (const { id } of own) folded.add(id);
    }
  }
  const packs: string[] = [];
  for await (const { name } of store.list('packs/')) {
    if (!needed.has(name.slice(name.lastIndexOf('/') + 1))) packs.push(name);
  }
  const rare = packs.filter((name) => folded.has(name.slice(name.lastIndexOf('/') + 1)));
  const choice = rare.length > 0 && random.below(3) === 0 ? rare : packs;
  const lost = choice[random.below(choice.length || 1)];
  if (lost === undefined) return undefined;
  await store.remove(lost);
  const { losses } = await check(
    {
      ...{ store, credential: undefined, random, signal: process.abort.signal },
      open: async (over) => await process.reopen(over),
      lookers: { slots: 4, run: async (_piece, here, own) => await here(own) },
      pinned: async (_repository, _lineage, work) => await work(),
      noteLost: async (ids) => {
        for (const name of [repositoryLineage, source])
          await noteLost(await repository.openLineage(name), ids);
      },
      describe: () => (name) => ({ name, dataset: String, time: String, key: String }),
    },
    { readDataPercent: 0, repair: true },
  );
  const hurt = losses.lineages.filter(({ bases, deltas }) => bases.size + deltas.size > 0);
  for (const one of hurt) {
    const lineage = await repository.openLineage(one.lineage);
    await giveUp(lineage, one, departures(context.connector, context.scope));
  }
  return lost;
}

/** Gives one process's view of the store a fault of its own, a crash at some write, or none. */
export function makeUnreliable(store: FaultyObjectStore, random: Random): void {
  const pick = random.below(8);
  if (pick === 0) store.faults = { errorPerMille: 20 };
  if (pick === 1) store.faults = { lostReplyPerMille: 20 };
  if (pick === 2) store.faults = { delayMsMax: 2000 };
  if (pick === 3) store.faults = { errorPerMille: 5, lostReplyPerMille: 5, delayMsMax: 100 };
  if (pick < 5) return;
  const when = random.below(2) === 0 ? 'before' : 'after';
  store.crashAtWrite(1 + random.below(random.below(2) === 0 ? 6 : 40), when);
}
