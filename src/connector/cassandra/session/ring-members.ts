// Whether all say the same of who belongs to a ring. A row of `system.peers_v2` without tokens or host id, or none at
// all, leaves a node out unseen: its ranges would count as captured by others. So the rows of one node are held
// against what a node has in memory, or against the rows of another.
import type { NodeControl } from './control.ts';
import type { RingNode } from './replica-placement.ts';

/** A node with tokens, as somebody knows it. */
export interface RingMember {
  readonly address: string;
  readonly tokens: readonly string[];
}

/** Who was asked, and by host id what it said. */
export interface RingView {
  readonly by: string;
  readonly members: ReadonlyMap<string, RingMember>;
}

/** Who is up and who belongs to the ring, by the first control that answers. */
export async function viewOfControls(
  controls: readonly NodeControl[],
  signal: AbortSignal,
): Promise<(RingView & { readonly live: readonly string[] }) | undefined> {
  for (const control of controls) {
    try {
      const live = await control.liveNodes({ signal });
      const by = `the control of ${control.address}`;
      return { by, live, members: await control.members({ signal }) };
    } catch {
      // The next one may answer; this one is named where it matters, at the cut.
      signal.throwIfAborted();
    }
  }
  return undefined;
}

export function viewOfRows(host: string, nodes: readonly RingNode[]): RingView {
  return {
    by: `system.peers_v2 of ${host}`,
    members: new Map(nodes.map((node) => [node.hostId, node])),
  };
}

/** How the two differ, naming nodes; empty when they do not. Addresses may be written in two ways: ids count. */
export function differences(one: RingView, other: RingView): string[] {
  const found: string[] = [];
  for (const [a, b] of [[one, other] as const, [other, one] as const]) {
    for (const [hostId, { address }] of b.members) {
      if (a.members.has(hostId)) continue;
      found.push(`${b.by} counts node ${address} (${hostId}) in, ${a.by} does not`);
    }
  }
  for (const [hostId, { address, tokens }] of one.members) {
    const others = other.members.get(hostId)?.tokens;
    if (!others || tokensText(others) === tokensText(tokens)) continue;
    found.push(`${one.by} and ${other.by} know other tokens of node ${address} (${hostId})`);
  }
  return found;
}

const tokensText = (tokens: readonly string[]): string => [...tokens].sort().join();
