// Starts throw-away Cassandra clusters on the loopback network 127.0.X.0, for the demo and for tests. Node i
// has the address 127.0.X.i, all nodes the same ports; X is chosen so that clusters do not meet. Data lies in
// a temporary folder that goes with the cluster. No node outlives our process: each has a watcher that
// kills it when our end of a pipe closes, however we end.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CassandraJmx } from './cassandra-jmx.ts';
import { type NodeSettings, nodeArguments, nodeFiles } from './cassandra-jvm.ts';
import type { CassandraProgram } from './cassandra-program.ts';

/** Settings of a cluster; the defaults make it start soon and small. */
export interface CassandraOptions {
  readonly name?: string;
  /** Nodes of the start, 1 unless said; more can be started later when it bootstraps. */
  readonly nodes?: number;
  /** Number of the first node, 1 unless said. */
  readonly first?: number;
  readonly heapMiB?: number;
  readonly numTokens?: number;
  /** Cassandra 5: with which version its files and messages agree. */
  readonly compatibility?: NodeSettings['compatibility'];
  /** Cassandra 5: `bti` wants the compatibility `NONE`. */
  readonly format?: NodeSettings['format'];
  readonly uuidIds?: boolean;
  /** Data centre of each node in its order; unset: one data centre named `datacenter1`. */
  readonly dcs?: readonly string[];
  /** Nodes join one after the other and stream data; the first is the seed. */
  readonly bootstrap?: boolean;
  readonly hints?: boolean;
  readonly incrementalBackups?: boolean;
  readonly cdc?: boolean;
  /** False for measurements. */
  readonly fast?: boolean;
  /** Opens a local RMI port for nodetool. */
  readonly jmx?: boolean;
  /** Further lines of `cassandra.yaml`. */
  readonly yaml?: readonly string[];
  /** Further flags of the JVM. */
  readonly jvm?: readonly string[];
  readonly storagePort?: number;
  readonly cqlPort?: number;
  readonly httpPort?: number;
  /** How long a node may take to answer; starts are bound by the processor. */
  readonly readyMsMax?: number;
}

const pollMs = 100;
/** A drain takes 5 s, and longer on a busy machine; a kill before its end would be a power cut. */
const stopMsMax = 90_000;
const networkCount = 250;
/** Below the ephemeral ports; each network has ten of them for its nodes. */
const jmxPortBase = 12_000;
const logTailLines = 25;

/** One running cluster. Disposing it is `stop()` with SIGKILL, which also removes the data. */
export class CassandraCluster implements AsyncDisposable {
  readonly program: CassandraProgram;
  readonly folder: string;
  readonly cqlPort: number;
  readonly #options: CassandraOptions;
  readonly #network: Network;
  readonly #nodes = new Map<number, CassandraNode>();

  private constructor(
    program: CassandraProgram,
    options: CassandraOptions,
    network: Network,
    folder: string,
  ) {
    this.program = program;
    this.folder = folder;
    this.cqlPort = options.cqlPort ?? 9042;
    this.#options = options;
    this.#network = network;
  }

