// Starts throw-away mongod replica sets on 127.0.0.1, for `codr demo` and for tests. Data lies in a
// temporary folder that goes with the set. No process outlives ours: each has a watcher that kills it
// when our end of a pipe closes, however we end.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import type { MongodProgram } from './mongod-program.ts';

export interface ReplicaSetOptions {
  readonly name?: string;
  /** Data-bearing members, 1 unless said. */
  readonly members?: number;
  /** Extra fields of single members in the configuration: `{ 2: { hidden: true, priority: 0 } }`. */
  readonly memberSettings?: Readonly<Record<number, Document>>;
  /** Start-up parameters (`--setParameter`). */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** Further flags of mongod. */
  readonly flags?: readonly string[];
  /** Turns access control on: the members' key (base64) and the first user, who gets role `root`. */
  readonly auth?: { readonly key: string; readonly user: string; readonly password: string };
  /** Options every client needs, TLS for instance. */
  readonly clientOptions?: MongoClientOptions;
  /** Upper bound of the oplog, which grows as it is used. */
  readonly oplogMiB?: number;
  readonly cacheGiB?: number;
}

const readyMsMax = 60_000;
const pollMs = 30;
/** mongod's exit code when its port is taken. */
const exitPortTaken = 48;
const startAttempts = 3;

/** One running set. Disposing it is `stop()`. */
export class ReplicaSet implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly #program: MongodProgram;
  readonly #options: ReplicaSetOptions;
  readonly #members: Member[] = [];
  #clients: MongoClient[] = [];

  private constructor(program: MongodProgram, options: ReplicaSetOptions, folder: string) {
    this.#program = program;
    this.#options = options;
    this.name = options.name ?? 'rs';
    this.folder = folder;
  }

  /** Starts all members and waits until each is primary or secondary; about 1 s for one member. */
  static async start(program: MongodProgram, options: ReplicaSetOptions = {}): Promise<ReplicaSet> {
    for (let attempt = 1; ; attempt++) {
      const set = new ReplicaSet(program, options, await mkdtemp(join(tmpdir(), 'codr-mongod-')));
      try {
        await set.#start();
        return set;
      } catch (error) {
        const taken = set.#members.some((member) => member.process?.exitCode === exitPortTaken);
        const log = await set.#lastLogLines();
        await set.stop();
        if (taken && attempt < startAttempts) continue;
        throw new Error(`mongod did not start: ${(error as Error).message}${log}`, {
          cause: error,
        });
      }
    }
  }

  /** Seed list of all members, with the first user's name and password when there is one. */
  get uri(): string {
    return this.uriAs(this.#options.auth);
  }

  /** The same set as another user. */
  uriAs(user: { readonly user: string; readonly password: string } | undefined): string {
    const hosts = this.#members.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const login = user
      ? `${encodeURIComponent(user.user)}:${encodeURIComponent(user.password)}@`
      : '';
    return `mongodb://${login}${hosts}/?replicaSet=${this.name}${user ? '&authSource=admin' : ''}`;
  }

  /** Direct connections, one for each member, in their order. */
  get clients(): readonly MongoClient[] {
    return this.#clients;
  }

  /** Process ids of the members that were started, in their order. */
  get pids(): readonly number[] {
    return this.#members.flatMap(({ process }) => process?.pid ?? []);
  }

  get ports(): readonly number[] {
    return this.#members.map(({ port }) => port);
  }

  /** Index of the primary; waits for one. */
  async primary(): Promise<number> {
    return until('a primary', async () => {
      const states = await Promise.all(
        this.#clients
          .map(async (client) => {
            const hello = await client.db('admin').command({ hello: 1 }, { timeoutMS: 1000 });
            return hello.isWritablePrimary === true;
          })
          .map((state) => state.catch(() => false)),
      );
      const index = states.indexOf(true);
      return index < 0 ? undefined : index;
    });
  }

  /** A direct client of the primary. */
  async primaryClient(): Promise<MongoClient> {
    return this.#clients[await this.primary()] as MongoClient;
  }

  /** Makes the primary step down for `seconds`; returns when there is a primary again. */
  async stepDown(seconds = 1): Promise<number> {
    const client = await this.primaryClient();
    await client.db('admin').command({ replSetStepDown: seconds, force: true });
    return this.primary();
  }

  /** Ends one member at once, as a power cut would. */
  async kill(index: number): Promise<void> {
    await this.#member(index).kill();
  }

  /** Starts a killed member again on its data; returns when it is primary or secondary. */
  async restart(index: number): Promise<void> {
    const member = this.#member(index);
    await member.kill();
    await this.#launch(member);
    await this.#clients[index]?.close();
    this.#clients[index] = await this.#connect(member, true);
    await until(`member ${index}`, async () => {
      const hello = await this.#clients[index]?.db('admin').command({ hello: 1 });
      return hello?.isWritablePrimary || hello?.secondary || undefined;
    });
  }

  /** Kills all members, closes the clients, removes the data. */
  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
    await Promise.all(this.#clients.map((client) => client.close().catch(() => {})));
    this.#clients = [];
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Closes the clients and lets members and data outlive this process. */
  async release(): Promise<void> {
    for (const member of this.#members) member.release();
    await Promise.all(this.#clients.map((client) => client.close().catch(() => {})));
    this.#clients = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(): Promise<void> {
    const { members = 1, auth } = this.#options;
    if (auth) {
      await writeFile(join(this.folder, 'keyfile'), auth.key, { mode: 0o600 });
    }
    for (const [i, port] of (await freePorts(members)).entries()) {
      const member = new Member(port, join(this.folder, `member-${i}`));
      this.#members.push(member);
      await mkdir(member.folder);
      await this.#launch(member);
    }
    this.#clients = await Promise.all(this.#members.map((member) => this.#connect(member, false)));
    await this.#initiate();
    if (!auth) return;
    const first = this.#clients[0] as MongoClient;
    await first.db('admin').command({ createUser: auth.user, pwd: auth.password, roles: ['root'] });
    await Promise.all(this.#clients.map((client) => client.close()));
    this.#clients = await Promise.all(this.#members.map((member) => this.#connect(member, true)));
  }

  async #initiate(): Promise<void> {
    const first = this.#clients[0] as MongoClient;
    await first.db('admin').command({
      replSetInitiate: {
        _id: this.name,
        members: this.#members.map(({ port }, i) => ({
          _id: i,
          host: `127.0.0.1:${port}`,
          priority: i === 0 ? 1 : 0.5,
          ...this.#options.memberSettings?.[i],
        })),
        settings: { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 500 },
      },
    });
    // `hello` needs no login, unlike `replSetGetStatus`.
    await until('all members', async () => {
      const hellos = await Promise.all(
        this.#clients.map((client) => client.db('admin').command({ hello: 1 })),
      );
      const ready = hellos.every((hello) => hello.isWritablePrimary || hello.secondary);
      return (ready && hellos[0]?.isWritablePrimary) || undefined;
    });
  }

  async #launch(member: Member): Promise<void> {
    const { parameters = {}, flags = [], auth, oplogMiB = 990, cacheGiB = 0.25 } = this.#options;
    const settings = { diagnosticDataCollectionEnabled: false, ...parameters };
    const flagsOfSet = [
      ...['--port', `${member.port}`, '--bind_ip', '127.0.0.1', '--nounixsocket'],
      ...['--dbpath', member.folder, '--logpath', join(member.folder, 'mongod.log')],
      ...['--replSet', this.name, '--oplogSize', `${oplogMiB}`],
      ...['--wiredTigerCacheSizeGB', `${cacheGiB}`],
      // Without it the journal takes 300 MB of disk a member from the start.
      ...['--wiredTigerEngineConfigString', 'log=(prealloc=false,file_max=16MB)'],
      ...(auth ? ['--keyFile', join(this.folder, 'keyfile')] : []),
      ...Object.entries(settings).flatMap(([name, value]) => [
        '--setParameter',
        `${name}=${value}`,
      ]),
      ...flags,
    ];
    member.launch(this.#program, flagsOfSet, this.folder);
  }

  async #connect(member: Member, login: boolean): Promise<MongoClient> {
    const { auth, clientOptions } = this.#options;
    return until(`127.0.0.1:${member.port}`, async () => {
      const ended = member.process?.exitCode ?? member.process?.signalCode;
      if (ended != null) throw new Error(`it ended with ${ended}`);
      const client = new MongoClient(`mongodb://127.0.0.1:${member.port}/`, {
        directConnection: true,
        serverSelectionTimeoutMS: 500,
        ...clientOptions,
        ...(auth && login && { auth: { username: auth.user, password: auth.password } }),
      });
      try {
        await client.db('admin').command({ hello: 1 });
        return client;
      } catch {
        await client.close();
        return undefined;
      }
    });
  }

  #member(index: number): Member {
    const member = this.#members[index];
    if (!member) throw new Error(`the set has no member ${index}`);
    return member;
  }

  async #lastLogLines(): Promise<string> {
    const folder = this.#members[0]?.folder;
    const log = folder ? await readFile(join(folder, 'mongod.log'), 'utf8').catch(() => '') : '';
    return log && `\n${log.trim().split('\n').slice(-3).join('\n')}`;
  }
}

