import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openServe } from '../../../test/api/world.ts';
import { TcpProxy } from '../../../test/harness/tcp-proxy.ts';
import { isCodrError } from '../../base/error.ts';
import type { FileAccess } from '../../base/file-access.ts';
import { servedFiles } from '../../connector/cassandra/served-files.ts';
import { localFiles } from '../../connector/cassandra/session/local-files.ts';
import { probeFiles } from '../../connector/cassandra/session/probe-files.ts';
import { systemClock as clock } from '../../node/system-clock.ts';
import { systemRandom } from '../../node/system-random.ts';
import { authoriseBy, everybody } from '../access.ts';
import type { AuditEntry } from '../audit-log.ts';
import { fakeApi } from '../fake-api.fixture.ts';
import { type Served, serve } from '../grpc/serve.ts';
import { LocalOperations } from '../local-operations.ts';
import { Channel } from './channel.ts';
import { RemoteFiles } from './remote-files.ts';

interface World extends AsyncDisposable {
  /** A data directory. */
  readonly folder: string;
  readonly files: FileAccess;
}

async function here(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-files-'));
  return {
    folder,
    files: localFiles,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

interface PeerWorld extends World {
  readonly proxy: TcpProxy;
  readonly served: Served;
}

/** Another peer over a network that can fail. */
async function elsewhere(): Promise<PeerWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-files-'));
  const served = await serveFiles(servedFiles([folder]));
  const proxy = await TcpProxy.start(served.address);
  const channel = new Channel({ tls: 'insecure', address: proxy.address, clock });
  return {
    ...{ folder, served, proxy },
    files: new RemoteFiles({ peer: 'n2', channel: () => channel, clock }),
    [Symbol.asyncDispose]: async () => {
      channel[Symbol.dispose]();
      await proxy[Symbol.asyncDispose]();
      await served.close({ drainMs: 0 });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Nothing but files is asked of it. */
function serveFiles(
  files: FileAccess,
  authorise = everybody,
  audit: AuditEntry[] = [],
): Promise<Served> {
  const api = fakeApi(async () => ({}));
  const operations = new LocalOperations(api, { clock, random: systemRandom, redact: String });
  return serve({ ...openServe({ api, operations }, audit), authorise, files });
}

const worlds = { 'this machine': here, 'another peer': elsewhere };
const bytes = (text: string): Buffer => Buffer.from(text);
const own = (folder: string, name = ''): string => join(folder, 'codr-import-1', name);
const code = (wanted: string) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === wanted;

for (const [where, open] of Object.entries(worlds)) {
  test(`files of ${where} are written, linked, renamed, listed, read and removed`, async () => {
    await using world = await open();
    const { folder, files } = world;
    await files.makeFolders(own(folder, 'ks/t'));
    await files.makeFolders(own(folder, 'ks/t'));
    await files.writeWhole(own(folder, 'a'), bytes('one'));
    await files.link(own(folder, 'a'), own(folder, 'b'));
    assert.equal((await files.stat(own(folder, 'b'))).names, 2);
    await files.rename(own(folder, 'b'), own(folder, 'c'));
    const entries = [...(await files.list(own(folder)))].sort((x, y) => (x.name < y.name ? -1 : 1));
    assert.deepEqual(entries, [
      { name: 'a', isFolder: false },
      { name: 'c', isFolder: false },
      { name: 'ks', isFolder: true },
    ]);
    assert.equal(String(await files.readWhole(own(folder, 'c'))), 'one');
    await files.remove(own(folder, 'a'));
    await files.remove(own(folder, 'a'));
    const { bytes: size, identity } = await files.stat(own(folder, 'c'));
    assert.equal(size, 3);
    assert.equal(identity, (await localFiles.stat(own(folder, 'c'))).identity);
    assert.equal(
      await files.realPath(own(folder, 'c')),
      await localFiles.realPath(own(folder, 'c')),
    );
    assert.ok((await files.freeBytes(folder)) > 0);
    await files.removeFolder(own(folder));
    await files.removeFolder(own(folder));
    assert.deepEqual(await readdir(folder), []);
  });

  test(`what ${where} says of a file keeps its code`, async () => {
    await using world = await open();
    const { folder, files } = world;
    await assert.rejects(files.stat(join(folder, 'none')), code('ENOENT'));
    await assert.rejects(files.list(join(folder, 'none')), code('ENOENT'));
    await assert.rejects(files.open(join(folder, 'none')), code('ENOENT'));
    await files.makeFolder(own(folder));
    await assert.rejects(files.makeFolder(own(folder)), code('EEXIST'));
    await files.writeWhole(own(folder, 'a'), bytes('1'));
    await files.writeWhole(own(folder, 'b'), bytes('2'));
    await assert.rejects(files.link(own(folder, 'a'), own(folder, 'b')), code('EEXIST'));
    assert.equal(await probeFiles(files, folder, new AbortController().signal), undefined);
  });

  test(`a file of ${where} is read at any place, in any order, past its removal`, async () => {
    await using world = await open();
    const { folder, files } = world;
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 251));
    await writeFile(join(folder, 'f'), content);
    const file = await files.open(join(folder, 'f'));
    assert.equal(file.facts.bytes, content.length);
    await rm(join(folder, 'f'));
    const into = new Uint8Array(200);
    const at = async (position: number, length: number, room?: Uint8Array): Promise<void> => {
      const read = await file.read(position, length, room);
      assert.deepEqual(Buffer.from(read), content.subarray(position, position + length));
      if (room) assert.equal(read.buffer, room.buffer);
    };
    // In order and overlapping in time, as a reader that reads ahead does.
    await Promise.all([at(0, 4096), at(4096, 4096), at(8192, 65_536), at(73_728, 1000)]);
    for (let position = 74_728; position < content.length; position += 9_999)
      await at(position, 9_999);
    await at(299_990, 100);
    await at(5, 200, into);
    await at(205, 200, into);
    await at(0, 300_000);
    await at(400_000, 10);
    await file.close();
  });

  test(`a file of ${where} is written in pieces, and over its beginning`, async () => {
    await using world = await open();
    const { folder, files } = world;
    await files.makeFolders(own(folder));
    const file = await files.create(own(folder, 'f'));
    const piece = Buffer.alloc(3 * 1024 * 1024, 'ab');
    await file.write(piece);
    await file.write(bytes('end'));
    await file.sync();
    await file.close();
    const over = await files.create(own(folder, 'f'), { over: true });
    await over.write(bytes('beg'));
    await over.close();
    const read = await files.readWhole(own(folder, 'f'));
    assert.equal(read.length, piece.length + 3);
    assert.equal(Buffer.from(read.subarray(0, 4)).toString(), 'begb');
    assert.equal(Buffer.from(read.subarray(-4)).toString(), 'bend');
  });
}

test('readings of many files side by side give each its own bytes', async () => {
  await using world = await elsewhere();
  const { folder, files } = world;
  const size = 700_000;
  const contents = Array.from({ length: 12 }, (_, i) => Buffer.alloc(size, `${i} of many, `));
  await Promise.all(
    contents.map(async (content, i) => {
      await writeFile(join(folder, `f${i}`), content);
      const file = await files.open(join(folder, `f${i}`));
      const piece = i % 2 === 0 ? 131_072 : 50_000;
      for (let at = 0; at < size; at += piece) {
        const read = Buffer.from(await file.read(at, piece));
        assert.ok(read.equals(content.subarray(at, at + piece)), `file ${i} at ${at}`);
      }
      await file.close();
    }),
  );
});

test('a file that is read goes on over another connection, if it is still the same file', async () => {
  await using world = await elsewhere();
  const { folder, files, proxy } = world;
  const content = Buffer.alloc(64 * 1024, 'xyz');
  await writeFile(join(folder, 'f'), content);
  const file = await files.open(join(folder, 'f'));
  const first = Buffer.from(await file.read(0, 1000));
  proxy.cut();
  const second = Buffer.from(await file.read(1000, 64 * 1024));
  assert.deepEqual(Buffer.concat([first, second]), content);
  await rm(join(folder, 'f'));
  await writeFile(join(folder, 'f'), Buffer.alloc(64 * 1024, 'other'));
  proxy.cut();
  await assert.rejects(
    file.read(0, 1000),
    (error) => isCodrError(error, 'source-unreachable') && /another file now/.test(error.message),
  );
  await file.close();
});

test('what is open is closed over there when the caller is gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-files-'));
  const closed = Promise.withResolvers<string>();
  const watched: FileAccess = {
    ...localFiles,
    open: async (path) => {
      const file = await localFiles.open(path);
      return { ...file, close: async () => closed.resolve(path) };
    },
  };
  const served = await serveFiles(watched);
  const proxy = await TcpProxy.start(served.address);
  const channel = new Channel({ tls: 'insecure', address: proxy.address, clock });
  try {
    await writeFile(join(folder, 'f'), 'f');
    const files = new RemoteFiles({ peer: 'n2', channel: () => channel, clock });
    await files.open(join(folder, 'f'));
    proxy.faults = { refuses: true };
    proxy.cut();
    assert.equal(await closed.promise, join(folder, 'f'));
  } finally {
    channel[Symbol.dispose]();
    await proxy[Symbol.asyncDispose]();
    await served.close({ drainMs: 0 });
    await rm(folder, { recursive: true, force: true });
  }
});

