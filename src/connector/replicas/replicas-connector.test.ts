import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import { everything } from '../../model/namespace.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import { recordText } from '../conformance-capture.ts';
import type { CutConformanceWorld } from '../conformance-cut-world.ts';
import { cutConformance } from '../conformance-cuts.ts';
import type { ConnectorContext, CutBefore, CutMemory, CutReader } from '../connector.ts';
import { ReplicaCluster, ReplicaClusters } from './replica-cluster.ts';
import { mergeRecords } from './replica-merge.ts';
import { recordsOf, rowsOf, type Write } from './replica-write.ts';
import { ReplicasConnector } from './replicas-connector.ts';

const startMs = 1_800_000_000_000;
const forever = new AbortController().signal;

/** A cluster, a clock that stands still, and sessions. */
function opened(nodes = 3, replicationFactor = 3, gcGraceSeconds = 1000) {
  const clock = { ms: startMs };
  const nowMs = (): number => clock.ms;
  const clusters = new ReplicaClusters();
  const cluster = clusters.add(
    new ReplicaCluster({ name: 'ring', nodes, replicationFactor, nowMs, gcGraceSeconds }),
  );
  const connector = new ReplicasConnector(clusters);
  const context: ConnectorContext = {
    clock: { now: nowMs, monotonic: nowMs, sleep: async () => {} },
    random: new SeededRandom(1),
    log: silentLogger,
    spill: new MemorySpill(),
    memoryBytesMax: 1 << 20,
  };
  const source = { kind: 'replicas', uri: 'replicas:ring' };
  return { clock, clusters, cluster, connector, context, source };
}

const rowName = (record: number): string => `r${String(record).padStart(4, '0')}`;

/** All records in one partition, so that a range of them is one deletion. */
async function openWorld(nodes: number, replicationFactor: number): Promise<CutConformanceWorld> {
  const { cluster, connector, context, source } = opened(nodes, replicationFactor);
  const seen = async (namespace: string): Promise<string[]> =>
    Object.entries(cluster.seen(namespace)).map(([key, text]) => `${key.split('/')[1]}=${text}`);
  return {
    ...{ connector, context, source, target: source, prefix: 't.', seenInTarget: seen, seen },
    create: async (namespace) => void cluster.create(namespace),
    drop: async (namespace) => cluster.drop(namespace),
    truncate: async (namespace) => cluster.truncate(namespace),
    async write(namespace, writes) {
      for (const { kind, record, seed } of writes) {
        const row = rowName(record);
        const change = kind === 'delete' ? { kind, row } : { kind: 'put', row, text: `${seed}` };
        cluster.write(namespace, 'p', change as Write['change']);
      }
    },
    async removeRange(namespace, from, to) {
      const change = { kind: 'delete range', from: rowName(from), to: rowName(to) } as const;
      cluster.write(namespace, 'p', change);
    },
    textsOf: (entry, records) =>
      records.map((record) => {
        const [text] = connector.renderValue(entry, [record]);
        return `${connector.renderKey(entry, record).split('/')[1]}=${JSON.parse(text as string)}`;
      }),
    async withoutOne(work) {
      const [node] = cluster.nodes;
      assert.ok(node);
      node.isUp = false;
      await work();
      node.start();
      return true;
    },
    async [Symbol.asyncDispose]() {},
  };
}

cutConformance('three replicas of three', () => openWorld(3, 3));
cutConformance('two replicas', () => openWorld(2, 2));

// ---- the merge ----

const places = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const changes: fc.Arbitrary<Write['change']> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), row: places, text: fc.constantFrom('x', 'y') }),
  fc.record({
    kind: fc.constant('put' as const),
    row: places,
    text: fc.constantFrom('x', 'y'),
    expiry: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant('delete' as const), row: places }),
  fc.record({ kind: fc.constant('delete range' as const), from: places, to: places }),
  fc.constant({ kind: 'delete partition' as const }),
);
const writes = fc.array(
  fc.record({
    seq: fc.nat(),
    partition: fc.constantFrom('p', 'pq', 'r'),
    timestamp: fc.integer({ min: 1, max: 8 }),
    seconds: fc.integer({ min: 1, max: 3 }),
    change: changes,
  }),
  { maxLength: 12 },
);

async function* stream(records: readonly DataRecord[]): RecordStream {
  for (let i = 0; i < records.length; i += 2) yield records.slice(i, i + 2);
}

async function merged(...inputs: readonly DataRecord[][]): Promise<string[]> {
  const texts: string[] = [];
  for await (const record of mergeRecords(inputs.map(stream))) texts.push(recordText(record));
  return texts;
}

