import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sharedNode } from '../../../../test/harness/cassandra.ts';
import { CutWorld, filesOf } from './cut-world.fixture.ts';
import { giveUpLinks } from './link-limit.ts';
import { localFiles } from './local-files.ts';
import { linkPaths, listTableFolders, splitName } from './node-files.ts';
import type { TakenCut } from './take-cut.ts';

const shared = sharedNode();

async function linksOf({ keyspace, path }: { keyspace: string; path: string }): Promise<string[]> {
  const folders = (await listTableFolders({ files: localFiles, dataDirectories: [path] })).filter(
    (one) => one.keyspace === keyspace,
  );
  return (await Promise.all(folders.map((folder) => linkPaths(folder)))).flat();
}

/** Flushed twice, then compacted: the links hold two files that nothing else names. */
async function fillLinks(world: CutWorld): Promise<void> {
  const jmx = world.cluster.jmx(1);
  for (const key of [2, 3]) {
    await world.write(key);
    await jmx.flush(world.keyspace, 't');
  }
  await jmx.compact(world.keyspace, 't');
}

const anewIn = (cut: TakenCut) => [...cut.tables.values()].map(({ isAnew }) => isAnew);

test('links past their limit are given up at a cut, which reads the live files and says so', async () => {
  await using world = await CutWorld.open(await shared(), 'limited');
  const { control } = world.node(1);
  const where = { keyspace: 'limited', path: world.path(1) };
  await world.write(1);
  await world.cut();
  await fillLinks(world);
  const cut = await world.take({ linkLimit: { bytes: 1 } });
  assert.deepEqual(await linksOf(where), []);
  assert.match(cut.notes.join(), /links held 1 MiB, more than 1 MiB, and were given up/);
  assert.equal(filesOf(cut).length, 1);
  assert.deepEqual(anewIn(cut), [false]);
  assert.equal(await control.incrementalBackups(world), true);
  await cut.release(false);
  // Nothing was stored, so nothing is forgotten.
  const again = await world.cut();
  assert.match(again.notes.join(), /given up/);
  assert.equal(filesOf(again).length, 1);
  await fillLinks(world);
  assert.deepEqual((await world.cut()).notes, []);
});

test('between two cuts links past their limit are given up, and the next cut makes it good', async () => {
  await using world = await CutWorld.open(await shared(), 'tended');
  const node = world.node(1);
  await world.write(1);
  await world.cut();
  await fillLinks(world);
  assert.equal(await giveUpLinks(node, { share: 1 }, world.signal), undefined);
  assert.match((await giveUpLinks(node, { bytes: 1 }, world.signal)) ?? '', /more than/);
  assert.equal(await node.control.incrementalBackups(world), false);
  assert.deepEqual(await linksOf({ keyspace: 'tended', path: world.path(1) }), []);
  const cut = await world.cut();
  assert.match(cut.notes.join(), /given up/);
  assert.equal(filesOf(cut).length, 1);
  assert.deepEqual((await world.cut()).notes, []);
});

test('a deletion that was purged while links were off makes its table begin anew', async () => {
  await using world = await CutWorld.open(await shared(), 'purged');
  await world.run('ALTER TABLE purged.t WITH gc_grace_seconds = 0');
  await world.write(1, 2);
  await world.cut();
  const { control } = world.node(1);
  const jmx = world.cluster.jmx(1);
  await control.setIncrementalBackups(false, world);
  await world.run('DELETE FROM purged.t WHERE k = 1');
  await jmx.flush('purged', 't');
  await jmx.compact('purged', 't');
  const cut = await world.cut();
  assert.deepEqual(anewIn(cut), [true]);
  assert.match(cut.notes.join(), /purged\.t was read as a whole: links were off/);
  assert.equal(filesOf(cut).length, 1);
  // Off and on again: the switch shows nothing, the file that left no link does.
  await control.setIncrementalBackups(false, world);
  await world.write(3);
  await jmx.flush('purged', 't');
  await control.setIncrementalBackups(true, world);
  const told = await world.cut();
  assert.match(told.notes.join(), /flushed without a link/);
  assert.equal(filesOf(told).length, 2);
  await world.write(4);
  const next = await world.cut();
  assert.deepEqual([anewIn(next), next.notes], [[false], []]);
});

test('files that were imported while links were off, and compacted before they were on again, are read', async () => {
  await using other = await CutWorld.open(await shared(), 'elsewhere');
  await using world = await CutWorld.open(await shared(), 'smuggled');
  const { control } = world.node(1);
  const jmx = world.cluster.jmx(1);
  await other.write(7, 8, 9);
  await jmx.flush('elsewhere', 't');
  await world.write(1, 2);
  await world.cut();
  await control.setIncrementalBackups(false, world);
  const [theirs] = (
    await listTableFolders({ files: localFiles, dataDirectories: [world.path(1)] })
  ).filter(({ keyspace }) => keyspace === 'elsewhere');
  const staged = join(world.cluster.folder, 'staged', 'smuggled', 't');
  await mkdir(staged, { recursive: true });
  for (const name of await readdir(theirs?.folder ?? '')) {
    if (splitName(name)) await copyFile(join(theirs?.folder ?? '', name), join(staged, name));
  }
  assert.deepEqual(await jmx.importTables('smuggled', 't', [staged]), []);
  await jmx.compact('smuggled', 't');
  await control.setIncrementalBackups(true, world);
  const cut = await world.cut();
  assert.equal(filesOf(cut).length, 1);
  assert.equal(cut.coveredCount, 0);
  await jmx.compact('smuggled', 't');
  assert.deepEqual(filesOf(await world.cut()), []);
});
