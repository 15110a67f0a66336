// A pin holds what a reader needs while it reads: collection deletes nothing while a live pin is older
// than its barrier. The pin is created before the state is read, so it always holds what is then seen.
import type { SourceContext } from '../engine/source-context.ts';
import { createMutable, removeMutable } from '../repository/lineage/mutable.ts';
import type { ProcessIdentity } from '../repository/lineage/writer.ts';
import { newId } from './node-context.ts';

/** Value of `mutable/pin/<id>/0`. */
export interface PinRecord {
  readonly lineage: string;
  readonly holder: ProcessIdentity;
  readonly sinceMs: number;
}

/** Runs `work` under a pin, with the lineage read anew after the pin stands. */
export async function withPin<T>(context: SourceContext, work: () => Promise<T>): Promise<T> {
  const { repository, lineage, world } = context;
  const place = { what: 'pin', id: newId(world.random), n: 0 };
  const mutable = { store: repository.store, keys: repository.unlocked.keys };
  const pin: PinRecord = {
    lineage: lineage.name,
    holder: world.probe.self,
    sinceMs: world.clock.now(),
  };
  await createMutable(mutable, place, pin);
  try {
    await lineage.refresh();
    return await work();
  } finally {
    await removeMutable(mutable, place);
  }
}
