// The other peers as this one sees them: who is up, as places where work is done and as links over which they
// are asked.
import type { Peer } from '../../cluster/membership.ts';
import type { Workplace } from '../../cluster/work-pool.ts';

/** One life of another peer. */
export interface OtherPeer<Link> {
  readonly place: Workplace & Disposable;
  readonly link: Link & Disposable;
}

export class PeersView<Link> implements Disposable {
  readonly #self: string;
  readonly #open: (peer: Peer) => OtherPeer<Link>;
  readonly #others = new Map<string, OtherPeer<Link> & { readonly peer: Peer }>();

  /** `open` connects when it is first used. */
  constructor(self: string, open: (peer: Peer) => OtherPeer<Link>) {
    this.#self = self;
    this.#open = open;
  }

  places(): readonly Workplace[] {
    return [...this.#others.values()]
      .filter(({ peer }) => peer.state === 'up')
      .map(({ place }) => place);
  }

  link(name: string): Link | undefined {
    return this.#others.get(name)?.link;
  }

  /** A peer that has begun anew is another one. */
  update(peers: readonly Peer[]): void {
    const now = new Map(peers.map((peer) => [peer.name, peer]));
    for (const [name, { peer, place, link }] of this.#others) {
      const next = now.get(name);
      if (next?.startedAt === peer.startedAt && next.address === peer.address) {
        this.#others.set(name, { peer: next, place, link });
        continue;
      }
      place[Symbol.dispose]();
      link[Symbol.dispose]();
      this.#others.delete(name);
    }
    for (const peer of peers) {
      if (peer.name === this.#self || this.#others.has(peer.name)) continue;
      this.#others.set(peer.name, { peer, ...this.#open(peer) });
    }
  }

  [Symbol.dispose](): void {
    this.update([]);
  }
}