test('a merge of what several sets of writes come to is what all of them come to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(writes, { maxLength: 4 }), async (sets) => {
      const expected = recordsOf(sets.flat()).map(recordText);
      assert.deepEqual(await merged(...sets.map(recordsOf)), expected);
      assert.deepEqual(await merged(recordsOf(sets.flat()), ...sets.map(recordsOf)), expected);
    }),
    { numRuns: sampled(400), seed: 1 },
  );
});

// ---- cuts ----

/** Takes, reads and commits cuts one after another, and keeps what they gave. */
function cutter({ connector, context, source }: ReturnType<typeof opened>) {
  let before: CutBefore | undefined;
  const held = new Set<Write>();
  return {
    held,
    async cut(): Promise<CutReader & { readonly begins: boolean }> {
      const session = await connector.connect(source, context);
      const cut = await session.cut?.(before, everything, forever);
      assert.ok(cut);
      for (const { records } of cut.datasets) {
        const read = async (): Promise<void> => {
          for await (const _ of records(forever)) assert.ok(_.length > 0);
        };
        // A damaged file is told once, and left out then.
        await read().catch(read);
      }
      const begins = cut.datasets.some((one) => one.begins);
      const taken = cut as CutReader & Pick<ReplicaCluster['cuts'][number], 'given'>;
      if (begins) held.clear();
      for (const { entry } of cut.datasets) {
        for (const write of taken.given(entry.dataset)?.writes ?? []) held.add(write);
      }
      const entries = connector.foldCatalog([...cut.catalog]);
      const known = before?.entries ?? [];
      const { time, number } = cut;
      before = {
        time,
        number,
        memory: cut.memory(),
        entries: entries.length > 0 ? entries : known,
      };
      await cut.committed(forever);
      return Object.assign(cut, { begins });
    },
  };
}

const put = (row: string, text: string) => ({ kind: 'put', row, text }) as const;

test('a replica that was away gives what it alone has to the cut that finds it, and no earlier one', async () => {
  const world = opened();
  const { cluster } = world;
  cluster.create('t.a');
  const taker = cutter(world);
  const [first, second, third] = cluster.nodes;
  assert.ok(first && second && third);
  const late = cluster.write('t.a', 'p', put('a', 'late'), {
    missedBy: [second.hostId, third.hostId],
  });
  first.isUp = false;
  assert.equal((await taker.cut()).report().grade, 'quorum-safe');
  assert.ok(!taker.held.has(late));
  first.start();
  assert.equal((await taker.cut()).report().grade, 'complete');
  assert.ok(taker.held.has(late));
});

test('what was flushed and compacted while links were off is read from what is live', async () => {
  const world = opened(1, 1);
  const { cluster } = world;
  const dataset = cluster.create('t.a');
  const taker = cutter(world);
  await taker.cut();
  const [node] = cluster.nodes;
  assert.ok(node);
  node.start();
  const write = cluster.write('t.a', 'p', put('a', '1'));
  node.flush(dataset);
  cluster.write('t.a', 'p', put('b', '2'));
  node.flush(dataset);
  cluster.compact('t.a', node, false);
  await taker.cut();
  assert.ok(taker.held.has(write));
});

test('a deletion that came and went while links were off begins the table anew', async () => {
  const world = opened(1, 1);
  const { cluster, clock } = world;
  const dataset = cluster.create('t.a');
  cluster.write('t.a', 'p', put('a', '1'));
  const taker = cutter(world);
  await taker.cut();
  const [node] = cluster.nodes;
  assert.ok(node);
  node.start();
  cluster.write('t.a', 'p', { kind: 'delete', row: 'a' });
  node.flush(dataset);
  clock.ms += 1_002_000;
  cluster.compact('t.a', node, true);
  assert.equal(node.holds(dataset).size, 0, 'neither the row nor its deletion is left');
  assert.equal((await taker.cut()).begins, true);
  assert.equal(rowsOf(taker.held, cluster.nowSeconds).size, 0, 'the row does not return');
});

test('a damaged file costs its replica until it can be read', async () => {
  const world = opened(3, 3);
  const { cluster } = world;
  const dataset = cluster.create('t.a');
  const [node] = cluster.nodes;
  assert.ok(node);
  const others = cluster.nodes.filter((one) => one !== node).map(({ hostId }) => hostId);
  const write = cluster.write('t.a', 'p', put('a', '1'), { missedBy: others });
  node.flush(dataset);
  const [file] = node.table(dataset).live;
  assert.ok(file);
  file.isDamaged = true;
  const taker = cutter(world);
  const { grade, notes } = (await taker.cut()).report();
  assert.equal(grade, 'quorum-safe');
  assert.match(notes[0] ?? '', /is damaged/);
  file.isDamaged = false;
  assert.equal((await taker.cut()).report().grade, 'complete');
  assert.ok(taker.held.has(write));
});

