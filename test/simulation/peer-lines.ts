// What a peer of a simulated world asks others, as the wire does it: plain data, errors by their codes.
import { errorDetail, errorFromDetail } from '../../src/api/error-detail.ts';
import type { OperationStore } from '../../src/api/operations.ts';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import type { WorkContext, WorkOrder } from '../../src/cluster/work-pool.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import type { PeerClock } from './peer-clock.ts';
import type { WholePeer } from './whole-peer.ts';

/** Asks one other peer. */
export type AskPeer = <T>(work: (peer: WholePeer, ended: AbortSignal) => Promise<T>) => Promise<T>;

const plain = <T>(value: T): T => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return plain(await work());
  } catch (error) {
    throw errorFromDetail(errorDetail(error, (text) => text));
  }
}

/** The operations of another peer. Their events are told by that peer alone. */
export function remoteOperations(ask: AskPeer): OperationStore {
  const asked = <T>(work: (store: OperationStore) => Promise<T>): Promise<T> =>
    ask((peer) => answered(() => work(peer.life.operations)));
  return {
    create: (...wish) => asked((store) => store.create(...wish)),
    get: (id) => asked((store) => store.get(id)),
    list: () => asked((store) => store.list()),
    cancel: (id) => asked((store) => store.cancel(id)),
    watch: () => {
      throw new CodrError('peer-unreachable', 'events do not travel in a simulated world');
    },
  };
}

/** A piece of work at another peer. Errors: `peer-lost`; those of the work. */
export async function runAt(
  name: string,
  order: WorkOrder,
  { progress }: Pick<WorkContext, 'progress'>,
  ask: AskPeer,
): Promise<unknown> {
  const heard = plain(order);
  try {
    return await ask((peer, signal) =>
      answered(() => peer.life.work(heard, { signal, progress: (...done) => progress(...done) })),
    );
  } catch (error) {
    if (!isCodrError(error, 'peer-unreachable')) throw error;
    throw new CodrError('peer-lost', `peer ${name}: ${error.message}`, { cause: error });
  }
}

/** A process that is frozen hears of no answer before it is woken; what it asked for is done meanwhile. */
export function answering(store: ObjectStore, clock: PeerClock): ObjectStore {
  const heard = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } finally {
      await clock.pass();
    }
  };
  return {
    url: store.url,
    create: (...args) => heard(store.create(...args)),
    get: (...args) => heard(store.get(...args)),
    stat: (...args) => heard(store.stat(...args)),
    list: async function* (...args) {
      for await (const object of store.list(...args)) {
        await clock.pass();
        yield object;
      }
    },
    listFolders: (...args) => heard(store.listFolders(...args)),
    remove: (...args) => heard(store.remove(...args)),
  };
}
