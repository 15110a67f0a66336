import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { localFiles } from './local-files.ts';
import {
  deleteAllLinks,
  deleteLinks,
  listSstables,
  listTableFolders,
  openSstable,
  splitName,
} from './node-files.ts';

const hex = '248b1a50ea0811f18ecf93c3a17fc635';
const id = '248b1a50-ea08-11f1-8ecf-93c3a17fc635';

const at = (...dataDirectories: readonly string[]) => ({ files: localFiles, dataDirectories });

async function dataFolder() {
  const root = await mkdtemp(join(tmpdir(), 'codr-test-'));
  const backups = join(root, 'ks', `my-table-${hex}`, 'backups');
  await mkdir(backups, { recursive: true });
  return {
    root,
    backups,
    put: async (folder: string, name: string, components: string[], toc = components) => {
      await mkdir(folder, { recursive: true });
      for (const one of components) await writeFile(join(folder, `${name}-${one}`), one);
      if (components.includes('TOC.txt')) {
        await writeFile(join(folder, `${name}-TOC.txt`), `${toc.join('\n')}\n`);
      }
    },
    list: async (subfolder = 'backups') => {
      const [table] = await listTableFolders(at(root));
      assert.ok(table);
      return await listSstables('h', table, subfolder);
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

const all = ['Data.db', 'Statistics.db', 'Digest.crc32', 'TOC.txt'];

test('a table folder says keyspace, table and id, dashes in names kept', async () => {
  await using data = await dataFolder();
  const [table] = await listTableFolders(at(data.root));
  assert.deepEqual(table, {
    keyspace: 'ks',
    files: localFiles,
    table: 'my-table',
    tableId: id,
    folder: join(data.root, 'ks', `my-table-${hex}`),
  });
});

test('a data directory that is not there is an error, a table without links is not', async () => {
  await assert.rejects(listTableFolders(at('/nowhere/at/all')), (error) =>
    isCodrError(error, 'source-unreachable'),
  );
  await using data = await dataFolder();
  assert.deepEqual(await data.list('snapshots/none'), { complete: [], partial: [] });
});

test('a file set counts only when every component of its TOC is there', async () => {
  await using data = await dataFolder();
  await data.put(data.backups, 'nb-1-big', all);
  await data.put(data.backups, 'nb-2-big', all, [...all, 'Filter.db']);
  await data.put(data.backups, 'nb-3-big', ['Data.db', 'Statistics.db']);
  const { complete, partial } = await data.list();
  assert.deepEqual(
    complete.map(({ name, version, format, dataBytes, digest }) => ({
      name,
      version,
      format,
      dataBytes,
      digest,
    })),
    [{ name: 'nb-1-big', version: 'nb', format: 'big', dataBytes: 7, digest: 'Digest.crc32' }],
  );
  assert.deepEqual([...partial].sort(), ['nb-2-big', 'nb-3-big']);
});

test('a final set counts with what it lacks, which its reader then misses', async () => {
  await using data = await dataFolder();
  const [table] = await listTableFolders(at(data.root));
  assert.ok(table);
  const snapshot = join(table.folder, 'snapshots', 's');
  await data.put(snapshot, 'nb-1-big', ['Data.db', 'TOC.txt'], all);
  await data.put(snapshot, 'nb-2-big', ['Statistics.db', 'TOC.txt'], all);
  await data.put(snapshot, 'nb-3-big', ['Data.db']);
  await data.put(snapshot, 'nb-4-big', all);
  const { complete, partial } = await listSstables('h', table, 'snapshots/s', { final: true });
  assert.deepEqual([...partial].sort(), ['nb-1-big', 'nb-2-big', 'nb-3-big']);
  assert.deepEqual(
    complete.map(({ name, components, dataBytes }) => [name, components.length, dataBytes]),
    [
      ['nb-1-big', 4, 7],
      ['nb-2-big', 4, 0],
      ['nb-3-big', 3, 7],
      ['nb-4-big', 4, 7],
    ],
  );
  const [first] = complete;
  assert.ok(first);
  await using sstable = openSstable(first, () => localFiles);
  await assert.rejects(sstable.open('Statistics.db'), (error) =>
    isCodrError(error, 'source-unreachable'),
  );
});

test('a file set is whole without the parts of indexes that its TOC names', async () => {
  await using data = await dataFolder();
  const named = [...all, 'SAI+aa+s_v+ColumnComplete.db', 'SAI+aa+s_v+TermsData.db', 'SI_by_v.db'];
  await data.put(data.backups, 'nb-1-big', all, named);
  const { complete, partial } = await data.list();
  assert.deepEqual([complete.map(({ name }) => name), partial], [['nb-1-big'], []]);
});

test('secondary index folders, manifests and parts of SAI indexes are no SSTables', async () => {
  await using data = await dataFolder();
  await data.put(data.backups, 'da-3fw2_0tj4_46w3k2cpidnirvjy7k-bti', [
    ...all,
    'SAI+aa+by_v+TermsData.db',
  ]);
  await data.put(join(data.backups, '.by_v'), 'nb-1-big', all);
  await writeFile(join(data.backups, 'manifest.json'), '{}');
  const { complete, partial } = await data.list();
  assert.deepEqual([complete.map(({ format }) => format), partial], [['bti'], []]);
  assert.equal(splitName('manifest.json'), undefined);
});

test('deleting links of one name leaves the others, and deleting all leaves the folder', async () => {
  await using data = await dataFolder();
  const [table] = await listTableFolders(at(data.root));
  assert.ok(table);
  await data.put(table.folder, 'nb-1-big', all);
  for (const one of all)
    await link(join(table.folder, `nb-1-big-${one}`), join(data.backups, `nb-1-big-${one}`));
  await data.put(data.backups, 'nb-11-big', all);
  await data.put(join(data.backups, '.by_v'), 'nb-1-big', all);
  await deleteLinks(localFiles, data.backups, new Set(['nb-1-big']));
  assert.deepEqual(
    (await data.list()).complete.map(({ name }) => name),
    ['nb-11-big'],
  );
  await deleteAllLinks(table, { onlyIndexes: true });
  assert.deepEqual(await readdir(join(data.backups, '.by_v')), []);
  assert.equal((await data.list()).complete.length, 1);
  await deleteAllLinks(table);
  assert.deepEqual(await readdir(data.backups), ['.by_v']);
  assert.equal((await readdir(table.folder)).includes('nb-1-big-Data.db'), true);
});

test('an open SSTable is read past its removal, and a missing component is an error', async () => {
  await using data = await dataFolder();
  await data.put(data.backups, 'nb-1-big', all);
  const [listed] = (await data.list()).complete;
  assert.ok(listed);
  await using sstable = openSstable(listed, () => localFiles);
  const file = await sstable.open('Data.db');
  await deleteLinks(localFiles, data.backups, new Set(['nb-1-big']));
  assert.equal(Buffer.from(await file.read(1, 3)).toString(), 'ata');
  assert.equal((await file.read(5, 10)).length, 2);
  assert.equal(sstable.has('CompressionInfo.db'), false);
  await assert.rejects(sstable.open('Statistics.db'), (error) =>
    isCodrError(error, 'source-unreachable'),
  );
});
