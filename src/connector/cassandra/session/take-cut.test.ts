import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import { FakeCluster, fakeTableId, hostsOf, namesOf } from './fake-cluster.fixture.ts';
import { worstGrade } from './grade.ts';

const captured = 'captured';
const grades = ({ grades }: Awaited<ReturnType<FakeCluster['cut']>>): string[] => [
  ...new Set([...grades.values()].flat().map(({ grade }) => grade)),
];

test('a node whose data directory is an empty mount point is no replica of the cut', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  const empty = await mkdtemp(join(tmpdir(), 'codr-test-'));
  cluster.node(3).paths = [empty];
  const cut = await cluster.cut();
  const reason = hostsOf(cut)['10.0.0.3'];
  assert.match(reason ?? '', /has no table/);
  assert.deepEqual(namesOf(cut), ['1 nb-1-big', '2 nb-1-big']);
  assert.deepEqual(grades(cut), ['quorum-safe']);
  await rm(empty, { recursive: true });
});

test('nodes whose paths lead to one and the same directory are no replicas of the cut', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  cluster.node(2).paths = [cluster.node(3).folder];
  const hosts = hostsOf(await cluster.cut());
  assert.equal(hosts['10.0.0.1'], captured);
  assert.match(hosts['10.0.0.2'] ?? '', /also that of 10\.0\.0\.3/);
  assert.match(hosts['10.0.0.3'] ?? '', /also that of 10\.0\.0\.2/);
});

test('a snapshot that is not found where the node should keep its files is a missing replica', async () => {
  await using cluster = await FakeCluster.open(2);
  await cluster.flush('nb-1-big');
  // Each leads to the other: the folders are there, the snapshots are of another host.
  cluster.node(1).paths = [cluster.node(2).folder];
  cluster.node(2).paths = [cluster.node(1).folder];
  await assert.rejects(cluster.cut(), /its snapshot of ks\.t is not below/);
});

test('a node that keeps data in a directory that is not configured is no replica of the cut', async () => {
  await using cluster = await FakeCluster.open(2);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  cluster.node(2).served = ['/data', '/another/disk'];
  const hosts = hostsOf(await cluster.cut());
  assert.match(hosts['10.0.0.2'] ?? '', /also keeps data in \/another\/disk/);
  assert.equal(hosts['10.0.0.1'], captured);
});

test('rows truncated while a node was away do not come back with its links', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  await cluster.flush('nb-2-big');
  await cluster.truncate();
  cluster.node(3).isAway = true;
  await cluster.cut();
  cluster.node(3).isAway = false;
  const cut = await cluster.cut();
  assert.equal(hostsOf(cut)['10.0.0.3'], captured);
  assert.deepEqual(namesOf(cut), []);
});

test('a table that comes back into scope is read as a whole, also of a node that was away', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  cluster.node(3).isAway = true;
  await cluster.cut({ scope: () => false });
  cluster.node(3).isAway = false;
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-1-big', '2 nb-1-big', '3 nb-1-big']);
});

test('a mark that cannot be written costs the node alone, and names its path', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  await mkdir(join(cluster.node(3).folder, '.codr-links'));
  const cut = await cluster.cut();
  assert.match(hostsOf(cut)['10.0.0.3'] ?? '', /\.codr-links cannot be kept: EISDIR/);
  assert.deepEqual(namesOf(cut), ['1 nb-1-big', '2 nb-1-big']);
});

for (const halfKnown of ['tokens', 'host_id'] as const) {
  test(`a node whose ${halfKnown} others do not know is not left out: the cut waits, then is refused`, async () => {
    await using cluster = await FakeCluster.open(3);
    await cluster.flush('nb-1-big');
    const clock = new ManualClock({ jumps: true });
    cluster.node(3).halfKnown = halfKnown;
    await assert.rejects(cluster.cut({ clock }), (error) => {
      assert.ok(isCodrError(error, 'busy'));
      assert.match(
        error.message,
        /the control of 10\.0\.0\.1 counts node 10\.0\.0\.3 \(00000003-.*\) in/,
      );
      return true;
    });
    const asked = clock.monotonic();
    assert.ok(asked >= 50_000, 'every try waits for ten seconds');
    const sleep = clock.sleep.bind(clock);
    clock.sleep = (ms, signal) => {
      cluster.node(3).halfKnown = undefined;
      return sleep(ms, signal);
    };
    assert.deepEqual(grades(await cluster.cut({ clock })), ['complete']);
    assert.ok(clock.monotonic() - asked < 1_000, 'what passes costs one look more');
  });
}

