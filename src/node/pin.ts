// A pin holds what a reader needs while it reads: collection deletes nothing while a live pin is older
// than its barrier. The pin is created before the state is read, so it always holds what is then seen.
import type { EngineWorld } from '../engine/source-context.ts';
import type { PinRecord } from '../repository/collect/pins.ts';
import type { Lineage } from '../repository/lineage/lineage.ts';
import { createMutable, removeMutable } from '../repository/lineage/mutable.ts';
import type { Repository } from '../repository/repository.ts';
import { newId } from './node-context.ts';

/** What is read: a source, or the repository's own lineage. */
interface Pinned {
  readonly repository: Repository;
  readonly lineage: Lineage;
  readonly world: Pick<EngineWorld, 'clock' | 'probe' | 'random'>;
}

/** Runs `work` under a pin, with the lineage read anew after the pin stands. */
export async function withPin<T>(context: Pinned, work: () => Promise<T>): Promise<T> {
  const { repository, lineage, world } = context;
  const place = { what: 'pin', id: newId(world.random), n: 0 };
  const mutable = { store: repository.store, keys: repository.unlocked.keys };
  const pin: PinRecord = {
    lineage: lineage.name,
    holder: world.probe.self,
    sinceMs: world.clock.now(),
    seq: lineage.seq,
  };
  const isPinned = await createMutable(mutable, place, pin).catch((error: unknown) => {
    if (!isReadOnly(error)) throw error;
    return false; // nothing can be collected here either
  });
  try {
    await lineage.refresh();
    return await work();
  } finally {
    if (isPinned) await removeMutable(mutable, place);
  }
}

function isReadOnly(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) {
    if ((one as NodeJS.ErrnoException).code === 'EROFS') return true;
  }
  return false;
}