test('a peer that is gone is a source that is not reached, and is named', async () => {
  await using world = await elsewhere();
  const { folder, files, served } = world;
  await writeFile(join(folder, 'f'), 'f');
  const file = await files.open(join(folder, 'f'));
  await served.close({ drainMs: 0 });
  const isGone = (error: unknown): boolean =>
    isCodrError(error, 'source-unreachable') && error.object === 'n2';
  await Promise.all([
    assert.rejects(file.read(0, 1), isGone),
    assert.rejects(files.list(folder), isGone),
    assert.rejects(files.link(own(folder, 'a'), own(folder, 'b')), isGone),
  ]);
  const none = new RemoteFiles({ peer: 'n2', channel: () => undefined, clock });
  await assert.rejects(none.stat(folder), isGone);
  await file.close();
});

test('a peer that leaves in the middle of a call is lost, and not waited for', async () => {
  await using world = await elsewhere();
  const { folder, served } = world;
  const channel = new Channel({ tls: 'insecure', address: served.address, clock });
  let now: Channel | undefined = channel;
  const files = new RemoteFiles({ peer: 'n2', channel: () => now, clock });
  await writeFile(join(folder, 'f'), 'f');
  const file = await files.open(join(folder, 'f'));
  const isGone = (error: unknown): boolean => isCodrError(error, 'source-unreachable');
  const reading = assert.rejects(file.read(0, 1), isGone);
  now = undefined;
  channel[Symbol.dispose]();
  await reading;
  await assert.rejects(file.read(0, 1), isGone);
  await assert.rejects(files.open(join(folder, 'f')), isGone);
  await file.close();
});

