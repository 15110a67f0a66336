// Files that wait on a node are imported group by group; what an earlier run knows to be taken is not asked again.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CodrError } from '../../../base/error.ts';
import { silentLogger } from '../../../base/log.ts';
import type { NodeControl } from '../session/control.ts';
import { localFiles } from '../session/local-files.ts';
import { checkFiles } from './check-files.ts';
import { dataBytes, deadlineFor, groupFiles } from './import-groups.ts';
import { importTable } from './import-table.ts';
import type { RestoreMarker } from './restore-marker.ts';
import { StagedImports } from './staged-imports.ts';
import { removeStaging, stagingPrefix } from './staging.ts';
import type { TargetNode } from './target-nodes.ts';

const { signal } = new AbortController();
const place = { keyspace: 'ks', table: 't' };
const sizes = [400, 300, 300, 500, 2000, 10];

async function staged(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-import-table-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [i, size] of sizes.entries()) {
    await writeFile(join(folder, `nb-${i + 1}-big-Data.db`), Buffer.alloc(size));
    await writeFile(join(folder, `nb-${i + 1}-big-TOC.txt`), 'Data.db');
  }
  return folder;
}

const waiting = (folder: string) => sizes.map((_, i) => ({ folder, name: `nb-${i + 1}-big` }));

/** A server that takes what it is shown; after `calls` calls it answers no more. */
function server(calls = Number.POSITIVE_INFINITY) {
  const asked: { readonly files: number; readonly deadlineMs: number | undefined }[] = [];
  const control = {
    importSstables: async (_ks, _table, [folder = ''], _checks, { deadlineMs }) => {
      if (asked.length >= calls) throw new Error('it is down');
      const names = await readdir(folder);
      asked.push({ files: names.length / 2, deadlineMs });
      for (const name of names) await rm(join(folder, name));
      return [];
    },
  } as Partial<NodeControl> as NodeControl;
  return { asked, node: { hostId: 'h', address: 'n', control, files: localFiles } as TargetNode };
}

test('files are grouped by their bytes, a larger one alone, with all their components', async (t) => {
  const folder = await staged(t);
  const groups = await groupFiles(localFiles, folder, waiting(folder), 1000);
  assert.deepEqual(
    groups.map(({ files, bytes }) => [files, bytes]),
    [
      [3, 1000],
      [1, 500],
      [1, 2000],
      [1, 10],
    ],
  );
  assert.deepEqual((await readdir(join(folder, '1'))).sort(), [
    'nb-1-big-Data.db',
    'nb-1-big-TOC.txt',
    'nb-2-big-Data.db',
    'nb-2-big-TOC.txt',
    'nb-3-big-Data.db',
    'nb-3-big-TOC.txt',
  ]);
  assert.equal(
    await dataBytes(
      localFiles,
      groups.map((group) => group.folder),
    ),
    3510,
  );
});

test('a call may last the longer the more bytes it has to look at', () => {
  const tebi = 2 ** 40;
  assert.ok(deadlineFor(tebi) > 60 * 3_600_000);
  assert.ok(deadlineFor(0) >= 600_000 && deadlineFor(2 ** 30) < 3_600_000);
});

test('a server that checks its files may take as long as they are large, and is asked again when busy', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'codr-check-files-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const folder = join(data, 'ks', `t-${'0'.repeat(32)}`);
  await mkdir(folder, { recursive: true });
  const large = await open(join(folder, 'nb-1-big-Data.db'), 'w');
  await large.truncate(2 ** 40);
  await large.close();
  const deadlines: (number | undefined)[] = [];
  const control = {
    verify: async (_ks, _tables, _options, { deadlineMs }) => deadlines.push(deadlineMs) > 1,
  } as Partial<NodeControl> as NodeControl;
  const node = { address: 'n', control, files: localFiles, dataDirectories: [data] };
  const id = '00000000-0000-0000-0000-000000000000';
  const told: string[] = [];
  const log = { ...silentLogger, info: (_: object, message: string) => told.push(message) };
  await checkFiles(node, { ...place, id }, { clock: { sleep: async () => {} }, log }, signal);
  assert.deepEqual(deadlines, [deadlineFor(2 ** 40), deadlineFor(2 ** 40)]);
  assert.equal(told[0], 'n checks 1048576 MiB of ks.t');
});

test('a server that names a damaged file has failed the proof; one that cannot look has not', async () => {
  const reasons: [reason: string, code: string][] = [
    [
      'java.lang.Exception: Invalid SSTable /data/nb-1-big-Data.db, please force a full repair',
      'proof-failed',
    ],
    [
      'org.apache.cassandra.io.sstable.CorruptSSTableException: Corrupted: nb-1-big',
      'proof-failed',
    ],
    ['connect ECONNREFUSED', 'source-unreachable'],
  ];
  for (const [reason, code] of reasons) {
    const verify = async (): Promise<boolean> => {
      throw new CodrError('source-unreachable', `n cannot verify ks: ${reason}`);
    };
    const control = { verify } as Partial<NodeControl> as NodeControl;
    const node = { address: 'n', control, files: localFiles, dataDirectories: [] };
    const world = { clock: { sleep: async () => {} }, log: silentLogger };
    const checking = checkFiles(node, { ...place, id: 'one' }, world, signal);
    await assert.rejects(checking, { code, message: new RegExp(`^n cannot verify ks: ${reason}`) });
  }
});

