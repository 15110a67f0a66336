// Peers as processes of their own, with one etcd and one repository. Each can be killed, frozen, stopped and
// started again; all end with this process.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { silentLogger } from '../../src/base/log.ts';
import { connect } from '../../src/node/client.ts';
import { loadConfig } from '../../src/node/config.ts';
import { EmbeddedNode } from '../../src/node/embedded-node.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemRandom } from '../../src/node/system-random.ts';
import { TemporarySpill } from '../../src/node/temporary-spill.ts';
import { EtcdCluster } from '../harness/etcd.ts';
import { type FakeClock, fakeClock } from '../harness/faketime.ts';
import { TcpProxy } from '../harness/tcp-proxy.ts';
import { rootFolder } from '../source-files.ts';

export interface PeersOptions {
  readonly count: number;
  readonly members?: 1 | 3;
  /** URL of the repository; a folder of its own unless given. */
  readonly repository?: string;
  /** Fields of `limits` of each peer. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Of the peers' logs; `debug` unless given. */
  readonly logLevel?: 'debug' | 'info';
  /** How long a peer waits for a balancer before it stops. */
  readonly balancerSeconds?: number;
  /** Of the peer of that number: more fields of its configuration, and where its process runs. */
  readonly place?: (number: number) => {
    readonly fields?: Readonly<Record<string, unknown>>;
    readonly cwd?: string;
  };
  /** A network that can fail lies in front of each peer, and between each peer and etcd. */
  readonly proxied?: boolean;
  /** Each peer has a wall clock of its own, which can jump. */
  readonly ownClocks?: boolean;
}

const readyMsMax = 60_000;
const pollMs = 50;

/** Never aborted. */
export const call = { signal: new AbortController().signal };

export class Peers implements AsyncDisposable {
  readonly etcd: EtcdCluster;
  readonly folder: string;
  readonly all: readonly PeerProcess[];
  readonly repository: string;

  private constructor(
    etcd: EtcdCluster,
    folder: string,
    all: readonly PeerProcess[],
    repository: string,
  ) {
    this.etcd = etcd;
    this.folder = folder;
    this.all = all;
    this.repository = repository;
  }

  static async start(options: PeersOptions): Promise<Peers> {
    const folder = await mkdtemp(join(tmpdir(), 'codr-peers-'));
    const etcd = await EtcdCluster.start({ members: options.members ?? 1 });
    await etcd.healthy();
    const url = options.repository ?? join(folder, 'repository');
    if (options.repository === undefined) {
      await using node = await embedded(url, folder);
      await node.init({ encryption: true }, call);
    }
    await writeFile(join(folder, 'password'), password);
    const all: PeerProcess[] = [];
    for (let i = 1; i <= options.count; i++) {
      const place = options.place?.(i) ?? {};
      all.push(await configured(`n${i}`, { ...options, ...place, folder, etcd, url }));
    }
    const peers = new Peers(etcd, folder, all, url);
    try {
      await Promise.all(all.map((peer) => peer.start()));
    } catch (error) {
      await peers[Symbol.asyncDispose]();
      throw error;
    }
    return peers;
  }

  /** The peer of that number, from 1. */
  peer(number: number): PeerProcess {
    return this.all[number - 1] as PeerProcess;
  }

