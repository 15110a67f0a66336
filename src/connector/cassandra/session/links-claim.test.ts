import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { FakeCluster, hostsOf, namesOf } from './fake-cluster.fixture.ts';
import { stopLinks } from './release-cut.ts';

const two = { owner: 'two' } as const;
const markOf = (cluster: FakeCluster, node: number) =>
  join(cluster.node(node).folder, '.codr-links');
const linksOf = (cluster: FakeCluster, node: number) =>
  readdir(join(cluster.table(node), 'backups'));

/** The cut of a source of its own, which has taken none before. */
const firstOf = (cluster: FakeCluster, more: Partial<Parameters<FakeCluster['take']>[0]>) =>
  cluster.take({ ...more, state: { ...cluster.state, cut: 0, hosts: {} } });

test('a second source is refused by the mark of the first, with node, path, owner and remedy', async () => {
  await using cluster = await FakeCluster.open(2);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  await cluster.flush('nb-2-big');
  const links = await linksOf(cluster, 1);
  await assert.rejects(firstOf(cluster, two), (error) => {
    assert.ok(isCodrError(error, 'source-unfit'));
    assert.match(
      error.message,
      /10\.0\.0\.1: .* another source, one, as the mark \/.*\.codr-links/,
    );
    assert.match(error.remedy, /codr source remove.*ownsBackups: true/);
    return error.facts.owner === 'one';
  });
  assert.deepEqual(await linksOf(cluster, 1), links);
  assert.deepEqual(namesOf(await cluster.cut()), ['1 nb-2-big', '2 nb-2-big']);
});

test('a snapshot of another source stays, a left-over one of our own goes', async () => {
  await using cluster = await FakeCluster.open(1);
  const folder = join(cluster.table(1), 'snapshots');
  for (const tag of ['codr-cut-two-5-1-x', 'codr-cut-one-5-1-x']) {
    await mkdir(join(folder, tag), { recursive: true });
  }
  await cluster.cut();
  assert.deepEqual(await readdir(folder), ['codr-cut-two-5-1-x']);
});

test('links that were taken over are in doubt for the source that comes back', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  const taken = await firstOf(cluster, { ...two, ownsBackups: true });
  assert.match(await readFile(markOf(cluster, 1), 'utf8'), /^owner: two$/m);
  await cluster.flush('nb-2-big');
  // The other one is in the middle of its cut: what it has in its hands is its own no longer.
  const [reason] = (await cluster.cut({ ownsBackups: true })).notes;
  assert.match(reason ?? '', /the links were those of source two/);
  const links = await linksOf(cluster, 1);
  await taken.release(true);
  assert.deepEqual(await linksOf(cluster, 1), links);
});

test('a source that knows the cluster and finds all links in other hands is told whose they are', async () => {
  await using cluster = await FakeCluster.open(2);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  await writeFile(markOf(cluster, 2), 'owner: two\n');
  assert.match(hostsOf(await cluster.cut())['10.0.0.2'] ?? '', /another source, two/);
  await writeFile(markOf(cluster, 1), 'owner: two\n');
  await assert.rejects(cluster.cut(), /kept by another source, two/);
});

test('a mark without an owner belongs to a source that captured before, and to no other', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big');
  await cluster.cut();
  await writeFile(markOf(cluster, 1), 'CODR removes the links in the backups folders here.\n');
  await assert.rejects(firstOf(cluster, two), /kept by an earlier version of CODR/);
  const { notes } = await cluster.cut();
  assert.match(notes[0] ?? '', /the links had a mark without an owner/);
  assert.match(await readFile(markOf(cluster, 1), 'utf8'), /^owner: one$/m);
  assert.deepEqual((await cluster.cut()).notes, []);
});

test('links without a mark are refused, whether the switch is on or files lie there, also later', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.flush('nb-1-big', { linked: true });
  await assert.rejects(cluster.cut(), /keeps links in backups folders already/);
  await cluster.cut({ ownsBackups: true });
  await rm(markOf(cluster, 1));
  await assert.rejects(cluster.cut(), /makes incremental backups already/);
  const { notes } = await cluster.cut({ ownsBackups: true });
  assert.match(notes[0] ?? '', /the links had no mark/);
});

test('a source that is removed leaves switch, links and snapshots of another as they are', async () => {
  await using cluster = await FakeCluster.open(1);
  await cluster.cut();
  await cluster.flush('nb-1-big');
  const other = join(cluster.table(1), 'snapshots', 'codr-cut-one-7-1-x');
  const own = join(cluster.table(1), 'snapshots', 'codr-cut-two-7-1-x');
  for (const folder of [other, own]) await mkdir(folder, { recursive: true });
  const links = await linksOf(cluster, 1);
  assert.deepEqual(await stopLinks(cluster.cutNodes(), 'two', cluster.signal), []);
  assert.deepEqual(await readdir(join(own, '..')), ['codr-cut-one-7-1-x']);
  assert.deepEqual(await linksOf(cluster, 1), links);
  assert.equal(cluster.node(1).linksOn, true);
  assert.deepEqual(await stopLinks(cluster.cutNodes(), 'one', cluster.signal), []);
  assert.deepEqual(await readdir(join(own, '..')), []);
  assert.deepEqual(await linksOf(cluster, 1), []);
  assert.equal(cluster.node(1).linksOn, false);
  await writeFile(markOf(cluster, 1), 'of an earlier version');
  const [failed] = await stopLinks(cluster.cutNodes(), 'one', cluster.signal);
  assert.match(failed?.reason ?? '', /names no owner/);
});

test('of two sources that come at once one has all links, and the other is refused', async () => {
  await using cluster = await FakeCluster.open(3);
  const both = await Promise.allSettled([cluster.take(), firstOf(cluster, two)]);
  const failed = both.filter(({ status }) => status === 'rejected');
  assert.ok(failed.length >= 1);
  for (const one of failed) assert.match(String((one as PromiseRejectedResult).reason), /kept by/);
});
