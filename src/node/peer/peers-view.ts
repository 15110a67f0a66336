// The other peers as this one sees them: who is up, as places where work is done and operations are watched.
import { PeerLink } from '../../api/client/peer-link.ts';
import { RemoteWorkplace } from '../../api/client/remote-workplace.ts';
import type { ClientSecurity } from '../../api/client/security.ts';
import type { Clock } from '../../base/clock.ts';
import type { Peer } from '../../cluster/membership.ts';
import type { Workplace } from '../../cluster/work-pool.ts';

interface Other {
  readonly peer: Peer;
  readonly place: RemoteWorkplace;
  readonly link: PeerLink;
}

export class PeersView implements Disposable {
  readonly #self: string;
  readonly #clock: Clock;
  readonly #security: ClientSecurity;
  readonly #others = new Map<string, Other>();

  constructor(self: string, clock: Clock, security: ClientSecurity) {
    this.#self = self;
    this.#clock = clock;
    this.#security = security;
  }

  places(): readonly Workplace[] {
    return [...this.#others.values()]
      .filter(({ peer }) => peer.state === 'up')
      .map(({ place }) => place);
  }

  link(name: string): PeerLink | undefined {
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
      const target = { ...this.#security, address: peer.address, clock: this.#clock };
      this.#others.set(peer.name, {
        peer,
        place: new RemoteWorkplace({ name: peer.name, slots: peer.weight }, target),
        link: new PeerLink(target),
      });
    }
  }

  [Symbol.dispose](): void {
    this.update([]);
  }
}