test('a keyspace that passed its commit log by for a while is read where spans would prove enough', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big', { intervals: [[1, 0, 1, 10]] });
  await cluster.cut();
  await cluster.compact(['nb-1-big'], 'nb-2-big', { intervals: [[1, 0, 1, 10]] });
  assert.deepEqual(namesOf(await cluster.cut()), [], 'it was captured before');
  cluster.toldAt += 1;
  await cluster.compact(['nb-2-big'], 'nb-3-big', { intervals: [[1, 0, 1, 10]] });
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-3-big']);
  await cluster.compact(['nb-3-big'], 'nb-4-big', { intervals: [[1, 0, 1, 10]] });
  assert.deepEqual(namesOf(await cluster.cut()), []);
  cluster.durableWrites = false;
  await cluster.compact(['nb-4-big'], 'nb-5-big', { intervals: [[1, 0, 1, 10]] });
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-5-big']);
});

test('links that a server left half made go once their file was compacted, and not while they are being made', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.cut();
  await cluster.flush('nb-1-big', { linked: false });
  const links = join(cluster.table(1), 'backups');
  await mkdir(links, { recursive: true });
  await writeFile(join(links, 'nb-2-big-Data.db'), 'the others were never made');
  const cut = await cluster.take();
  await writeFile(join(links, 'nb-3-big-Data.db'), 'others follow');
  await cut.release(true);
  assert.deepEqual(await readdir(links), ['nb-3-big-Data.db']);
});

test('what this machine lacks is no fault of a node: there is no cut without its replica', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  const error = new CodrError('limit-reached', 'no more files can be opened');
  const flush = (): Promise<void> => Promise.reject(error);
  const nodes = cluster.cutNodes().map((node, i) => {
    return i === 1 ? { ...node, control: { ...node.control, flush } } : node;
  });
  await assert.rejects(cluster.cut({ nodes }), error);
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-1-big', '2 nb-1-big', '3 nb-1-big']);
});

test('a node whose peer is gone is a missing replica, the others are captured', async () => {
  await using cluster = await FakeCluster.open(3);
  const { files } = cluster.node(2);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  const lost = new CodrError('source-unreachable', 'peer n2 gives no files');
  const gone = async (): Promise<never> => Promise.reject(lost);
  const none = Object.entries(files).map(([name, one]) => [
    name,
    typeof one === 'function' ? gone : one,
  ]);
  cluster.node(2).files = Object.fromEntries(none) as typeof files;
  await cluster.flush('nb-2-big');
  const cut = await cluster.cut();
  const reasons = cut.nodes.map(({ captured, reason }) => [captured, reason]);
  assert.deepEqual(reasons, [
    [true, undefined],
    [false, 'peer n2 gives no files'],
    [true, undefined],
  ]);
  assert.equal(worstGrade([...cut.grades.values()].flat()), 'quorum-safe');
  cluster.node(2).files = files;
  const whole = await cluster.cut();
  assert.ok(whole.nodes.every(({ captured }) => captured));
});

/** The note that says so of a node, of each cut that read live files again. */
const grownOf = ({ notes }: Awaited<ReturnType<FakeCluster['cut']>>): string[] =>
  notes.filter((note) => /may own more of ks than when it was captured last/.test(note));

test('what a node owns again after a change of the replication is read again, what it owns no more is not', async () => {
  await using cluster = await FakeCluster.open(2);
  const replicas = (count: number): void => {
    cluster.replication = { class: 'SimpleStrategy', replication_factor: String(count) };
  };
  replicas(2);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  replicas(1);
  await cluster.flush('nb-2-big');
  const less = await cluster.cut();
  assert.deepEqual([namesOf(less), grownOf(less)], [['1 nb-2-big', '2 nb-2-big'], []]);
  replicas(2);
  const again = await cluster.cut();
  const all = ['1 nb-1-big', '1 nb-2-big', '2 nb-1-big', '2 nb-2-big'];
  assert.deepEqual([namesOf(again), grownOf(again).length], [all, 2]);
  assert.deepEqual(namesOf(await cluster.cut()), [], 'once is enough');
});

test('what compaction made of files that were captured is read too where the node owns more', async () => {
  await using cluster = await FakeCluster.open(2);
  cluster.replication = { class: 'SimpleStrategy', replication_factor: '1' };
  await cluster.flush('nb-1-big', { intervals: [[1, 0, 1, 10]] });
  await cluster.cut();
  cluster.replication = { class: 'SimpleStrategy', replication_factor: '2' };
  await cluster.compact(['nb-1-big'], 'nb-2-big', { intervals: [[1, 0, 1, 10]] });
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-2-big', '2 nb-2-big']);
});