test('a table that is emptied while a cut is taken has it taken again', async () => {
  const world = opened(2, 2);
  const { cluster } = world;
  cluster.create('t.a');
  cluster.write('t.a', 'p', put('a', '1'));
  let count = 0;
  cluster.between = (what) => {
    if (what.endsWith('was asked') && ++count === 1) cluster.truncate('t.a');
  };
  const taker = cutter(world);
  await taker.cut();
  assert.deepEqual([taker.held.size, count], [0, 4]);
  cluster.between = () => cluster.truncate('t.a');
  await assert.rejects(taker.cut(), { code: 'busy' });
});

test('what a server holds of partitions that it no longer owns is not captured from it', async () => {
  const world = opened(1, 1);
  const { cluster } = world;
  cluster.create('t.a');
  for (let i = 0; i < 40; i++) cluster.write('t.a', `p${i}`, put('a', `${i}`));
  const fresh = cluster.grow(30_000);
  assert.ok(fresh);
  const taker = cutter(world);
  fresh.isUp = false;
  await taker.cut();
  assert.ok(taker.held.size > 0 && taker.held.size < 40, `${taker.held.size}`);
  fresh.start();
  await taker.cut();
  assert.equal(taker.held.size, 40);
});

test('a server that took nothing breaks the proof, though its fellows hold everything', async () => {
  const { cluster, connector, context } = opened(3, 3);
  const target = await connector.openTarget({ kind: 'replicas', uri: 'replicas:ring' });
  const entry = { dataset: 'd' as never, namespace: 't.a', role: 'data', kind: 'table' } as const;
  const item = { entry: { ...entry, body: Buffer.from('1 t.a') }, namespace: 't.a' };
  const options = {
    ...{ operation: 'op', moment: 'then', renames: [], defined: [], scope: everything },
    ...{ drop: false, usersAndRoles: false },
    ttl: 'keep',
  } as const;
  await target.plan([item], options, forever);
  await target.begin(forever);
  await target.create(item, forever);
  const [node] = cluster.nodes;
  assert.ok(node);
  node.takesNothing = true;
  const write = { seq: 1, partition: 'p', timestamp: 1, seconds: 1, change: put('a', '1') };
  await target.load(item, stream(recordsOf([write])), forever);
  await target.freeze?.(item, forever);
  const reading = async (): Promise<void> => {
    for await (const batch of target.readBack(item, {}, forever)) assert.ok(batch);
  };
  await assert.rejects(reading(), { code: 'proof-failed', facts: { node: node.hostId } });
  assert.equal(context.clock.now(), startMs);
});

test('a deletion stays in what is stored while a server holds it, and goes when none does', async () => {
  const world = opened(2, 2);
  const { cluster, clock, connector } = world;
  const dataset = cluster.create('t.a');
  const row = cluster.write('t.a', 'p', put('a', '1'));
  const deletion = cluster.write('t.a', 'p', { kind: 'delete', row: 'a' });
  const range = { kind: 'delete range', from: 'b', to: 'c' } as const;
  const records = recordsOf([row, deletion, cluster.write('t.a', 'p', range)]);
  const taker = cutter(world);
  const stored = async (provenBy: CutMemory): Promise<string[]> => {
    const entry = cluster.table('t.a').entry;
    const base = { range: {}, base: stream(records), baseAfter: [], exactFrom: 0n, at: 0n };
    const later = { entry, cuts: [], stored: { provenBy } };
    const none = stream([]) as never;
    const texts: string[] = [];
    for await (const batch of connector.foldRange({ ...base, changes: none, clears: [], later })) {
      texts.push(...batch.map(recordText));
    }
    return texts;
  };
  assert.equal((await stored((await taker.cut()).memory())).length, 3, 'they are young');
  clock.ms += 1_002_000;
  const [first, second] = cluster.nodes;
  assert.ok(first && second);
  cluster.compact('t.a', first, true);
  assert.equal((await stored((await taker.cut()).memory())).length, 3, 'the other holds them');
  cluster.compact('t.a', second, true);
  second.isUp = false;
  assert.equal((await stored((await taker.cut()).memory())).length, 3, 'who is away may hold them');
  second.start();
  assert.equal((await stored((await taker.cut()).memory())).length, 0);
  assert.equal(cluster.everything('t.a').size, 0);
  assert.equal(second.holds(dataset).size, 0);
});
