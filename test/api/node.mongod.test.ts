// `--node` against `--repo`: one peer as a program, real replica sets, and the same command line on both ways. Then a
// client in another language, made of the protos alone.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { MongoClient } from 'mongodb';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { pythonWith } from '../harness/get-python.ts';
import { startReplicaSet } from '../harness/mongod.ts';
import { rootFolder } from '../source-files.ts';
import { commandLine, type Ran } from './command-line.ts';

const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
let [folder, address] = ['', ''];
let [source, target]: (ReplicaSet | undefined)[] = [];
let stopPeer: () => Promise<number | null> = async () => null;

/** Where a command does its work. */
type Way = 'repo' | 'node';

const places: Readonly<Record<Way, () => Record<string, string>>> = {
  repo: () => ({ CODR_REPO: join(folder, 'repository'), CODR_PASSWORD: 'of a test' }),
  node: () => ({ CODR_NODE: address, CODR_INSECURE: 'true' }),
};

function start(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', CODR_TEMP_DIR: folder, ...env },
  });
  const told = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      told[name] += text;
    });
  }
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...told }));
  });
  /** Resolves once stderr holds `text`. */
  const tells = async (text: string): Promise<void> => {
    while (!told.stderr.includes(text)) {
      assert.equal(child.exitCode, null, `${args.join(' ')} ended: ${told.stdout}${told.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, ended, tells };
}

const codr = (way: Way, ...args: readonly string[]): Promise<Ran> =>
  commandLine(args, { CODR_TEMP_DIR: folder, CODR_LOG_LEVEL: 'silent', ...places[way]() });

/** Runs to the end, which must be a good one; the object that was printed. */
async function done<T>(way: Way, ...args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await codr(way, ...args, '--json');
  assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

before(async () => {
  [source, target, folder] = await Promise.all([
    startReplicaSet({ cacheGiB: 0.25 }),
    startReplicaSet({ cacheGiB: 0.25 }),
    mkdtemp(join(tmpdir(), 'codr-node-')),
  ]);
  address = `127.0.0.1:${await freePort()}`;
  await writeFile(join(folder, 'password'), 'of a test\n');
  const lines = [
    'name: n1',
    `listen: ${address}`,
    'insecure: true',
    'repository:',
    `  url: ${join(folder, 'repository')}`,
    '  passwordFile: password',
    `tempDir: ${folder}`,
    'drainSeconds: 2',
  ];
  await writeFile(join(folder, 'peer.yaml'), `${lines.join('\n')}\n`);
  await done('repo', 'init');
  const { child, ended, tells } = start(['node', '--config', join(folder, 'peer.yaml')], {});
  await tells('serving');
  stopPeer = async () => {
    child.kill('SIGTERM');
    return (await ended).code;
  };
  const client = source.clients[0] as MongoClient;
  await client.db('shop').collection('orders').insertMany(documents(500));
});

after(async () => {
  const code = await stopPeer();
  await Promise.all([source?.stop(), target?.stop()]);
  await rm(folder, { recursive: true, force: true });
  assert.equal(code, 0, 'the peer ended well');
});

const documents = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ _id: i as never, text: `order ${i}` }));

interface Points {
  readonly points: readonly { readonly id: string }[];
}

test('a source is added, backed up and restored through a peer, and the proof is the same', async () => {
  const uri = source?.uri ?? '';
  const added = await done<{ source: { name: string } }>('node', 'source', 'add', 'shop', uri);
  assert.equal(added.source.name, 'shop');
  const backup = await codr('node', 'backup', 'shop', '--json');
  assert.equal(backup.code, 0, backup.stdout);
  const { records, point } = JSON.parse(backup.stdout);
  assert.ok(records >= 500, `${records} records`);
  assert.match(backup.stderr, /"progress":\{"phase":"base copy"/);
  const { points } = await done<Points>('repo', 'points', 'shop');
  assert.equal(points.at(-1)?.id, point.id);
  const to = ['--to', target?.uri ?? '', '--include', 'shop.*'];
  const restored = await done<{ datasets: unknown[] }>('node', 'restore', 'shop', ...to);
  const [{ root, ...dataset }] = restored.datasets as [{ root: string }];
  const same = { from: 'shop.orders', to: 'shop.orders', records: 500, proven: true };
  assert.deepEqual({ ...dataset, bytes: 0 }, { ...same, bytes: 0 });
  assert.match(root, /^[0-9a-f]{32,}$/);
  const client = target?.clients[0] as MongoClient;
  assert.equal(await client.db('shop').collection('orders').countDocuments(), 500);
});

test('commands print the same and end with the same code with --node as with --repo', async () => {
  const to = target?.uri ?? '';
  for (const [args, code] of [
    [['source', 'list'], 0],
    [['source', 'show', 'shop'], 0],
    [['source', 'show', 'nobody'], 2],
    [['source', 'add', 'shop', source?.uri ?? ''], 2],
    [['source', 'check', 'shop'], 0],
    [['points', 'shop'], 0],
    [['ls', 'shop'], 0],
    [['ls', 'shop', '--at', '2001-01-01T00:00:00Z'], 4],
    [['get', 'shop', 'shop.orders', '7', '--history'], 0],
    [['get', 'shop', 'shop.orders', '9999'], 2],
    [['verify', 'shop', '--read-data', '--include', 'shop.*'], 0],
    [['restore', 'shop', '--to', to, '--include', 'shop.*', '--dry-run'], 5],
    [['restore', 'shop', '--to', to, '--include', 'shop.*'], 5],
    [['key', 'list'], 0],
    [['collect', '--dry-run'], 0],
    [['check', '--read-data'], 0],
    [['init'], 2],
  ] as const) {
    for (const form of [[], ['--json']]) {
      const words = [...args, ...form];
      const [here, there] = await Promise.all([codr('repo', ...words), codr('node', ...words)]);
      const name = words.join(' ');
      assert.equal(here.code, code, `${name}: ${here.stdout}${here.stderr}`);
      assert.equal(there.code, code, `${name}: ${there.stdout}${there.stderr}`);
      assert.equal(timeless(there.stdout), timeless(here.stdout), name);
      if (code !== 0) assert.equal(timeless(errorsIn(there)), timeless(errorsIn(here)), name);
    }
  }
});

/** Durations and what grows meanwhile differ from run to run. */
const timeless = (text: string): string =>
  text
    .replace(/"(\w*[sS]econds)":[\d.e-]+/g, '"$1":0')
    .replace(/\b[\d.]+ (ms|s|min|h)\b/g, 'T')
    .replace(/\b(\d+h)?(\d+m)?\d+s\b/g, 'T');

const errorsIn = ({ stderr }: Ran): string =>
  stderr
    .split('\n')
    .filter((line) => /^(error:| {2}because:)/.test(line))
    .join('\n');

test('a backup that follows commits once more when it is interrupted, here and at the peer', async () => {
  const following = start(['backup', 'shop', '--follow', '--rpo', '1s', '--json'], places.node());
  await following.tells('"phase":"following"');
  const client = source?.clients[0] as MongoClient;
  await client.db('shop').collection('late').insertOne({ late: true });
  const { operations } = await done<{ operations: { kind: string }[] }>('node', 'ops', '--running');
  assert.deepEqual(
    operations.map(({ kind }) => kind),
    ['backup'],
  );
  following.child.kill('SIGINT');
  const { code, stdout } = await following.ended;
  assert.equal(code, 0, stdout);
  const { datasets } = await done<{ datasets: { namespace: string }[] }>('repo', 'ls', 'shop');
  assert.ok(datasets.some(({ namespace }) => namespace === 'shop.late'));
});

test('work goes on when its command is killed, is seen by codr ops, and ended by codr cancel', async () => {
  const following = start(['backup', 'shop', '--follow', '--rpo', '1s', '--json'], places.node());
  await following.tells('"phase":"following"');
  following.child.kill('SIGKILL');
  await following.ended;
  interface Listed {
    readonly operations: readonly { readonly id: string; readonly state: string }[];
  }
  const [{ id = '' } = {}] = (await done<Listed>('node', 'ops', '--running')).operations;
  const busy = await codr('node', 'backup', 'shop', '--json');
  assert.equal(busy.code, 10, busy.stdout);
  assert.equal((await codr('node', 'cancel', id)).stdout, `asked backup ${id} to end\n`);
  for (;;) {
    const { operations } = await done<Listed>('node', 'ops');
    const state = operations.find((one) => one.id === id)?.state;
    if (state === 'done') break;
    assert.equal(state, 'running');
  }
  assert.equal((await codr('node', 'cancel', 'none')).code, 2);
});

test('a client in Python, made of the protos alone, backs up and restores', async () => {
  const client = source?.clients[0] as MongoClient;
  await client.db('snake').collection('eggs').insertMany(documents(40));
  await client.db('snake').collection('skins').insertMany(documents(3));
  await done('node', 'source', 'add', 'snake', source?.uri ?? '', '--include', 'snake.*');
  const requirements = join(rootFolder, 'test/api/python/requirements.txt');
  const script = join(rootFolder, 'test/api/python/client.py');
  const args = [script, join(rootFolder, 'proto'), address, 'snake', target?.uri ?? ''];
  const python = await pythonWith(requirements);
  const { stdout } = await promisify(execFile)(python, args, { timeout: 120_000 });
  const told = JSON.parse(stdout);
  assert.equal(told.points.at(-1), told.backedUp);
  assert.deepEqual(told.datasets, [
    ['snake.eggs', 'snake.eggs', 40, true],
    ['snake.skins', 'snake.skins', 3, true],
  ]);
  assert.ok(
    told.reports.every((count: number) => count > 0),
    'it heard reports',
  );
  assert.deepEqual(told.refusal, {
    status: 'NOT_FOUND',
    code: 'source-unknown',
    message: 'no source is called nobody',
    remedy: 'see `codr source list`',
    exitCode: 2,
  });
});