test('what nodes own again when one has left that was not configured is read again', async () => {
  await using cluster = await FakeCluster.open(2);
  cluster.replication = { class: 'SimpleStrategy', replication_factor: '1' };
  const nodes = cluster.cutNodes();
  await cluster.cut({ nodes });
  await cluster.join();
  await cluster.flush('nb-1-big');
  const grown = await cluster.cut({ nodes });
  assert.deepEqual(namesOf(grown), ['1 nb-1-big', '2 nb-1-big']);
  assert.deepEqual(grades(grown), ['complete', 'best-effort']);
  await cluster.leave();
  // Node 3 had a part of what was node 1's alone, and was never captured.
  assert.deepEqual(namesOf(await cluster.cut({ nodes })), ['1 nb-1-big']);
});

test('where a node had a part of the ring uncaptured, for as long as deletions are kept, tables begin anew when it has left', async () => {
  await using cluster = await FakeCluster.open(2);
  const clock = new ManualClock({ jumps: true });
  const cut = (nodes = cluster.cutNodes().slice(0, 2)) => cluster.cut({ nodes, clock });
  const isAnew = ({ tables }: Awaited<ReturnType<typeof cut>>) => tables.get(fakeTableId)?.isAnew;
  await cut();
  await cluster.join();
  await cluster.flush('nb-1-big');
  assert.equal(isAnew(await cut()), false);
  await clock.sleep(11 * 86_400_000, cluster.signal);
  assert.equal(isAnew(await cut()), false);
  await cluster.leave();
  const left = await cut();
  assert.deepEqual([isAnew(left), namesOf(left)], [true, ['1 nb-1-big', '2 nb-1-big']]);
});

test('a node that has left is named once, with the cut that had it last: it may have taken something along', async () => {
  await using cluster = await FakeCluster.open(2);
  await cluster.cut();
  cluster.node(2).isAway = true;
  await cluster.cut();
  await cluster.leave();
  const text = /^node 10\.0\.0\.2 \(00000002-.*\) has left the ring: .* after cut 1 is there if/;
  const left = await cluster.cut();
  assert.equal(left.notes.filter((note) => text.test(note)).length, 1);
  assert.deepEqual(grades(left), ['complete']);
  assert.deepEqual((await cluster.cut()).notes, []);
});

test('a node that was away when the ring changed is held against what it owned when it was captured', async () => {
  await using cluster = await FakeCluster.open(2);
  cluster.replication = { class: 'SimpleStrategy', replication_factor: '1' };
  await cluster.flush('nb-1-big');
  await cluster.cut();
  cluster.node(2).isAway = true;
  cluster.replication = { class: 'SimpleStrategy', replication_factor: '2' };
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-1-big']);
  cluster.node(2).isAway = false;
  assert.deepEqual(namesOf(await cluster.cut()), ['2 nb-1-big']);
});

test('what an earlier version remembered does not say what nodes owned: their live files are read once', async () => {
  await using cluster = await FakeCluster.open(2);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  const hosts = Object.entries(cluster.state.hosts).map(([id, { owned: _, ...host }]) => [
    id,
    host,
  ]);
  cluster.state = { ...cluster.state, hosts: Object.fromEntries(hosts) };
  const first = await cluster.cut();
  assert.deepEqual(namesOf(first), ['1 nb-1-big', '2 nb-1-big']);
  assert.equal(grownOf(first).length, 2);
  assert.deepEqual(namesOf(await cluster.cut()), []);
});

test('a flush that does not end costs the replica, which is named, and the next cut has what it wrote', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  await cluster.flush('nb-2-big');
  cluster.node(2).isWedged = true;
  const cut = await cluster.cut({ flushMs: 20 });
  const { grade, notes } = cluster.report(cut);
  assert.equal(grade, 'quorum-safe');
  const text = /^node 10\.0\.0\.2 was not captured: 10\.0\.0\.2 did not flush within/;
  assert.ok(notes.some((note) => text.test(note)));
  assert.deepEqual(namesOf(cut), ['1 nb-2-big', '3 nb-2-big']);
  assert.deepEqual(grades(cut), ['quorum-safe']);
  cluster.node(2).isWedged = false;
  const next = await cluster.cut();
  assert.deepEqual([namesOf(next), grades(next)], [['2 nb-2-big'], ['complete']]);
});