test('a run that goes on imports what the one before had not taken, and nothing twice', async (t) => {
  const folder = await staged(t);
  const groups = await groupFiles(localFiles, folder, waiting(folder), 1000);
  const steps = new Map<string, number>();
  const told: string[] = [];
  const options = {
    ...{ keepLevels: false, mayBeTaken: false },
    log: { ...silentLogger, info: (_: object, message: string) => told.push(message) },
    note: async (hostId: string, taken: number) => {
      steps.set(hostId, taken);
    },
    refused: async () => 'goes on',
  };
  const broken = server(2);
  const first = importTable([{ node: broken.node, groups, taken: 0 }], place, options, signal);
  await assert.rejects(first, /it is down/);
  assert.deepEqual([...steps], [['h', 2]]);
  const whole = server();
  const taken = steps.get('h') ?? 0;
  const later = { ...options, mayBeTaken: true };
  await importTable([{ node: whole.node, groups, taken }], place, later, signal);
  assert.deepEqual(whole.asked, [
    { files: 1, deadlineMs: deadlineFor(2000) },
    { files: 1, deadlineMs: deadlineFor(10) },
  ]);
  assert.match(told.at(-1) ?? '', /n has taken 4 of 4 groups of files of ks\.t/);
  assert.deepEqual(await readdir(folder), []);
});

test('what a call took whose answer nobody heard is not missed, and what is left over is an error', async (t) => {
  const folder = await staged(t);
  const [group] = await groupFiles(localFiles, folder, waiting(folder), 10_000);
  assert.ok(group);
  const waits = { note: async () => {}, refused: async () => 'goes on' };
  const options = { keepLevels: false, mayBeTaken: true, log: silentLogger, ...waits };
  const { node } = server();
  const idle = { ...node, control: { importSstables: async () => [] } as never };
  const refused = importTable([{ node: idle, groups: [group], taken: 0 }], place, options, signal);
  await assert.rejects(refused, { code: 'target-unfit', message: /did not take .*nb-1-big/ });
  for (const name of await readdir(group.folder)) await rm(join(group.folder, name));
  const silent = server(0);
  await importTable([{ node: silent.node, groups: [group], taken: 0 }], place, options, signal);
  assert.deepEqual(silent.asked, []);
});

test('loaded files are gone on with only while all that nobody took is there, and stay until then', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'codr-import-table-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const root = join(data, `${stagingPrefix}op`);
  for (const path of ['ks/t/2', 'ks/other', 'third/t']) {
    await mkdir(join(root, path), { recursive: true });
  }
  const group = (name: string) => ({ folder: join(root, 'ks/t', name), files: 1, bytes: 1 });
  const row = {
    ...{ records: 5, bytes: 50, keepLevels: false },
    nodes: { h: [group('1'), group('2')] },
  };
  let taken = 1;
  const marker = { loaded: () => row, taken: () => taken } as unknown as RestoreMarker;
  const nodes = new Map([
    ['h', { files: localFiles, dataDirectories: [data] } as unknown as TargetNode],
  ]);
  const planned = { item: { namespace: 'ks.t' } } as never;
  const imports = new StagedImports();
  const at = { tableId: 'id', placement: 'p' };
  assert.equal(await imports.resume(planned, at, { marker, nodes }), true);
  assert.deepEqual(imports.resumed('ks.t'), row);
  await removeStaging('op', nodes.values(), imports.kept);
  assert.deepEqual(
    [await readdir(join(root, 'ks')), await readdir(join(root, 'third'))],
    [['t'], []],
  );
  taken = 0;
  assert.equal(await new StagedImports().resume(planned, at, { marker, nodes }), false);
});

test('what a server refuses waits for the next run; what it refuses that run too is loaded anew by the third', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'codr-import-table-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  await writeFile(join(data, 'nb-1-big-Data.db'), 'it went bad');
  const row = {
    ...{ records: 1, bytes: 9, keepLevels: false },
    nodes: { h: [{ folder: data, files: 1, bytes: 9 }] },
  };
  const forgotten: string[] = [];
  const marker = {
    ...{ loaded: () => row, taken: () => 0, noteLoaded: async () => {} },
    forget: async (namespace: string) => forgotten.push(namespace),
  } as unknown as RestoreMarker;
  const control = { importSstables: async (..._: unknown[]) => [data] };
  const node = { hostId: 'h', address: 'n', files: localFiles, control } as unknown as TargetNode;
  const world = { marker, nodes: new Map([['h', node]]), log: silentLogger };
  const planned = { item: { namespace: 'ks.t' }, ...place } as never;
  const at = { tableId: 'id', placement: 'p' };

  const first = new StagedImports();
  const load = { ...row, files: [], hasLevels: false, capped: 0 };
  const stagedThere = { groups: async () => row.nodes } as never;
  await first.note(planned, at, { staged: stagedThere, load }, world, signal);
  const told = { code: 'target-unfit', message: /^n did not take SSTables of ks\.t/ };
  await assert.rejects(first.import(planned, world, signal), {
    ...told,
    remedy: /goes on with the files that wait/,
  });
  assert.deepEqual([forgotten, [...first.kept]], [[], ['ks.t']]);

  const next = new StagedImports();
  assert.equal(await next.resume(planned, at, world), true);
  await assert.rejects(next.import(planned, world, signal), {
    ...told,
    remedy: /makes the table anew/,
  });
  assert.deepEqual([forgotten, [...next.kept]], [['ks.t'], []]);

  // Nobody can have taken what this very run has put there.
  await rm(join(data, 'nb-1-big-Data.db'));
  const third = new StagedImports();
  await third.note(planned, at, { staged: stagedThere, load }, world, signal);
  await assert.rejects(third.import(planned, world, signal), {
    code: 'target-unfit',
    message: /^n: 1 of 1 SSTables of ks\.t are gone/,
    remedy: /makes the table anew/,
  });
  assert.deepEqual(forgotten, ['ks.t', 'ks.t']);
});
