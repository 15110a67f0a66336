// 57: random operations against three real nodes while one and then another is killed and comes
// back, hints off and nothing repaired; cuts are taken meanwhile. A cut at which the writers
// rested, given back beside its source, is what SELECT at ALL said then: on each replica by
// itself.
//   CODR_SEED=7 repeats what is chosen; CODR_SEEDS=20 runs so many seeds, from CODR_SEED on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../src/base/random.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { assertEachAlone, assertSameRows, type SeenRows, seen } from '../cassandra/oracle.ts';
import { CassandraWorld, type ProtectedCluster } from '../cassandra/world.ts';
import { connectCql, startCassandra, type TestClient } from '../harness/cassandra.ts';
import { testSeed } from '../harness/seed.ts';
import { TestSchema } from './cassandra-schema.ts';
import { shortTtlSeconds } from './cassandra-statements.ts';
import { pick } from './cassandra-types.ts';
import { CassandraWriter } from './cassandra-writer.ts';

const firstSeed = testSeed(57);
const seeds = Number(process.env.CODR_SEEDS ?? 1);
const nodeCount = 3;
const writerCount = 3;
/** How long the writers go on between two events. */
const busyMs = 3000;
/** Cassandra gives a write up after this long: nothing comes later. */
const writeMsMax = 3000;

for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
  test(`57: cuts of replicas that differ give back what ALL said, seed ${seed}`, async (t) => {
    t.diagnostic(`CODR_SEED=${seed}`);
    await using scene = await Scene.open(seed);
    await scene.busy(async () => {
      await sleep(busyMs);
      await scene.backup();
      await scene.loseNode();
    });
    const first = await scene.quietCut();
    await scene.busy(async () => {
      await scene.changeSchema();
      await scene.truncate();
      await scene.compact();
      await scene.loseNode();
    });
    const second = await scene.quietCut();
    await scene.compact();
    t.diagnostic(scene.summary());
    for (const cut of [first, second]) {
      try {
        await scene.check(cut);
      } catch (error) {
        const { message } = error as Error;
        throw new Error(`CODR_SEED=${seed}, ${cut.point}: ${message}`, { cause: error });
      }
    }
  });
}

/** A cut with nothing under way, and what the server said then. */
interface QuietCut {
  readonly point: string;
  readonly rows: SeenRows;
}

class Scene implements AsyncDisposable {
  readonly #cluster: CassandraCluster;
  readonly #client: TestClient;
  readonly #schema: TestSchema;
  readonly #source: ProtectedCluster;
  readonly #random: SeededRandom;
  readonly #writers: readonly CassandraWriter[];
  readonly #stack: AsyncDisposableStack;
  readonly #grades: string[] = [];

