// What the tests on real etcd share: coordinators below a prefix of their own, the raw RPCs, patience.
import { setTimeout as sleep } from 'node:timers/promises';
import { realClock } from '../../../test/harness/context.ts';
import type { EtcdCluster } from '../../../test/harness/etcd.ts';
import { TcpProxy } from '../../../test/harness/tcp-proxy.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import type { Lease } from '../coordinator.ts';
import { EtcdChannel } from './etcd-channel.ts';
import { EtcdCoordinator, type EtcdOptions } from './etcd-coordinator.ts';

let prefixes = 0;
let coordinators = 0;

export const newPrefix = (): string => `test/${process.pid}-${++prefixes}`;

/** Ids of coordinators must differ, also of those that another process opens. */
export async function openEtcd(
  endpoints: readonly string[],
  { prefix = newPrefix(), ...rest }: Partial<EtcdOptions> = {},
): Promise<EtcdCoordinator> {
  const random = new SeededRandom((process.pid << 12) + ++coordinators);
  const world = { clock: realClock, random, log: silentLogger };
  return await EtcdCoordinator.open({ endpoints, prefix, ...rest }, world);
}

/** The raw RPCs of one member. */
export const rawEtcd = (endpoint: string): EtcdChannel =>
  new EtcdChannel(endpoint, undefined, () => Date.now() + 10_000);

/** One proxy in front of each member. */
export async function proxiesOf(cluster: EtcdCluster): Promise<TcpProxy[]> {
  return await Promise.all(
    cluster.endpoints.map((endpoint) => TcpProxy.start(endpoint.replace('http://', ''))),
  );
}

export const endpointsOf = (proxies: readonly TcpProxy[]): string[] =>
  proxies.map(({ address }) => `http://${address}`);

/** Resolves when the holder of the lease has been told. */
export async function untilLost({ lost }: Lease): Promise<void> {
  if (lost.aborted) return;
  await new Promise((resolve) => lost.addEventListener('abort', resolve, { once: true }));
}

/** Resolves when `holds` says so; rejects when it does not for `msMax`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  msMax = 10_000,
): Promise<void> {
  const end = performance.now() + msMax;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not in ${msMax} ms: ${what}`);
    await sleep(10);
  }
}