test('a frozen peer that leaves is lost also to who has just begun to open a file there', async () => {
  await using world = await elsewhere();
  const { folder, proxy } = world;
  const channel = new Channel({ tls: 'insecure', address: proxy.address, clock });
  let now: Channel | undefined = channel;
  const files = new RemoteFiles({ peer: 'n2', channel: () => now, clock });
  await writeFile(join(folder, 'f'), 'f');
  assert.equal((await files.stat(join(folder, 'f'))).bytes, 1);
  proxy.freeze();
  const isGone = (error: unknown): boolean => isCodrError(error, 'source-unreachable');
  const asked = [
    assert.rejects(files.open(join(folder, 'f')), isGone),
    assert.rejects(files.link(own(folder, 'a'), own(folder, 'b')), isGone),
  ];
  now = undefined;
  channel[Symbol.dispose]();
  await Promise.all(asked);
});

test('a peer that stood still changes nothing that was asked of it meanwhile; who still wants it asks again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-files-'));
  let frozenMs = 0;
  const looks: (() => void)[] = [];
  const sleeping = {
    ...clock,
    monotonic: () => clock.monotonic() + frozenMs,
    // Each look of the watcher is the test's to let pass.
    sleep: (ms: number, signal?: AbortSignal) =>
      ms === 500 ? new Promise<void>((wake) => looks.push(wake)) : clock.sleep(ms, signal),
  };
  const api = fakeApi(async () => ({}));
  const operations = new LocalOperations(api, { clock, random: systemRandom, redact: String });
  const world = { ...openServe({ api, operations }), clock: sleeping, authorise: everybody };
  const served = await serve({ ...world, files: servedFiles([folder]) });
  const channel = new Channel({ tls: 'insecure', address: served.address, clock });
  try {
    const files = new RemoteFiles({ peer: 'n2', channel: () => channel, clock });
    await files.makeFolders(own(folder));
    await files.writeWhole(own(folder, 'a'), bytes('1'));
    frozenMs += 60_000;
    looks.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
    const link = files.link(own(folder, 'a'), own(folder, 'b'));
    await assert.rejects(link, (error) => isCodrError(error, 'source-unreachable'));
    assert.deepEqual(await readdir(own(folder)), ['a']);
    await files.remove(own(folder, 'a'));
    assert.deepEqual(await readdir(own(folder)), []);
  } finally {
    channel[Symbol.dispose]();
    await served.close({ drainMs: 0 });
    await rm(folder, { recursive: true, force: true });
  }
});

test('that a peer has used files is written down, with its end, and not each act', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-files-'));
  const audit: AuditEntry[] = [];
  const served = await serveFiles(servedFiles([folder]), everybody, audit);
  const channel = new Channel({ tls: 'insecure', address: served.address, clock });
  const files = new RemoteFiles({ peer: 'n2', channel: () => channel, clock });
  await files.makeFolders(own(folder));
  await files.writeWhole(own(folder, 'a'), bytes('one'));
  const file = await files.open(own(folder, 'a'));
  await file.close();
  channel[Symbol.dispose]();
  while (audit.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    audit.map(({ by, action, outcome }) => [by, action, outcome]),
    [
      ['anybody', 'files', 'begun'],
      ['anybody', 'files', 'done'],
    ],
  );
  await served.close({ drainMs: 0 });
  await rm(folder, { recursive: true, force: true });
});

test('files are for peers alone', async () => {
  const files = servedFiles(['/']);
  const access = { peers: [], certificates: [], tokens: [] };
  const served = await serveFiles(files, authoriseBy(access));
  const channel = new Channel({ tls: 'insecure', address: served.address, clock });
  try {
    const remote = new RemoteFiles({ peer: 'n2', channel: () => channel, clock });
    await assert.rejects(remote.stat('/'), (error) => isCodrError(error, 'access-denied'));
    await assert.rejects(remote.open('/f'), (error) => isCodrError(error, 'access-denied'));
  } finally {
    channel[Symbol.dispose]();
    await served.close({ drainMs: 0 });
  }
});