  /** CODR in this process on the same repository, its clock so far ahead. */
  async embedded(aheadMs = 0): Promise<EmbeddedNode> {
    return await embedded(this.repository, this.folder, aheadMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((peer) => peer.kill()));
    for (const { links } of this.all) for (const link of links) await link[Symbol.asyncDispose]();
    await this.etcd[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const password = 'a passphrase';

interface PeerPlace {
  readonly folder: string;
  readonly etcd: EtcdCluster;
  readonly url: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cwd?: string;
}

/** Writes the peer's file; it is not started yet. */
async function configured(
  name: string,
  {
    folder,
    etcd,
    url,
    limits,
    proxied,
    ownClocks,
    balancerSeconds = 0,
    logLevel = 'debug',
    fields = {},
    cwd,
  }: PeersOptions & PeerPlace,
): Promise<PeerProcess> {
  const listen = `127.0.0.1:${await freePort()}`;
  const metrics = `127.0.0.1:${await freePort()}`;
  const front = proxied ? await TcpProxy.start(listen) : undefined;
  const behind = [];
  for (const endpoint of proxied ? etcd.endpoints : []) {
    behind.push(await TcpProxy.start(endpoint.replace('http://', '')));
  }
  const config = {
    ...{ name, listen, insecure: true, drainSeconds: 10, balancerSeconds, logLevel },
    metrics,
    ...(front && { advertise: front.address }),
    repository: { url, passwordFile: 'password' },
    etcd: {
      endpoints: proxied ? behind.map(({ address }) => `http://${address}`) : etcd.endpoints,
    },
    auditFile: `${name}.audit`,
    limits: { workers: 2, ...limits },
    ...fields,
  };
  // JSON is YAML too.
  await writeFile(join(folder, `${name}.yaml`), JSON.stringify(config));
  await mkdir(join(folder, `tmp-${name}`));
  const links = [...(front ? [front] : []), ...behind];
  const clock = ownClocks ? await fakeClock(join(folder, `clock-${name}`)) : undefined;
  return new PeerProcess({ name, listen, metrics }, { folder, cwd, clock }, links);
}

export async function embedded(
  repository: string,
  folder: string,
  aheadMs = 0,
): Promise<EmbeddedNode> {
  const config = loadConfig({ repo: repository }, { CODR_PASSWORD: password });
  return await EmbeddedNode.open(config, {
    clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
    random: systemRandom,
    spill: new TemporarySpill(folder),
    log: silentLogger,
  });
}

export class PeerProcess {
  readonly name: string;
  readonly address: string;
  /** Where it answers over HTTP. */
  readonly metrics: string;
  /** The networks in front of it and behind it. */
  readonly links: readonly TcpProxy[];
  readonly #folder: string;
  readonly #clock: FakeClock | undefined;
  readonly #cwd: string | undefined;
  #child: ChildProcess | undefined;
  /** All that it has said, of all its lives. */
  log = '';

  constructor(
    { name, listen, metrics }: Readonly<Record<'name' | 'listen' | 'metrics', string>>,
    {
      folder,
      cwd,
      clock,
    }: {
      readonly folder: string;
      readonly cwd: string | undefined;
      readonly clock: FakeClock | undefined;
    },
    links: readonly TcpProxy[],
  ) {
    this.name = name;
    this.links = links;
    this.address = listen;
    this.metrics = metrics;
    this.#folder = folder;
    this.#cwd = cwd;
    this.#clock = clock;
  }

  /** Resolves when it serves. */
  async start(): Promise<void> {
    const from = this.log.length;
    const config = join(this.#folder, `${this.name}.yaml`);
    const child = spawn(
      process.execPath,
      [`${rootFolder}src/cli/main.ts`, 'node', '--config', config],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        ...(this.#cwd !== undefined && { cwd: this.#cwd }),
        env: {
          ...process.env,
          ...this.#clock?.environment,
          TMPDIR: join(this.#folder, `tmp-${this.name}`),
        },
      },
    );
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
      if (process.env.CODR_TEST_LOG !== undefined) process.stderr.write(text);
    });
    process.once('exit', () => child.kill('SIGKILL'));
    const deadline = Date.now() + readyMsMax;
    while (!this.log.includes('"msg":"serving"', from)) {
      assert.equal(child.exitCode, null, `${this.name} ended: ${this.log.slice(from)}`);
      assert.ok(Date.now() < deadline, `${this.name} does not serve: ${this.log.slice(from)}`);
      await sleep(pollMs);
    }
  }

  api(): CodrApi {
    return connect({ address: this.address, tls: 'insecure' });
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** As a rolling restart does; answers its exit code. */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM');
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** How far its wall clock is ahead of the machine's. */
  async setClock(aheadSeconds: number): Promise<void> {
    assert.ok(this.#clock, 'peers have clocks of their own');
    await this.#clock.set(aheadSeconds);
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Lines of its log that hold `text`. */
  lines(text: string): string[] {
    return this.log.split('\n').filter((line) => line.includes(text));
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? null;
    const gone = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
    return child.exitCode;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise<void>((done) => server.close(() => done()));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** Waits until it is true. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { within, what }: { readonly within: number; readonly what: string },
): Promise<void> {
  const deadline = Date.now() + within;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `within ${within / 1000} s: ${what}`);
    await sleep(pollMs);
  }
}