  private constructor(
    seed: number,
    schema: TestSchema,
    {
      cluster,
      client,
      source,
      stack,
    }: {
      readonly cluster: CassandraCluster;
      readonly client: TestClient;
      readonly source: ProtectedCluster;
      readonly stack: AsyncDisposableStack;
    },
  ) {
    this.#cluster = cluster;
    this.#client = client;
    this.#schema = schema;
    this.#source = source;
    this.#stack = stack;
    this.#random = new SeededRandom(seed + 1);
    this.#writers = Array.from(
      { length: writerCount },
      (_, i) => new CassandraWriter(client, schema, seed + 10 * (i + 1)),
    );
  }

  static async open(seed: number): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    const cluster = await startCassandra({
      nodes: nodeCount,
      dcs: new Array<string>(nodeCount).fill('dc1'),
      hints: false,
      // A coordinator that is a replica asks itself first.
      yaml: ['dynamic_snitch: false'],
    });
    stack.use(cluster);
    const world = stack.use(await CassandraWorld.open());
    const client = stack.use(await connectCql(cluster));
    const schema = new TestSchema('app', new SeededRandom(seed));
    for (const statement of schema.statements(nodeCount)) {
      await client.cql(statement).catch((error: unknown) => {
        throw new Error(`CODR_SEED=${seed}: ${statement}: ${String(error)}`, { cause: error });
      });
    }
    const source = await world.protect('app', cluster);
    return new Scene(seed, schema, { cluster, client, source, stack: stack.move() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** Runs `work` under writes that end with it. */
  async busy(work: () => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const writing = this.#writers.map((writer) => writer.run(stop.signal));
    const ends = await Promise.allSettled([work().finally(() => stop.abort()), ...writing]);
    const faults = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    if (faults.length > 0) throw faults[0];
  }

  async backup(): Promise<string> {
    const { point, grade } = await this.#source.backup();
    this.#grades.push(grade ?? 'none');
    return point.id;
  }

  /** A node dies, is missed for a while and by one cut, and is back. */
  async loseNode(): Promise<void> {
    const node = pick(this.#random, this.#cluster.nodes);
    await this.#cluster.stopNode(node, 'SIGKILL');
    await sleep(busyMs);
    if (this.#random.below(2) === 0) await this.backup();
    await this.#cluster.startNode(node);
    await this.#cluster.waitCql(node);
    await this.#cluster.waitRing();
    await sleep(busyMs);
  }

  /** Called when no writer runs. */
  async quietCut(): Promise<QuietCut> {
    await this.#settled();
    const point = await this.backup();
    return { point, rows: await seen(this.#client, 'app') };
  }

  /** Columns come and go. */
  async changeSchema(): Promise<void> {
    const table = this.#plainTable();
    const gone = pick(
      this.#random,
      table.columns.filter(({ isStatic, type }) => !isStatic && !('kind' in type)),
    );
    table.columns = table.columns.filter((column) => column !== gone);
    await this.#client.cql(`ALTER TABLE ${table.name} DROP ${gone.name}`);
    const added = this.#schema.newColumn(this.#random);
    await this.#client.cql(`ALTER TABLE ${table.name} ADD ${added.name} ${added.type.cql}`);
    table.columns = [...table.columns, added];
  }

  async truncate(): Promise<void> {
    await this.#client.cql(`TRUNCATE ${this.#plainTable().name}`);
  }

  /** Major compaction on all nodes. */
  async compact(): Promise<void> {
    await Promise.all(this.#cluster.nodes.map((node) => this.#cluster.jmx(node).compact('app')));
  }

  async check({ point, rows }: QuietCut): Promise<void> {
    const keyspace = point.replace(/\W/g, '_');
    const restored = await this.#source.restoreTo(this.#cluster, {
      at: point,
      renames: [`app.*=${keyspace}.*`],
    });
    assert.ok(restored.datasets.every(({ proven }) => proven));
    assert.deepEqual([restored.skipped, restored.changedByTarget], [[], []]);
    assert.equal(restored.datasets.length, this.#schema.tables.length);
    await assertEachAlone(this.#cluster, keyspace, rows);
    assertSameRows(await seen(this.#client, keyspace), rows, 'at ALL');
  }

  summary(): string {
    const sum = (name: 'writes' | 'failures'): number =>
      this.#writers.reduce((total, writer) => total + writer[name], 0);
    return `${sum('writes')} writes, ${sum('failures')} failed; cuts: ${this.#grades.join(', ')}`;
  }

  #plainTable(): TestSchema['tables'][number] {
    return pick(
      this.#random,
      this.#schema.tables.filter((table) => !table.isCounter),
    );
  }

  /** Nothing that was written is under way any more, and what expires soon has. */
  async #settled(): Promise<void> {
    const end = Date.now() + Math.max(writeMsMax, (shortTtlSeconds + 1) * 1000);
    const batches = 'org.apache.cassandra.db:type=BatchlogManager';
    for (;;) {
      const left = await Promise.all(
        this.#cluster.nodes.map(async (node) => {
          const jmx = this.#cluster.jmx(node);
          await jmx.exec(batches, 'forceBatchlogReplay');
          return await jmx.exec(batches, 'countAllBatches');
        }),
      );
      if (left.every((count) => count === 0) && Date.now() > end) return;
      assert.ok(Date.now() < end + 60_000, `batches are left: ${left.join(', ')}`);
      await sleep(200);
    }
  }
}
