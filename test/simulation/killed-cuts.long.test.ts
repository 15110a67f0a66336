// A first cut whose process is killed again and again: what was finished is taken over, so that each death costs no
// more than the parts that were on their way.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SeededRandom } from '../../src/base/random.ts';
import { ReplicaCluster, ReplicaClusters } from '../../src/connector/replicas/replica-cluster.ts';
import { ReplicasConnector } from '../../src/connector/replicas/replicas-connector.ts';
import { everything } from '../../src/model/namespace.ts';
import { createRepository } from '../../src/repository/keys/repository-config.ts';
import { cutParameterSet } from '../../src/repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../src/storage/memory/memory-object-store.ts';
import { ManualClock } from '../harness/manual-clock.ts';
import { withRememberedKeys } from './remembered-keys.ts';
import { registerSource } from './simulated-losses.ts';
import { type SharedWorld, SimulatedProcess } from './simulated-process.ts';

const tables = ['a.one', 'a.two'];
const partitions = 125;
const rows = 10;
const textBytes = 3000;
const segmentBytes = 1_000_000;
const packBytesTarget = 200_000;
const stepsMax = 20_000;

type Limits = Pick<SharedWorld['limits'], 'segmentBytes'>;

class KilledCuts {
  readonly clock = new ManualClock();
  readonly store: MemoryObjectStore;
  readonly cluster: ReplicaCluster;
  readonly #shared: SharedWorld;
  #batchesRead = 0;
  #pid = 0;

  private constructor(
    seed: number,
    {
      opened,
      store,
      segmentBytes,
    }: Pick<SharedWorld, 'opened'> & Limits & { readonly store: MemoryObjectStore },
  ) {
    this.store = store;
    const clusters = new ReplicaClusters();
    const nowMs = (): number => this.clock.now();
    const ring = { name: 'source', nodes: 3, replicationFactor: 3, nowMs };
    this.cluster = clusters.add(new ReplicaCluster(ring));
    this.cluster.between = (what) => {
      if (what === 'records are read') this.#batchesRead++;
    };
    this.#shared = {
      ...{ seed, clock: this.clock, store, opened, alive: new Set() },
      connector: new ReplicasConnector(clusters),
      config: { kind: 'replicas', uri: 'replicas:source' },
      scope: everything,
      limits: { workers: 1, segmentBytes, tickBytesMax: 1 << 20, memoryBytesMax: 1 << 20 },
      ...{ packBytesTarget, retries: false, peers: 0 },
    };
  }

  static async create(seed: number, limits: Limits = { segmentBytes }): Promise<KilledCuts> {
    const store = new MemoryObjectStore();
    const random = new SeededRandom(seed);
    const created = await createRepository(store, undefined, { random, cut: cutParameterSet });
    const opened = withRememberedKeys(created);
    const world = new KilledCuts(seed, { opened, store, ...limits });
    await registerSource(await SimulatedProcess.start(++world.#pid, world.#shared));
    for (const table of tables) world.#fill(table, seed);
    return world;
  }

  /** `dies`: with which of its writes to the store. */
  async backup(dies = Number.POSITIVE_INFINITY): Promise<'done' | 'killed'> {
    const process = await SimulatedProcess.start(++this.#pid, this.#shared);
    if (Number.isFinite(dies)) process.store.crashAtWrite(dies, 'after');
    process.backup({ follow: false, rpoMs: 60_000 });
    for (let i = 0; !process.ending && !process.store.crashed; i++) {
      assert.ok(i < stepsMax, 'the backup does not end');
      if (!(await this.clock.step())) await new Promise((turn) => setImmediate(turn));
    }
    if (process.store.crashed) {
      process.kill();
      return 'killed';
    }
    if (process.ending?.kind === 'failed') throw process.ending.error;
    return 'done';
  }

  /** Of data: states of the lineage are stored beside it. */
  async packBytes(): Promise<number> {
    let bytes = 0;
    for await (const { size } of this.store.list('packs/d/')) bytes += size;
    return bytes;
  }

  /** Since the last time. */
  batchesRead(): number {
    const read = this.#batchesRead;
    this.#batchesRead = 0;
    return read;
  }

  async segments(): Promise<readonly string[]> {
    const process = await SimulatedProcess.start(++this.#pid, this.#shared);
    return (await process.openSource()).lineage.state.keys('segment');
  }

  #fill(table: string, seed: number): void {
    this.cluster.create(table);
    for (let p = 0; p < partitions; p++) {
      for (let r = 0; r < rows; r++) {
        const hash = createHash('shake256', { outputLength: textBytes });
        const text = hash.update(`${seed} ${table} ${p} ${r}`).digest('base64');
        this.cluster.write(table, `p${p}`, { kind: 'put', row: `r${r}`, text });
      }
    }
  }
}

test('what is stored again after a kill is bounded by the parts that were on their way', async () => {
  const calm = await KilledCuts.create(1, { segmentBytes: 1 << 30 });
  assert.equal(await calm.backup(), 'done');
  const wholeBytes = await calm.packBytes();
  const wholeRead = calm.batchesRead();
  assert.ok(wholeBytes > 6 * segmentBytes, `${wholeBytes} bytes`);

  const world = await KilledCuts.create(1);
  let read = 0;
  let kills = 0;
  for (; (await world.backup(24)) === 'killed'; kills++) {
    assert.ok(kills < 20, 'the cut comes to its end');
    read += world.batchesRead();
    assert.ok(kills > 0 || (await world.segments()).length > 0, 'finished parts are known');
  }
  read += world.batchesRead();
  const again = (await world.packBytes()) - wholeBytes;
  const bound = kills * (segmentBytes + packBytesTarget);
  assert.ok(kills >= 3, `${kills} kills`);
  assert.ok(bound < wholeBytes, `${bound} of ${wholeBytes} bytes say something`);
  assert.ok(again <= bound, `${again} bytes were stored again by ${kills} kills`);
  assert.ok(read < 2 * wholeRead, `${read} batches were read, ${wholeRead} without kills`);
  assert.deepEqual(await world.segments(), [], 'the commit removes what it took over');
});

test('a table that was written to meanwhile is read again, and little of it is stored again', async () => {
  const world = await KilledCuts.create(2);
  assert.equal(await world.backup(25), 'killed');
  const before = await world.packBytes();
  world.batchesRead();
  for (const table of tables) {
    world.cluster.write(table, 'p7', { kind: 'put', row: 'new', text: 'new' });
  }
  assert.equal(await world.backup(), 'done');
  const calm = await KilledCuts.create(2, { segmentBytes: 1 << 30 });
  assert.equal(await calm.backup(), 'done');
  assert.ok(world.batchesRead() >= calm.batchesRead(), 'all of it is read again');
  const all = await calm.packBytes();
  const again = (await world.packBytes()) - all;
  assert.ok(again < before / 2, `${again} of ${before} bytes were stored again`);
});