test('grades are computed for the data centres that are named, one that is not there is told, and none is refused', async () => {
  await using cluster = await FakeCluster.open(3);
  cluster.node(3).datacenter = 'dc2';
  cluster.node(3).isAway = true;
  await cluster.flush('nb-1-big');
  assert.deepEqual(grades(await cluster.cut({ datacenters: ['dc1'] })), ['complete']);
  assert.deepEqual(grades(await cluster.cut({ datacenters: ['dc2'] })), ['best-effort']);
  assert.deepEqual(grades(await cluster.cut()), ['best-effort']);
  const some = await cluster.cut({ datacenters: ['dc1', 'dc9'] });
  const text = 'no node is in the data centre dc9 of datacenters: there is dc1, dc2';
  assert.deepEqual([grades(some), some.notes], [['complete'], [text]]);
  const { state } = cluster;
  await assert.rejects(cluster.cut({ datacenters: ['DC1'] }), (error) => {
    assert.ok(isCodrError(error, 'source-unfit'));
    assert.match(error.message, /data centre DC1 of datacenters: there is dc1, dc2/);
    return true;
  });
  assert.equal(cluster.state, state);
});

test('the check names a data centre that is not there, and a keyspace without a copy in those that are named', async () => {
  await using cluster = await FakeCluster.open(2);
  cluster.node(2).datacenter = 'dc2';
  const about = async (datacenters: readonly string[]) => {
    const findings = await cluster.check({ contactPoints: ['x'], datacenters });
    return findings.filter(({ message }) => /data centre|has no copy/.test(message));
  };
  assert.deepEqual(await about(['dc1', 'dc2']), []);
  const [wrong] = await about(['dc1', 'dc-2']);
  assert.equal(wrong?.level, 'error');
  assert.match(wrong?.message ?? '', /data centre dc-2 of datacenters: there is dc1, dc2/);
  cluster.replication = { class: 'NetworkTopologyStrategy', dc2: '1' };
  const [poor] = await about(['dc1']);
  assert.deepEqual(
    [poor?.level, poor?.message],
    ['warning', 'ks has no copy in dc1: points are best-effort at most'],
  );
});

test('a table that was dropped and made again with its id holds what it has now, and nothing that links kept', async () => {
  await using cluster = await FakeCluster.open(1);
  const isAnew = ({ tables }: Awaited<ReturnType<FakeCluster['cut']>>) =>
    tables.get(fakeTableId)?.isAnew;
  await cluster.flush('nb-1-big');
  await cluster.cut();
  await cluster.flush('nb-2-big');
  await cluster.truncate();
  cluster.node(1).truncatedAt = undefined;
  cluster.madeAt += 1;
  const cut = await cluster.cut();
  assert.deepEqual([isAnew(cut), namesOf(cut)], [true, []]);
  assert.deepEqual(cut.notes, [
    'ks.t was read as a whole: it was dropped, and made again with the same id',
  ]);
  cluster.options.told_at += 1;
  await cluster.flush('nb-3-big');
  const altered = await cluster.cut();
  assert.deepEqual([isAnew(altered), namesOf(altered)], [false, ['1 nb-3-big']]);
});

test('a table that makes no links loses nothing: what its servers may have purged makes it begin anew', async () => {
  await using cluster = await FakeCluster.open(1);
  const clock = new ManualClock({ jumps: true });
  const cut = async () => {
    const taken = await cluster.cut({ clock });
    return [taken.tables.get(fakeTableId)?.isAnew, namesOf(taken)];
  };
  cluster.options.incremental_backups = false;
  await cluster.flush('nb-1-big', { linked: false, intervals: [[1, 0, 1, 10]] });
  await cut();
  await cluster.compact(['nb-1-big'], 'nb-2-big', { intervals: [[1, 0, 1, 20]] });
  assert.deepEqual(await cut(), [false, ['1 nb-2-big']]);
  await clock.sleep(10 * 86_400_000, cluster.signal);
  assert.deepEqual(await cut(), [true, ['1 nb-2-big']]);
  // Also when links are made of it again just before the cut.
  await clock.sleep(10 * 86_400_000, cluster.signal);
  cluster.options = { ...cluster.options, incremental_backups: true, told_at: 2 };
  assert.deepEqual(await cut(), [true, ['1 nb-2-big']]);
  await clock.sleep(10 * 86_400_000, cluster.signal);
  assert.deepEqual(await cut(), [false, []]);
});