class Member {
  readonly port: number;
  readonly folder: string;
  process: ChildProcess | undefined;
  #watcher: ChildProcess | undefined;

  constructor(port: number, folder: string) {
    this.port = port;
    this.folder = folder;
  }

  launch(program: MongodProgram, flags: readonly string[], setFolder: string): void {
    const child = spawn(program.path, flags, {
      stdio: 'ignore',
      // Its own group: Ctrl-C at the terminal is for us to hear, not for it.
      detached: true,
    });
    child.on('error', () => {});
    this.process = child;
    if (child.pid === undefined) return;
    // The pipe closes when this process ends in any way, SIGKILL included.
    const script = 'cat >/dev/null; kill -9 "$1" && sleep 0.2; rm -rf "$2"';
    const watcher = spawn('sh', ['-c', script, 'codr-watcher', `${child.pid}`, setFolder], {
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

  release(): void {
    this.#watcher?.kill('SIGKILL');
    this.process?.unref();
  }

  async kill(): Promise<void> {
    const child = this.process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }
}

/** Ports that were free a moment ago; a start that loses one tries again with others. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(0, '127.0.0.1', resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

/** Asks until there is an answer; errors of the network are asked again, ours end it. */
async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + readyMsMax;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`${what} was not there after ${readyMsMax} ms`);
    await sleep(pollMs);
  }
}
