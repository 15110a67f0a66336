import assert from 'node:assert/strict';
import { mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/harness/manual-clock.ts';
import { FakeCluster, fakeTableId, hostsOf, namesOf } from './fake-cluster.fixture.ts';
import { worstGrade } from './grade.ts';
import type { CutNode } from './node-cut.ts';

const gradeOf = ({ grades }: Awaited<ReturnType<FakeCluster['cut']>>) =>
  worstGrade([...grades.values()].flat());

/** Nodes that do something once, when the first of them has its snapshot and is about to be listed. */
function meanwhile(cluster: FakeCluster, work: () => Promise<void>): CutNode[] {
  let calls = 0;
  return cluster.cutNodes().map((node, i) => {
    const streamedBytes = async (): Promise<number> => {
      calls += 1;
      if (calls === 2) await work();
      return 0;
    };
    return i === 0 ? { ...node, control: { ...node.control, streamedBytes } } : node;
  });
}

test('a table that is truncated while its files are listed is read as it is after that, without what was before', async () => {
  await using cluster = await FakeCluster.open(1);
  const clock = new ManualClock({ jumps: true });
  await cluster.cut({ clock });
  await cluster.flush('nb-1-big');
  const nodes = meanwhile(cluster, async () => {
    await cluster.truncate();
    await cluster.flush('nb-2-big', { intervals: [[200, 0, 200, 10]] });
  });
  const cut = await cluster.cut({ clock, nodes });
  assert.deepEqual(namesOf(cut), ['1 nb-2-big']);
  assert.equal(cut.tables.get(fakeTableId)?.truncatedSince, true);
});

test('a schema that changes at any node while files are listed has the cut repeated', async () => {
  await using cluster = await FakeCluster.open(2);
  const clock = new ManualClock({ jumps: true });
  await cluster.cut({ clock });
  const node = cluster.node(2);
  const nodes = meanwhile(cluster, async () => {
    node.schemaVersion = 'other';
  });
  const sleep = clock.sleep.bind(clock);
  clock.sleep = (ms, signal) => {
    node.schemaVersion = 's';
    return sleep(ms, signal);
  };
  const cut = await cluster.cut({ clock, nodes });
  assert.deepEqual([clock.sleptMs, gradeOf(cut)], [[2_000], 'complete']);
});

test('a node that is cut off with an older schema is no replica, and nothing is read by what it still has', async () => {
  await using cluster = await FakeCluster.open(3);
  const clock = new ManualClock({ jumps: true });
  await cluster.flush('nb-1-big');
  await cluster.cut({ clock });
  await cluster.flush('nb-2-big');
  cluster.node(3).schemaVersion = 'old';
  const cut = await cluster.cut({ clock });
  assert.deepEqual([...cut.tables.keys()], [fakeTableId]);
  assert.match(hostsOf(cut)['10.0.0.3'] ?? '', /has version old of the schema, others have s/);
  assert.deepEqual([namesOf(cut), gradeOf(cut)], [['1 nb-2-big', '2 nb-2-big'], 'quorum-safe']);
  cluster.node(3).schemaVersion = 's';
  assert.deepEqual(namesOf(await cluster.cut({ clock })), ['3 nb-2-big']);
});

test('a node at whose address another one answers is no replica of the cut', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  cluster.node(2).answers = 1;
  const cut = await cluster.cut();
  assert.match(hostsOf(cut)['10.0.0.2'] ?? '', /CQL at 10\.0\.0\.2 is answered by host 00000001-/);
  assert.deepEqual(namesOf(cut), ['1 nb-1-big', '3 nb-1-big']);
});

test('a live file that the server names and nobody finds is a missing replica', async () => {
  await using cluster = await FakeCluster.open(3);
  await cluster.flush('nb-1-big');
  cluster.node(2).elsewhere = ['nb-2-big-Data.db'];
  const cut = await cluster.cut();
  const reason = hostsOf(cut)['10.0.0.2'] ?? '';
  assert.match(reason, /nb-2-big-Data\.db in its snapshot of ks\.t is not below dataDirectories/);
  assert.deepEqual([namesOf(cut), gradeOf(cut)], [['1 nb-1-big', '3 nb-1-big'], 'quorum-safe']);
});

test('a table whose folder is a symbolic link to another disk is captured', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big');
  const disk = join(cluster.node(1).folder, 'disk');
  await mkdir(disk);
  await rename(cluster.table(1), join(disk, 't'));
  await symlink(join(disk, 't'), cluster.table(1));
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-1-big']);
});

test('what lies in a data directory beside keyspaces, and may not be read, is passed by', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big');
  const node = cluster.node(1);
  await mkdir(join(node.folder, 'lost+found'));
  const { list } = node.files;
  node.files = {
    ...node.files,
    list: (folder) =>
      folder.endsWith('lost+found')
        ? Promise.reject(Object.assign(new Error('no rights'), { code: 'EACCES' }))
        : list(folder),
  };
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-1-big']);
});

test('nodes with addresses of IPv6 are up, however a server writes them', async () => {
  await using cluster = await FakeCluster.open(2, '2001:db8::');
  await cluster.flush('nb-1-big');
  const cut = await cluster.cut();
  assert.deepEqual([cut.ring.up.length, gradeOf(cut)], [2, 'complete']);
});

test('a table of which a file could never be read begins anew when the file is gone, however soon, and not before', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big', { intervals: [[1, 0, 1, 10]] });
  await cluster.cut();
  const { hostId } = cluster.node(1);
  const host = cluster.state.hosts[hostId];
  const unread = ['nb-1-big'];
  const none = { files: [], floors: [], rows: [], intervals: [], unread };
  const hurt = { ...(host as NonNullable<typeof host>), tables: { [fakeTableId]: none } };
  cluster.state = { ...cluster.state, hosts: { [hostId]: hurt } };
  const { state } = cluster;
  const isAnew = ({ tables }: Awaited<ReturnType<FakeCluster['cut']>>) =>
    tables.get(fakeTableId)?.isAnew;
  assert.equal(isAnew(await cluster.cut()), false, 'it is read again');
  cluster.state = state;
  await cluster.compact(['nb-1-big'], 'nb-2-big', { intervals: [[1, 0, 1, 10]] });
  const gone = await cluster.cut();
  assert.deepEqual([isAnew(gone), namesOf(gone)], [true, ['1 nb-2-big']]);
  assert.equal(isAnew(await cluster.cut()), false);
});
