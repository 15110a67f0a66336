import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import type { FileAccess } from '../../base/file-access.ts';
import { servedFiles } from './served-files.ts';

const table = 't-248b1a50ea0811f18ecf93c3a17fc635';

interface World extends AsyncDisposable {
  /** All that is there. */
  readonly base: string;
  /** What is given away of it. */
  readonly root: string;
  readonly files: FileAccess;
}

async function open(): Promise<World> {
  const base = await mkdtemp(join(tmpdir(), 'codr-served-'));
  const root = join(base, 'data');
  await mkdir(join(root, 'ks', table, 'backups', '.by_v'), { recursive: true });
  await mkdir(join(root, 'ks', table, 'snapshots', 'mine'), { recursive: true });
  await writeFile(join(base, 'secret'), 'secret');
  return {
    base,
    root,
    files: servedFiles([root]),
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  };
}

const isRefused = (error: unknown): boolean =>
  isCodrError(error, 'source-rights') && /is not given away/.test(error.message);

test('nothing is read outside of the roots, by whatever way', async () => {
  await using world = await open();
  const { base, root, files } = world;
  await symlink(join(base, 'secret'), join(root, 'link'));
  await symlink(base, join(root, 'folder'));
  await symlink(join(root, 'ks'), join(root, 'inside'));
  const ways = [
    join(base, 'secret'),
    join(base, 'none'),
    `${root}/../secret`,
    `${root}/ks/../../secret`,
    join(root, 'link'),
    join(root, 'folder', 'secret'),
    `${root}2/secret`,
    `secret`,
    `${root}\0`,
    '/',
  ];
  for (const way of ways) {
    await assert.rejects(files.readWhole(way), isRefused, way);
    await assert.rejects(files.open(way), isRefused, way);
    await assert.rejects(files.list(way), isRefused, way);
    await assert.rejects(files.stat(way), isRefused, way);
    await assert.rejects(files.realPath(way), isRefused, way);
    await assert.rejects(files.freeBytes(way), isRefused, way);
  }
  assert.equal((await files.list(`${root}/`)).length, 4);
  assert.equal((await files.list(join(root, 'inside'))).length, 1);
});

test('without roots nothing is given away, and the error says where they are named', async () => {
  await using world = await open();
  await assert.rejects(
    servedFiles([]).list(world.root),
    (error) => isRefused(error) && isCodrError(error) && /`files`/.test(error.remedy),
  );
});

test('nothing is made, changed or removed but what CODR itself makes', async () => {
  await using world = await open();
  const { base, root, files } = world;
  const live = join(root, 'ks', table, 'nb-1-big-Data.db');
  const shot = join(root, 'ks', table, 'snapshots', 'mine', 'nb-1-big-Data.db');
  const link = join(root, 'ks', table, 'backups', 'nb-1-big-Data.db');
  const odd = join(root, 'ks', table, 'backups', 'notes.txt');
  for (const path of [live, shot, link, odd]) await writeFile(path, 'content');
  await symlink(base, join(root, 'codr-import-away'));
  await symlink(join(root, 'ks', table), join(root, 'codr-import-table'));
  const wrong = [
    ...[live, shot, odd, join(base, 'secret'), join(root, 'ks', 'x'), root],
    join(root, 'codr-import-away', 'secret'),
    join(root, 'codr-import-table', 'nb-1-big-Data.db'),
    join(root, 'codr-import-1', '..', 'ks', table, 'nb-1-big-Data.db'),
    join(root, 'ks', table, '.codr-links'),
    join(root, 'ks', table, 'codr-import-1', 'f'),
  ];
  const mine = join(root, '.codr-probe-1', 'f');
  const text = Buffer.from('x');
  for (const path of wrong) {
    await assert.rejects(files.remove(path), isRefused, path);
    await assert.rejects(files.removeFolder(path), isRefused, path);
    await assert.rejects(files.writeWhole(path, text), isRefused, path);
    await assert.rejects(files.create(path), isRefused, path);
    await assert.rejects(files.makeFolders(path), isRefused, path);
    await assert.rejects(files.rename(path, mine), isRefused, path);
    await assert.rejects(files.rename(mine, path), isRefused, path);
    await assert.rejects(files.link(path, mine), isRefused, path);
  }
  // A link may go, and nothing else may happen to it.
  await assert.rejects(files.writeWhole(link, text), isRefused);
  await assert.rejects(files.rename(link, mine), isRefused);
  await files.remove(link);
  await files.remove(join(root, 'ks', table, 'backups', '.by_v', 'nb-1-big-Data.db'));
  assert.equal(await readFile(live, 'utf8'), 'content');
  assert.equal(await readFile(shot, 'utf8'), 'content');
});

test('marks, probes, what waits for an import and folders of tries are made and removed', async () => {
  await using world = await open();
  const { root, files } = world;
  const text = Buffer.from('x');
  await files.writeWhole(join(root, '.codr-links.owner'), text);
  await files.link(join(root, '.codr-links.owner'), join(root, '.codr-links'));
  await files.remove(join(root, '.codr-links.owner'));
  await files.makeFolders(join(root, 'codr-import-1', 'ks', 't'));
  await files.writeWhole(join(root, 'codr-import-1', 'ks', 't', 'nb-1-big-Data.db'), text);
  await mkdir(join(root, 'codr_try_1_0'));
  for (const own of ['codr-import-1', 'codr_try_1_0']) await files.removeFolder(join(root, own));
  const names = (await files.list(root)).map(({ name }) => name).sort();
  assert.deepEqual(names, ['.codr-links', 'ks']);
});
