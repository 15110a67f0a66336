// The world of an acceptance test: Cassandra clusters under protection and to restore into, a repository in a
// temporary folder, and CODR as a user has it: its command lines, run in this process. One world serves all tests of a
// file; each test takes a keyspace and a source of its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type {
  BackupRequest,
  BackupResult,
  RestorePlan,
  RestoreRequest,
  RestoreResult,
} from '../../src/api/codr-api.ts';
import type { Clock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/node/config.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { EmbeddedNode } from '../../src/node/embedded-node.ts';
import { openLogger } from '../../src/node/logger.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemRandom } from '../../src/node/system-random.ts';
import { TemporarySpill } from '../../src/node/temporary-spill.ts';
import { type CommandPlace, flags, runCodr } from './command-line.ts';

export type RestoreChoice = Partial<Omit<RestoreRequest, 'source' | 'bytesPerSecond'>>;

export interface ProtectOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** More fields of the source's file. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

const passphrase = 'a passphrase';

export class CassandraWorld implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<CassandraWorld> {
    const world = new CassandraWorld(await mkdtemp(join(tmpdir(), 'codr-cassandra-world-')));
    await using node = await world.node();
    await node.init({ encryption: true }, call());
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** `codr WORDS` on the world's repository; gives what it prints as JSON. */
  async codr<R>(...words: readonly string[]): Promise<R> {
    return await this.codrBy(words, {});
  }

  /** The same by another clock, or to be interrupted. */
  async codrBy<R>(
    words: readonly string[],
    how: { readonly clock?: Clock } & Pick<CommandPlace, 'interruptible'>,
  ): Promise<R> {
    const env = { CODR_REPO: this.#repo, CODR_PASSWORD: passphrase };
    return await runCodr<R>(words, { env, open: () => this.node(how.clock), ...how });
  }

  get #repo(): string {
    return join(this.folder, 'repository');
  }

  /** CODR in this process, opened anew on the world's repository. */
  async node(clock: Clock = systemClock): Promise<EmbeddedNode> {
    const given = { repo: this.#repo, logLevel: 'warn' };
    const config = loadConfig(given, { CODR_PASSWORD: passphrase });
    const level = process.env.CODR_TEST_LOG === undefined ? 'silent' : 'info';
    return await EmbeddedNode.open(config, {
      clock,
      random: systemRandom,
      spill: new TemporarySpill(this.folder),
      log: openLogger(level, {
        stacks: true,
        form: 'json',
        write: (line) => {
          process.stderr.write(line);
        },
      }),
    });
  }

  /** The file that a user would write for a cluster; gives its path. */
  async configFile(
    name: string,
    cluster: CassandraCluster,
    settings: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    const path = join(this.folder, `${name}.yaml`);
    const nodes = Object.fromEntries(
      cluster.nodes.map((i) => [
        cluster.address(i),
        { dataDirectories: [cluster.dataFolder(i)], control: { jolokia: cluster.httpUrl(i) } },
      ]),
    );
    const content = {
      kind: 'cassandra',
      contactPoints: cluster.contactPoints,
      nodes,
      // Sources of the tests before have left their marks: one cluster serves a file.
      ownsBackups: true,
      ...settings,
    };
    await writeFile(path, stringify(content));
    return path;
  }

  /** Registers a cluster under a name: the keyspace of that name unless scoped otherwise. */
  async protect(
    name: string,
    cluster: CassandraCluster,
    { include = [`${name}.*`], exclude = [], settings = {} }: ProtectOptions = {},
  ): Promise<ProtectedCluster> {
    const config = await this.configFile(`source-${name}`, cluster, settings);
    const scope = [...flags('--include', include), ...flags('--exclude', exclude)];
    await this.codr('source', 'add', name, '--config', config, ...scope);
    return new ProtectedCluster(this, name);
  }
}

export class ProtectedCluster {
  readonly world: CassandraWorld;
  readonly name: string;

  constructor(world: CassandraWorld, name: string) {
    this.world = world;
    this.name = name;
  }

  async backup({ minGrade }: Pick<BackupRequest, 'minGrade'> = {}): Promise<BackupResult> {
    const grade = flags('--min-grade', minGrade === undefined ? [] : [minGrade]);
    return await this.world.codr('backup', this.name, ...grade);
  }

  async remove(): Promise<void> {
    await this.world.codr('source', 'remove', this.name);
  }

  /** Everything of the point, by file into a cluster: SSTables that it imports. */
  async restoreTo(cluster: CassandraCluster, choice: RestoreChoice = {}): Promise<RestoreResult> {
    const to = await this.world.configFile(`target-${this.name}`, cluster);
    return await this.restore({ to, ...choice });
  }

  async restore(choice: RestoreChoice & { readonly to: string }): Promise<RestoreResult> {
    return await this.world.codr('restore', this.name, ...restoreFlags(choice));
  }

  async plan(choice: RestoreChoice & { readonly to: string }): Promise<RestorePlan> {
    return await this.world.codr('restore', this.name, ...restoreFlags(choice), '--dry-run');
  }
}

function restoreFlags(choice: RestoreChoice & { readonly to: string }): string[] {
  const { to, at = 'latest', ttl = 'keep', tombstones = 'drop', drop = false } = choice;
  return [
    ...['--to', to, '--at', at, '--ttl', ttl, '--tombstones', tombstones],
    ...flags('--include', choice.include),
    ...flags('--exclude', choice.exclude),
    ...flags('--rename', choice.renames),
    ...flags('--token-range', choice.ranges),
    ...flags('--query', choice.queries),
    ...flags('--map-dc', choice.datacenters),
    ...(drop ? ['--drop'] : []),
    ...(choice.verify === false ? ['--no-verify'] : []),
  ];
}

export function call(): { signal: AbortSignal } {
  return { signal: new AbortController().signal };
}
