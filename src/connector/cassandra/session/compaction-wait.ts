// A cut adds small files and reads what compaction writes too: while a node has more compactions ahead than it
// should, the cut waits. Not for ever: a backup that is late is worse than one that slows a server.
import type { Clock } from '../../../base/clock.ts';
import type { NodeControl } from './control.ts';

const pollMs = 5_000;
const waitMsMax = 300_000;

export interface CompactionWait {
  readonly nodes: readonly { readonly address: string; readonly control: NodeControl }[];
  /** Pending compactions that a node may have. */
  readonly most: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told what is waited for, whenever that changes. */
  readonly tell: (what: string) => void;
}

/** Returns notes on nodes that were still behind after five minutes; a node that cannot say is not waited for. */
export async function waitForCompactions(wait: CompactionWait): Promise<string[]> {
  const { most, clock, signal, tell } = wait;
  const until = clock.monotonic() + waitMsMax;
  let told = '';
  for (;;) {
    const busy = await busyNodes(wait);
    if (busy.length === 0) return [];
    if (clock.monotonic() >= until) {
      return busy.map(
        ({ address, pending }) =>
          `node ${address} had ${pending} compactions ahead, more than ${most}: ` +
          `the cut was taken after ${waitMsMax / 60_000} min all the same`,
      );
    }
    const what = `waiting for compactions at ${busy.map(({ address }) => address).join(', ')}`;
    if (what !== told) tell(what);
    told = what;
    await clock.sleep(pollMs, signal);
  }
}

async function busyNodes({ nodes, most, signal }: CompactionWait) {
  const asked = nodes.map(async ({ address, control }) => {
    try {
      return { address, pending: await control.pendingCompactions({ signal }) };
    } catch {
      // What is wrong with it is told by the cut, which asks it again.
      signal.throwIfAborted();
      return { address, pending: 0 };
    }
  });
  return (await Promise.all(asked)).filter(({ pending }) => pending > most);
}
