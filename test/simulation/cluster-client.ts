// Who asks the peers of a simulated world for operations: at any peer that answers, again under the same key until
// one does, and then how it goes until it has ended.
import {
  isEnded,
  type Operation,
  type OperationKind,
  type OperationStore,
} from '../../src/api/operations.ts';
import { type CodrError, isCodrError } from '../../src/base/error.ts';
import type { Random } from '../../src/base/random.ts';
import type { ClusterWorld } from './cluster-world.ts';
import { PeerClock } from './peer-clock.ts';
import { type AskPeer, remoteOperations } from './peer-lines.ts';
import type { PeerRequest } from './peer-operations.ts';
import type { Station } from './simulated-network.ts';

/** One operation that somebody wants. */
export interface Wish {
  readonly kind: OperationKind;
  readonly request: PeerRequest;
  readonly key: string;
  id?: string;
  /** It is to be cancelled. */
  isUnwanted: boolean;
  /** How it ended; `forgotten`: no peer knows it any more. */
  ended?: Operation | 'forgotten';
}

const pollMs = 4000;
const retryMs = 1000;
const patienceMs = 20_000;
/** What another peer may do better, or the same one later. */
const passing = [
  'peer-unreachable',
  'coordinator-unreachable',
  'coordinator-replaced',
  'coordinator-refused',
  'transaction-in-doubt',
  'lease-lost',
  'interrupted',
] as const;

export class ClusterClient implements Station {
  readonly name = 'client';
  readonly isDead = false;
  readonly clock: PeerClock;
  readonly wishes: Wish[] = [];
  readonly #world: ClusterWorld;
  readonly #random: Random;

  constructor(world: ClusterWorld) {
    this.#world = world;
    this.#random = world.random;
    this.clock = new PeerClock(world.clock, world.random);
  }

  /** `first` names the peer that is asked first; any unless given. */
  wish(kind: OperationKind, request: PeerRequest, first?: string): Wish {
    const key = `wish ${this.wishes.length}`;
    const wish: Wish = { kind, request, key, isUnwanted: false };
    this.wishes.push(wish);
    this.#world.trace(`${key}: ${kind} ${JSON.stringify(request)}`);
    this.#pursue(wish, first).catch((error: unknown) => this.#world.broken(error));
    return wish;
  }

  async #pursue(wish: Wish, first: string | undefined): Promise<void> {
    const { kind, request, key } = wish;
    const asked = request as Parameters<typeof this.wish>[1] & { source: string };
    const create = (peer: OperationStore) => peer.create(kind, asked as never, key, 'client');
    const { id } = await this.#anywhere(create, first);
    wish.id = id;
    this.#world.trace(`${key} is ${id}`);
    try {
      for (;;) {
        await this.clock.sleep(pollMs);
        if (wish.isUnwanted) await this.#anywhere((peer) => peer.cancel(id));
        const now = await this.#anywhere((peer) => peer.get(id));
        if (!isEnded(now)) continue;
        wish.ended = now;
        break;
      }
    } catch (error) {
      if (!isCodrError(error, 'operation-unknown')) throw error;
      wish.ended = 'forgotten';
    }
    const { ended } = wish;
    const how = ended === 'forgotten' ? ended : `${ended.state} ${ended.error?.message ?? ''}`;
    this.#world.trace(`${key} has ended: ${how}`);
  }

  async #anywhere<T>(work: (peer: OperationStore) => Promise<T>, first = ''): Promise<T> {
    const { network, peers } = this.#world;
    for (let attempt = 0; ; attempt++) {
      const all = [...peers.values()];
      const any = all[this.#random.below(all.length)] as (typeof all)[number];
      const to = (attempt === 0 && peers.get(first)) || any;
      const ask: AskPeer = async (question) =>
        await network.ask({
          ...{ from: this, to, patienceMs, signal: new AbortController().signal },
          work: (ended) => question(to, ended),
        });
      try {
        return await work(remoteOperations(ask));
      } catch (error) {
        if (!passing.some((code) => isCodrError(error, code))) throw error as CodrError;
        await this.clock.sleep(retryMs);
      }
    }
  }
}
