// `--node` against `--repo`: one peer as a program, real replica sets, and the same command line on both ways. Then a
// client in another language, made of the protos alone.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
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

/** Where a command does its work; `here` and `there`: in repositories of the same history. */
type Way = 'repo' | 'node' | 'here' | 'there';

let thereAddress = '';
const places: Readonly<Record<Way, () => Record<string, string>>> = {
  repo: () => ({ CODR_REPO: join(folder, 'repository'), CODR_KEY_FILE: join(folder, 'key') }),
  node: () => ({ CODR_NODE: address, CODR_INSECURE: 'true' }),
  here: () => ({
    ...{ CODR_REPO: join(folder, 'here'), CODR_KEY_FILE: join(folder, 'key'), CODR_WORKERS: '1' },
  }),
  there: () => ({ CODR_NODE: thereAddress, CODR_INSECURE: 'true' }),
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
  // A passphrase would cost each command a tenth of a second.
  await writeFile(join(folder, 'key'), randomBytes(32));
  const lines = [
    'name: n1',
    `listen: ${address}`,
    'insecure: true',
    'repository:',
    `  url: ${join(folder, 'repository')}`,
    '  keyFile: key',
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

test('commands that change something do the same with --node as with --repo, in repositories made alike', async (t) => {
  const [uri = '', to = ''] = [source?.uri, target?.uri];
  for (const name of ['here', 'there']) await done('here', 'init', '--repo', join(folder, name));
  thereAddress = `127.0.0.1:${await freePort()}`;
  const words = ['--name', 'there', '--listen', thereAddress, '--insecure', '--drain-seconds', '2'];
  const kept = ['--repo', join(folder, 'there'), '--key-file', join(folder, 'key')];
  const peer = start(['node', ...words, ...kept, '--balancer-seconds', '0', '--workers', '1'], {});
  t.after(() => peer.child.kill('SIGKILL'));
  await peer.tells('serving');
  const ring = join(folder, 'ring.yaml');
  await writeFile(ring, 'kind: cassandra\ncontactPoints: ["127.0.0.1:1"]\n');
  const second = join(folder, 'second');
  await writeFile(second, 'another passphrase\n');
  const slots = { here: '', there: '' };
  const run = async (way: 'here' | 'there', args: readonly string[]): Promise<Ran> => {
    const meant = args.map((word) => word.replace('SLOT', slots[way]).replace('WAY', way));
    const ran = await codr(way, ...meant, '--json');
    if (args[0] === 'key' && args[1] === 'add') slots[way] = JSON.parse(ran.stdout).id;
    return ran;
  };
  const change = async (code: number, ...args: readonly string[]): Promise<void> => {
    const mine = run('here', args);
    // Two restores would meet in the target.
    if (args[0] === 'restore') await mine;
    const [here, there] = await Promise.all([mine, run('there', args)]);
    const name = args.join(' ');
    assert.equal(here.code, code, `${name}: ${here.stdout}`);
    assert.equal(there.code, code, `${name}: ${there.stdout}`);
    assert.equal(alike(there.stdout), alike(here.stdout), name);
  };
  // So few that they are one leaf: where leaves end is the secret of each repository.
  const orders = source?.clients[0]?.db('alike').collection('orders');
  await orders?.insertMany(documents(100));
  await change(0, 'source', 'add', 'shop', uri, '--include', 'alike.*', '--readers', '2');
  await change(9, 'source', 'add', 'ring', '--config', ring);
  await change(2, 'source', 'add', 'ring', '--config', join(folder, 'none.yaml'));
  await change(0, 'source', 'limit', 'shop', '--mib-per-second', '500', '--readers', '0');
  await change(2, 'source', 'limit', 'shop');
  await change(2, 'backup', 'shop', '--min-grade', 'complete');
  await change(0, 'backup', 'shop');
  await orders?.updateMany({ _id: { $lt: 20 as never } }, { $set: { text: 'changed' } });
  await change(0, 'backup', 'shop');
  await change(0, 'checkpoint', 'shop');
  await change(0, 'checkpoint', 'shop');
  await change(
    0,
    'restore',
    'shop',
    '--to',
    to,
    '--include',
    'alike.*',
    '--rename',
    'alike.*=WAY.*',
  );
  await change(
    5,
    'restore',
    'shop',
    '--to',
    to,
    '--include',
    'alike.*',
    '--rename',
    'alike.*=WAY.*',
  );
  await change(2, 'restore', 'shop', '--to', ring, '--include', 'alike.*');
  await change(0, 'verify', 'shop', '--against', uri, '--include', 'alike.orders');
  await change(0, 'key', 'add', '--new-password-file', second);
  await change(0, 'key', 'remove', 'SLOT');
  await change(2, 'key', 'remove', 'SLOT');
  for (const name of ['here', 'there']) await rm(await firstPack(join(folder, name)));
  await change(9, 'check', '--read-data');
  // What it lacks for good is given up: the next backup makes it good.
  await change(9, 'check', '--read-data', '--repair');
  await change(0, 'backup', 'shop');
  await change(0, 'check', '--read-data');
  await change(0, 'source', 'rebase', 'shop');
  await change(0, 'source', 'remove', 'shop', '--yes');
  await change(2, 'source', 'remove', 'shop', '--yes');
  await change(0, 'collect');
  await change(0, 'check', '--read-data');
  peer.child.kill('SIGTERM');
  assert.equal((await peer.ended).code, 0);
});

/** Leaves of the first base copy. */
async function firstPack(repository: string): Promise<string> {
  const names = await readdir(join(repository, 'packs/d'), { recursive: true });
  const packs = names.filter((name) => /[0-9a-f]{64}$/.test(name));
  const paths = packs.map((name) => join(repository, 'packs/d', name));
  const made = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
  return paths[made.indexOf(Math.min(...made))] ?? assert.fail('no pack');
}

/** Ids, times, the names of the two ways, and bytes below encryption differ between repositories. */
const alike = (text: string): string =>
  timeless(text)
    .replace(/\b(here|there)\b/g, 'WAY')
    .replace(/\bp\d+\b/g, 'POINT')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'WHEN')
    .replace(/\b\d{10}:\d+\b/g, 'TIME')
    .replace(/\b[0-9a-f]{8,}\b/g, 'ID')
    .replace(/\bpacks\/(.)\/../g, 'packs/$1')
    .replace(/"(bytes\w*|commits)":\d+/g, '"$1":0');

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
  const { remedy, ...refusal } = told.refusal;
  assert.match(remedy, /^there is .+: see `codr source list`$/);
  assert.deepEqual(refusal, {
    status: 'NOT_FOUND',
    code: 'source-unknown',
    message: 'no source is called nobody',
    exitCode: 2,
  });
});
