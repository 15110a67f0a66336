// How is work divided over 1, 2 and 4 peers, and what does agreeing cost? On a machine with fewer cores than peers
// time says little; what each peer did does: CPU seconds, bytes, calls to the store and pieces of work, which must divide
// within 10 % of even.
import { setTimeout as sleep } from 'node:timers/promises';
import { call, type PeerProcess, Peers } from '../test/cluster/peers.ts';
import { bytesOf, dataFiles } from './data.ts';
import { bytesMovedBy, cpuOf } from './measure.ts';
import { type BenchOptions, type Question, say } from './question.ts';
import { emptyTarget, keptSource } from './server.ts';

export const clusterQuestion: Question = {
  name: 'cluster',
  about: 'a base copy and a restore on 1, 2 and 4 peers: work a peer, cost of agreeing',
  run,
};

const counts = [1, 2, 4];
const idleSeconds = 60;
/** Small pieces divide evenly; large ones cost less in all. */
const segmentMiB = 8;
const everything = { include: [] as string[], exclude: [] as string[] };

async function run({ mebibytes }: BenchOptions): Promise<void> {
  await using source = await keptSource(mebibytes);
  const bytes = await bytesOf(await dataFiles(mebibytes));
  for (const count of counts) {
    const limits = { segmentMiB, workers: 1, memoryMiB: 512 };
    await using peers = await Peers.start({ count, limits, logLevel: 'info' });
    await using target = await emptyTarget();
    await using api = peers.peer(1).api();
    await api.addSource({ source: 'bench', uri: source.uri, ...everything }, call);
    const agreed = new Agreement(peers);
    await measured(`${count} peers, base copy`, peers, bytes, () =>
      api.backup({ source: 'bench', follow: false, rpoSeconds: 1 }, call),
    );
    const wish = { to: target.uri, at: 'latest', ...everything, renames: [], drop: false };
    const how = { ttl: 'hold', verify: true, ranges: [], queries: [] } as const;
    await measured(`${count} peers, restore with proof`, peers, bytes, () =>
      api.restore({ source: 'bench', ...wish, ...how }, call),
    );
    const written = await agreed.writes();
    say(`  etcd: ${written} writes, ${((written / bytes) * 1e9).toFixed(0)} a GB of data`);
    if (count !== counts.at(-1)) continue;
    await sleep(idleSeconds * 1000);
    const idle = (await agreed.writes()) - written;
    say(`  etcd, idle: ${((idle * 3600) / idleSeconds).toFixed(0)} writes an hour and cluster`);
  }
}

async function measured(
  label: string,
  peers: Peers,
  bytes: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = await Promise.all(peers.all.map(workOf));
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const after = await Promise.all(peers.all.map(workOf));
  say(`${label}: ${seconds.toFixed(1)} s, ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`);
  for (const [i, { name, unit, digits }] of figures.entries()) {
    const done = after.map((one, peer) => ((one[i] ?? 0) - (before[peer]?.[i] ?? 0)) / unit);
    const mean = done.reduce((a, b) => a + b, 0) / done.length;
    const uneven = Math.max(...done.map((one) => Math.abs(one - mean) / mean)) * 100;
    const each = done.map((one) => one.toFixed(digits)).join(' + ');
    say(
      `  ${name.padEnd(26)} ${each}${done.length > 1 ? `, ${uneven.toFixed(0)} % from even` : ''}`,
    );
  }
}

/** What is counted of each peer, in the order of {@link workOf}. */
const figures = [
  { name: 'CPU seconds', unit: 1, digits: 1 },
  { name: 'MB read and written', unit: 1e6, digits: 0 },
  { name: 'MB to and from the store', unit: 1e6, digits: 0 },
  { name: 'calls to the store', unit: 1, digits: 0 },
  { name: 'pieces of work', unit: 1, digits: 0 },
] as const;

/** What a peer has done so far, for itself and for others. */
async function workOf({ pid, metrics }: PeerProcess): Promise<readonly number[]> {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  const sum = (...names: readonly string[]): number =>
    names.reduce((all, name) => {
      const [, value] = new RegExp(`^codr_${name}_total (\\d+)$`, 'm').exec(text) ?? [];
      if (value === undefined) throw new Error(`a peer does not count ${name}`);
      return all + Number(value);
    }, 0);
  return [
    cpuOf(pid),
    bytesMovedBy(pid),
    sum('bytes_stored', 'store_read_bytes'),
    sum('store_calls'),
    sum('work_own', 'work_others'),
  ];
}

/** Writes to etcd: each raises its revision by one. */
class Agreement {
  readonly #endpoint: string;
  readonly #first: Promise<number>;

  constructor(peers: Peers) {
    this.#endpoint = peers.etcd.endpoints[0] as string;
    this.#first = this.#revision();
  }

  async writes(): Promise<number> {
    return (await this.#revision()) - (await this.#first);
  }

  async #revision(): Promise<number> {
    const body = JSON.stringify({ key: Buffer.from('x').toString('base64') });
    const answer = await fetch(`${this.#endpoint}/v3/kv/range`, { method: 'POST', body });
    const { header } = (await answer.json()) as { header: { revision: string } };
    return Number(header.revision);
  }
}