  /** Starts all nodes and waits until each answers CQL and sees the others. */
  static async start(
    program: CassandraProgram,
    options: CassandraOptions = {},
  ): Promise<CassandraCluster> {
    const network = await claimNetwork(options);
    const folder = await mkdtemp(join(tmpdir(), 'codr-cassandra-'));
    const cluster = new CassandraCluster(program, options, network, folder);
    try {
      for (const node of cluster.nodes) {
        await cluster.startNode(node);
        if (options.bootstrap) await cluster.waitCql(node);
      }
      await Promise.all(cluster.nodes.map((node) => cluster.waitCql(node)));
      await cluster.waitRing();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Numbers of the nodes of the start. */
  get nodes(): readonly number[] {
    const { nodes = 1, first = 1 } = this.#options;
    return Array.from({ length: nodes }, (_, i) => first + i);
  }

  /** `address:port` of each node of the start, as drivers want it. */
  get contactPoints(): readonly string[] {
    return this.nodes.map((node) => `${this.address(node)}:${this.cqlPort}`);
  }

  /** The local data centre for drivers: that of the first node. */
  get dataCentre(): string {
    return this.#options.dcs?.[0] ?? 'datacenter1';
  }

  /** Process ids of the nodes that run. */
  get pids(): readonly number[] {
    return [...this.#nodes.values()].filter((node) => node.running).map((node) => node.pid);
  }

  address(node: number): string {
    return `127.0.${this.#network.number}.${node}`;
  }

  /** The Jolokia endpoint. */
  httpUrl(node: number): string {
    return `http://${this.address(node)}:${this.#options.httpPort ?? 8778}/jolokia/`;
  }

  /** Port on 127.0.0.1 for nodetool, when the option `jmx` is set. */
  jmxPort(node: number): number | undefined {
    return this.#options.jmx ? jmxPortBase + this.#network.number * 10 + node : undefined;
  }

  jmx(node: number): CassandraJmx {
    return new CassandraJmx(this.httpUrl(node));
  }

  /** Holds `conf`, `data`, `commitlog`, `cdc_raw` and `log` of one node. */
  nodeFolder(node: number): string {
    return join(this.folder, `node-${node}`);
  }

  /** Holds a folder for each keyspace. */
  dataFolder(node: number): string {
    return join(this.nodeFolder(node), 'data');
  }

  pid(node: number): number {
    const found = this.#nodes.get(node);
    if (!found) throw new Error(`node ${node} was not started`);
    return found.pid;
  }

  /** Starts one node on its data, or a further one; `yaml` and `jvm` are lines and flags of this node alone. */
  async startNode(
    node: number,
    yaml: readonly string[] = [],
    jvm: readonly string[] = [],
  ): Promise<void> {
    if (this.#nodes.get(node)?.running) throw new Error(`node ${node} runs already`);
    const { yaml: common, jvm: flags, ...rest } = this.#settings(node);
    const settings = { ...rest, yaml: [...common, ...yaml], jvm: [...flags, ...jvm] };
    const conf = join(settings.folder, 'conf');
    await mkdir(conf, { recursive: true });
    for (const [name, text] of Object.entries(nodeFiles(this.program, settings))) {
      await writeFile(join(conf, name), text);
    }
    const args = await nodeArguments(this.program, settings);
    const log = await open(join(settings.folder, 'log'), 'a');
    try {
      this.#nodes.set(node, new CassandraNode(this.program.java, args, log.fd, this.folder));
    } finally {
      await log.close();
    }
  }

  /** SIGTERM drains first and takes about 5 s; SIGKILL is a power cut. Returns when it is gone. */
  async stopNode(node: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#nodes.get(node)?.end(signal);
  }

  /** Ends all nodes; the data stays, so that they can be started again. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.end(signal)));
  }

  /** Resolves when the node takes CQL; fails with the end of its log. */
  async waitCql(node: number): Promise<void> {
    const { readyMsMax = 180_000 } = this.#options;
    const end = performance.now() + readyMsMax;
    while (!(await answers(this.address(node), this.cqlPort))) {
      const running = this.#nodes.get(node)?.running;
      if (running && performance.now() < end) {
        await sleep(pollMs);
        continue;
      }
      const why = running ? `did not answer in ${readyMsMax} ms` : 'ended while it started';
      throw new Error(`Cassandra node ${node} ${why}:\n${await this.logTail(node)}`);
    }
  }

  /** Resolves when each running node sees all running nodes. */
  async waitRing(): Promise<void> {
    const { readyMsMax = 180_000 } = this.#options;
    const end = performance.now() + readyMsMax;
    for (;;) {
      const running = [...this.#nodes].filter(([, { running }]) => running).map(([node]) => node);
      const seen = await Promise.all(running.map((node) => this.jmx(node).ringSize()));
      if (seen.every((count) => count >= running.length)) return;
      if (performance.now() > end) throw new Error(`the nodes see only ${seen} of each other`);
      await sleep(pollMs);
    }
  }

  async logTail(node: number, lines = logTailLines): Promise<string> {
    const log = await readFile(join(this.nodeFolder(node), 'log'), 'utf8').catch(() => '');
    return log.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Lets nodes and data outlive this process. */
  release(): void {
    for (const node of this.#nodes.values()) node.release();
    this.#network.claim.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    this.#network.claim.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  #settings(node: number): NodeSettings {
    const options = this.#options;
    // Every node of the start is a seed: others end when the only seed is slow to come up.
    const seeds = options.bootstrap ? this.nodes.slice(0, 1) : this.nodes;
    return {
      clusterName: options.name ?? 'codr',
      address: this.address(node),
      seeds: seeds.map((seed) => this.address(seed)),
      folder: this.nodeFolder(node),
      storagePort: storagePortOf(options),
      cqlPort: this.cqlPort,
      httpPort: options.httpPort ?? 8778,
      jmxPort: this.jmxPort(node),
      heapMiB: options.heapMiB ?? 384,
      numTokens: options.numTokens ?? 16,
      compatibility: options.compatibility ?? 'CASSANDRA_4',
      format: options.format ?? 'big',
      uuidIds: options.uuidIds ?? false,
      dataCentre: options.dcs?.[node - (options.first ?? 1)] ?? options.dcs?.at(-1),
      bootstrap: options.bootstrap ?? false,
      hints: options.hints ?? true,
      incrementalBackups: options.incrementalBackups ?? false,
      cdc: options.cdc ?? false,
      fast: options.fast ?? true,
      yaml: options.yaml ?? [],
      jvm: options.jvm ?? [],
    };
  }
}

/** A process and its watcher. */
class CassandraNode {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #watcher: ChildProcess;

  constructor(java: string, args: readonly string[], log: number, clusterFolder: string) {
    // Its own group: Ctrl-C at the terminal is for us to hear, not for it.
    const child = spawn(java, args, { stdio: ['ignore', log, log], detached: true });
    child.on('error', () => {});
    if (child.pid === undefined) throw new Error(`${java} could not be started`);
    this.pid = child.pid;
    this.#process = child;
    // The pipe closes when this process ends in any way, SIGKILL included.
    const script = 'cat >/dev/null; kill -9 "$1" && sleep 0.5; rm -rf "$2"';
    const watcher = spawn('sh', ['-c', script, 'codr-watcher', `${child.pid}`, clusterFolder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    watcher.on('error', () => {});
    watcher.stdin?.on('error', () => {});
    watcher.unref();
    (watcher.stdin as unknown as { unref?: () => void } | null)?.unref?.();
    child.once('exit', () => watcher.kill('SIGKILL'));
    this.#watcher = watcher;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  release(): void {
    this.#watcher.kill('SIGKILL');
    this.#process.unref();
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return;
    const gone = new Promise<void>((resolve) => this.#process.once('exit', () => resolve()));
    this.#process.kill(signal);
    const late = setTimeout(() => this.#process.kill('SIGKILL'), stopMsMax);
    await gone;
    clearTimeout(late);
  }
}

/** The X of 127.0.X.0, held as long as `claim` listens: it ends with our process. */
interface Network {
  readonly number: number;
  readonly claim: Server;
}

function storagePortOf(options: CassandraOptions): number {
  return options.storagePort ?? 7000;
}

/** Takes the first network whose claim port is free and where no node listens. */
async function claimNetwork(options: CassandraOptions): Promise<Network> {
  const port = storagePortOf(options);
  const { nodes = 1, first = 1 } = options;
  for (let i = 0; i < networkCount; i++) {
    const number = 1 + ((process.pid + i) % networkCount);
    // A port of its own: nodes bind theirs seconds after this choice.
    const claim = await listen(`127.0.${number}.1`, port - 1);
    if (!claim) continue;
    const hosts = Array.from({ length: nodes }, (_, k) => `127.0.${number}.${first + k}`);
    const taken = await Promise.all(hosts.map((host) => answers(host, port)));
    if (!taken.includes(true)) return { number, claim };
    claim.close();
  }
  throw new Error(`none of ${networkCount} loopback networks is free for a cluster`);
}

/** Undefined when the port is taken. */
async function listen(host: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return await new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(port, host, () => resolve(server));
  });
}

async function answers(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, host);
    const say = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('connect', say(true)).once('error', say(false));
  });
}
