// Real members of etcd for tests: one or three on free ports of the loopback, ended with this process however
// it ends. Each member can be frozen, killed and started again, and all of them wiped.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { etcdProgram } from './get-etcd.ts';

const run = promisify(execFile);
const readyMsMax = 30_000;
const pollMs = 30;

export interface EtcdSettings {
  readonly members?: 1 | 3;
  /** Clients must show a certificate of a throw-away authority; its common name is their user. */
  readonly tls?: boolean;
}

/** Certificates of a client, as PEM. */
export interface TestCertificate {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** One file's cluster, ended after its last test. Call it at the file's top level. */
export function sharedEtcd(settings: EtcdSettings = {}): () => Promise<EtcdCluster> {
  let started: Promise<EtcdCluster> | undefined;
  after(async () => {
    const cluster = await started?.catch(() => undefined);
    await cluster?.[Symbol.asyncDispose]();
  });
  return () => {
    started ??= EtcdCluster.start(settings);
    return started;
  };
}

export class EtcdMember {
  readonly endpoint: string;
  /** Folder of its data. */
  readonly folder: string;
  readonly #program: string;
  readonly #flags: readonly string[];
  readonly #health: string;
  #child: ChildProcess | undefined;
  #pid: number | undefined;

  constructor(options: {
    endpoint: string;
    folder: string;
    program: string;
    flags: readonly string[];
    health: string;
  }) {
    this.endpoint = options.endpoint;
    this.folder = options.folder;
    this.#program = options.program;
    this.#flags = options.flags;
    this.#health = options.health;
  }

  /** Resolves when it runs, which is before it answers. */
  async start(): Promise<void> {
    // The server goes when our end of the pipe closes, and its data too unless told otherwise.
    const script =
      'data="$1"; shift; "$@" >/dev/null 2>&1 & echo $!; read -r word; kill -9 $!; wait; ' +
      '[ "$word" = keep ] || rm -rf "$data"';
    const folder = dirname(this.folder);
    const args = ['-c', script, 'codr-etcd', folder, this.#program, ...this.#flags];
    const child = spawn('sh', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    const pid = new Promise<number>((resolve) =>
      child.stdout?.once('data', (text) => resolve(Number(`${text}`))),
    );
    this.#child = child;
    this.#pid = await pid;
    child.unref();
    for (const pipe of [child.stdin, child.stdout]) (pipe as { unref?: () => void })?.unref?.();
  }

  /** SIGKILL; its data stay. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    this.#pid = undefined;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.ref();
    child.stdin?.end('keep\n');
    await gone;
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  async isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(this.#health, { signal: AbortSignal.timeout(1000) });
      return `${((await answer.json()) as { health?: unknown }).health}` === 'true';
    } catch {
      return false;
    }
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#pid === undefined) throw new Error('the member does not run');
    process.kill(this.#pid, signal);
  }
}

export class EtcdCluster implements AsyncDisposable {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;
  readonly #tls: boolean;

  private constructor(members: readonly EtcdMember[], folder: string, tls: boolean) {
    this.members = members;
    this.#folder = folder;
    this.#tls = tls;
  }

  /** Healthy when it resolves. */
  static async start({ members: count = 1, tls = false }: EtcdSettings = {}): Promise<EtcdCluster> {
    const program = await etcdProgram();
    const folder = await mkdtemp(join(tmpdir(), 'codr-etcd-'));
    const tlsFolder = join(folder, 'tls');
    if (tls) await makeCertificates(tlsFolder);
    const members = await makeMembers({ count, program, folder, tls: tls ? tlsFolder : undefined });
    const cluster = new EtcdCluster(members, folder, tls);
    try {
      for (const member of members) await member.start();
      await cluster.healthy();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** Resolves when all members that run answer for the majority. */
  async healthy(members = this.members): Promise<void> {
    const end = performance.now() + readyMsMax;
    for (const member of members) {
      while (!(await member.isHealthy())) {
        if (performance.now() > end) throw new Error(`${member.endpoint} is not healthy`);
        await sleep(pollMs);
      }
    }
  }

  /** Kills all members, throws their data away and starts them empty, with the same flags. */
  async wipe(): Promise<void> {
    for (const member of this.members) await member.kill();
    for (const { folder } of this.members) await rm(folder, { recursive: true, force: true });
    for (const member of this.members) await member.start();
    await this.healthy();
  }

  /** Of the user `name`: `root` or `codr`. */
  async certificate(name: 'root' | 'codr'): Promise<TestCertificate> {
    if (!this.#tls) throw new Error('the cluster has no TLS');
    const read = async (file: string): Promise<string> =>
      await readFile(join(this.#folder, 'tls', file), 'utf8');
    const [ca, certificate, key] = await Promise.all(
      ['ca.crt', `${name}.crt`, `${name}.key`].map(read),
    );
    return { ca, certificate, key } as TestCertificate;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function makeMembers(options: {
  count: number;
  program: string;
  folder: string;
  tls: string | undefined;
}): Promise<EtcdMember[]> {
  const { count, program, folder, tls } = options;
  const ports = await freePorts(count * 3);
  const url = (port: number | undefined, scheme = 'http'): string =>
    `${scheme}://127.0.0.1:${port}`;
  const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
  const peers = names.map((_, i) => url(ports[i * 3 + 1]));
  const initial = names.map((name, i) => `${name}=${peers[i]}`).join(',');
  const secure = tls
    ? ['--client-cert-auth', '--trusted-ca-file', join(tls, 'ca.crt')].concat(
        ...[['--cert-file', join(tls, 'server.crt'), '--key-file', join(tls, 'server.key')]],
      )
    : [];
  return names.map((name, i) => {
    const client = url(ports[i * 3], tls ? 'https' : 'http');
    const health = url(ports[i * 3 + 2]);
    const data = join(folder, name);
    const flags = [
      ...['--name', name, '--data-dir', data, '--unsafe-no-fsync'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', `${peers[i]}`, '--initial-advertise-peer-urls', `${peers[i]}`],
      ...['--initial-cluster', initial, '--initial-cluster-token', 'codr-test'],
      ...['--initial-cluster-state', 'new', '--listen-metrics-urls', health],
      ...['--heartbeat-interval', '100', '--election-timeout', '1000', ...secure],
    ];
    return new EtcdMember({
      endpoint: client,
      folder: data,
      program,
      flags,
      health: `${health}/health`,
    });
  });
}

/** All at once, so that none is given twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port is free');
    ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

/** An authority, the members' certificate, and those of the users `root` and `codr`. */
async function makeCertificates(folder: string): Promise<void> {
  await mkdir(folder);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  const subject = (name: string): string[] => ['-subj', `/CN=${name}`];
  const authority = ['-x509', '-days', '30', '-keyout', 'ca.key', '-out', 'ca.crt'];
  await openssl('req', ...key, ...authority, ...subject('codr-test-authority'));
  await writeFile(
    join(folder, 'extensions'),
    'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
  );
  for (const name of ['server', 'root', 'codr']) {
    const out = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
    await openssl('req', ...key, ...out, ...subject(name));
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30'];
    const files = ['-in', `${name}.csr`, '-out', `${name}.crt`, '-extfile', 'extensions'];
    await openssl('x509', '-req', ...signed, ...files);
  }
}
