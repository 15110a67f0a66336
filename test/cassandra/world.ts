// The world of an acceptance test: Cassandra clusters under protection and to restore into, a repository in a
// temporary folder and CODR as an embedded node. One world serves all tests of a file; each test takes a
// keyspace and a source of its own.
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

export type RestoreChoice = Partial<Omit<RestoreRequest, 'source'>>;

export interface ProtectOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** More fields of the source's file. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

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

  /** CODR in this process, opened anew on the world's repository. */
  async node(clock: Clock = systemClock): Promise<EmbeddedNode> {
    const repo = join(this.folder, 'repository');
    const config = loadConfig({ repo, logLevel: 'warn' }, { CODR_PASSWORD: 'a passphrase' });
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
    await using node = await this.node();
    await node.addSource({ source: name, config, include, exclude }, call());
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

  async backup(options: Partial<BackupRequest> = {}): Promise<BackupResult> {
    await using node = await this.world.node();
    return await node.backup({ source: this.name, follow: false, ...options }, call());
  }

  async remove(): Promise<void> {
    await using node = await this.world.node();
    await node.removeSource({ source: this.name }, call());
  }

  /** Everything of the point, by file into a cluster: SSTables that it imports. */
  async restoreTo(cluster: CassandraCluster, choice: RestoreChoice = {}): Promise<RestoreResult> {
    const to = await this.world.configFile(`target-${this.name}`, cluster);
    return await this.restore({ to, ...choice });
  }

  async restore(choice: RestoreChoice & { readonly to: string }): Promise<RestoreResult> {
    await using node = await this.world.node();
    return await node.restore(this.#request(choice), call());
  }

  async plan(choice: RestoreChoice & { readonly to: string }): Promise<RestorePlan> {
    await using node = await this.world.node();
    return await node.planRestore(this.#request(choice), call());
  }

  #request(choice: RestoreChoice & { readonly to: string }): RestoreRequest {
    return {
      ...{ source: this.name, at: 'latest', include: [], exclude: [], renames: [] },
      ...{ drop: false, ttl: 'keep', verify: true },
      ...choice,
    };
  }
}

export function call(): { signal: AbortSignal } {
  return { signal: new AbortController().signal };
}
