import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { CodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { Throttle } from '../../base/throttle.ts';
import type { HeldFile } from '../../connector/replicas/replica-node.ts';
import type { PackId } from '../../model/id.ts';
import type { PackRecord } from '../../repository/lineage/pack-table.ts';
import type { UsedPacks } from '../../repository/pack/blob-session.ts';
import { SourcePace } from '../source-pace.ts';
import { type SeenOrder, SharedCutWorld } from './shared-cut.fixture.ts';

let world: SharedCutWorld;

beforeEach(async () => {
  world = await SharedCutWorld.open();
  world.cluster.create('a.large');
  world.cluster.create('a.small');
  world.fill('a.large', 300);
  world.cluster.write('a.small', 'p', { kind: 'put', row: 'r', text: 'x' });
});

/** What clients of the cluster see. */
const seen = () => ({
  'a.large': world.cluster.seen('a.large'),
  'a.small': world.cluster.seen('a.small'),
});

const peersAsked = (): string[] => [...new Set(world.orders.map(({ peer }) => peer))].sort();
const lost = (peer: string): CodrError => new CodrError('peer-lost', `${peer} fell silent`);

test('parts are read by all peers, and come to the tree that one peer alone makes', async () => {
  const single = await world.cut(0, 'single');
  assert.deepEqual(world.orders, []);
  const { records } = world.told;
  const shared = await world.cut(2);
  assert.deepEqual(peersAsked(), ['n1', 'n2']);
  assert.deepEqual(
    shared.roots.map((root) => root.split(' ').length),
    [2, 2],
  );
  assert.deepEqual(shared.roots, single.roots);
  assert.deepEqual([shared.report.grade, shared.point.records], ['complete', records]);
  assert.equal(world.told.records, records, 'each record is told of once');
  assert.deepEqual(await world.read(), seen());
});

test('parts go first to the peer that has most of their files, and to others when it is busy', async () => {
  for (const [hostId, peer] of [
    ['h1', 'n2'],
    ['h2', 'n1'],
    ['h3', 'n2'],
  ] as const) {
    world.cluster.seenBy.set(hostId, peer);
  }
  const { point } = await world.cut(2);
  assert.equal(world.orders[0]?.peer, 'n2');
  assert.deepEqual(peersAsked(), ['n1', 'n2']);
  assert.equal(world.told.records, point.records);
  assert.deepEqual(await world.read(), seen());
});

test('small tables stay with the peer that takes the cut', async () => {
  await world.cut(2);
  const { dataset } = world.cluster.table('a.small').entry;
  assert.ok(world.orders.length > 2);
  const files = world.orders.flatMap(({ input }) => input.described.files);
  assert.ok(files.every((file) => file.dataset !== dataset));
});

test('what a peer was reading when it was lost is read elsewhere, and told of once', async () => {
  let isLost = false;
  world.meets = async ({ peer }, run, context) => {
    if (isLost || peer !== 'n1') return await run();
    const progress = (...done: [number, number]): void => {
      context.progress(...done);
      isLost = true;
      throw lost(peer);
    };
    return await run({ ...context, progress });
  };
  const { report, point } = await world.cut(2);
  assert.ok(isLost);
  assert.deepEqual([report.grade, report.notes], ['complete', []]);
  assert.equal(world.told.records, point.records);
  assert.deepEqual(await world.read(), seen());
});

test('an answer that is lost costs nothing: what was stored is stored again', async () => {
  let count = 0;
  world.meets = async ({ peer }, run) => {
    await run();
    count++;
    throw lost(peer);
  };
  await world.cut(2);
  assert.equal(count, 2, 'both are asked once, and then it is done here');
  assert.deepEqual(await world.read(), seen());
});

test('a peer that does not see the files is passed by', async () => {
  world.meets = async ({ peer }, run) => {
    if (peer === 'n2') return await run();
    // From there another cluster answers at the same address.
    world.cluster.isReachable = false;
    return await run().finally(() => {
      world.cluster.isReachable = true;
    });
  };
  const { report } = await world.cut(1);
  assert.equal(report.grade, 'complete');
  assert.equal(world.orders.length, 1);
  assert.deepEqual(await world.read(), seen());
});

/** A file of the large table that the first server has. */
function fileOf(hostId: string): HeldFile {
  const { entry } = world.cluster.table('a.large');
  const node = world.cluster.node(hostId);
  node.flush(entry.dataset);
  return node.table(entry.dataset).live[0] as HeldFile;
}

test('a damaged file that a peer meets costs its replica, and the table is read again without it', async () => {
  const file = fileOf('h1');
  file.isDamaged = true;
  let told = '';
  world.meets = async (_, run) => {
    const result = await run();
    told ||= (result as { unread?: string }).unread ?? '';
    return result;
  };
  const { report } = await world.cut(2);
  assert.match(told, new RegExp(`file ${file.id} of h1 is damaged`));
  assert.equal(report.grade, 'quorum-safe');
  assert.match(report.notes[0] ?? '', new RegExp(file.id));
  const names = ({ input }: SeenOrder): string[] => input.described.files.map(({ id }) => id);
  assert.ok(names(world.orders[0] as SeenOrder).includes(file.id));
  const [last] = world.orders.slice(-1);
  assert.ok(last && !names(last).includes(file.id), 'what is read again has no such file');
  assert.deepEqual(await world.read(), seen());
});

test('damage that another peer alone sees costs no replica', async () => {
  world.meets = async () => ({ unread: 'the file h2-1 is damaged' });
  const { report, point } = await world.cut(1);
  assert.ok(world.orders.length > 1);
  assert.deepEqual([report.grade, report.notes], ['complete', []]);
  assert.equal(world.told.records, point.records);
  assert.deepEqual(await world.read(), seen());
});

test('what a collection condemns of what peers rely on is stored anew, by them too', async () => {
  const single = await world.cut(0, 'single');
  let condemned: readonly PackId[] = [];
  world.meets = async (_, run) => {
    const result = await run();
    if (condemned.length > 0) return result;
    const repository = await world.openRepository();
    const { state } = await repository.openLineage('single');
    condemned = state.list<PackRecord>('pack').map(([, { id }]) => id);
    const { used } = result as { readonly used: UsedPacks };
    assert.ok(used.reusedPacks.some(({ id }) => condemned.includes(id)));
    const lineage = await repository.openLineage('shared');
    await lineage.commit((draft): undefined => {
      draft.set('condemned/c1', { packs: condemned, seq: draft.seq });
    });
    return result;
  };
  const shared = await world.cut(2);
  const told = world.orders.filter(({ input }) => input.refused.length > 0);
  assert.ok(told.length > 0, 'peers are told what not to rely on');
  assert.deepEqual(shared.roots, single.roots);
  assert.deepEqual(await world.read(), seen());
});

test('a process that comes after a death takes over what peers had read', async () => {
  let commits = 0;
  world.claim.check = () => {
    if (++commits > 2) throw new Error('killed');
  };
  await assert.rejects(world.cut(2), /killed/);
  const kept = new Set(await world.keptParts());
  assert.ok(kept.size >= 2, `${kept.size} parts`);
  world.claim.check = () => {};
  world.orders.length = 0;
  const { point } = await world.cut(2);
  assert.ok(world.orders.length > 0);
  assert.ok(world.orders.every(({ input }) => !kept.has(input.described.from ?? '')));
  assert.equal(world.told.records, point.records);
  assert.deepEqual(await world.read(), seen());
});

test('limits of the source are divided among all that read, and each peer holds its own', async () => {
  const paid: number[] = [];
  world.limits = { bytesPerSecond: 3000 };
  world.throttle = new (class extends Throttle {
    override async pay(bytes: number): Promise<void> {
      paid.push(bytes);
    }
  })(1, { monotonic: () => 0, sleep: async () => {} });
  await world.cut(2);
  assert.deepEqual([...new Set(world.orders.map(({ input }) => input.bytesPerSecond))], [1000]);
  assert.equal(
    paid.reduce((sum, bytes) => sum + bytes, 0),
    world.told.bytes,
  );
});

test('peers read parts no faster than the source bears as the one that takes the cut sees it', async () => {
  await world.cut(2);
  assert.ok(world.orders.every(({ input }) => input.pace === 1));
  const clock = { monotonic: () => 0, sleep: async () => {} };
  world.pace = new SourcePace({ name: 'ring', clock, log: silentLogger });
  world.pace.asks({ pressure: async () => '40 requests wait' }, new AbortController().signal);
  await new Promise((turn) => setImmediate(turn));
  world.orders.length = 0;
  world.fill('a.large', 400);
  await world.cut(2);
  assert.ok(world.orders.length > 0);
  assert.ok(world.orders.every(({ input }) => input.pace === 0.5));
});
