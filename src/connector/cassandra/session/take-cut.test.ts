import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import { FakeCluster, hostsOf, namesOf } from './fake-cluster.fixture.ts';
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
