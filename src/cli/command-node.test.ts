import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { rootFolder } from '../../test/source-files.ts';
import { type OptionRow, optionRows } from '../node/config-option.ts';
import { readPeerFile } from '../node/peer/peer-file.ts';
import { type PeerOptions, peerOptions } from '../node/peer/peer-options.ts';
import { type FakeRun, runFake } from './fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-command-node-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'peer.yaml');
const rows = optionRows(peerOptions);

interface Node extends FakeRun {
  /** What the peer was told, if one was run. */
  readonly told: PeerOptions | undefined;
}

async function codrNode(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Node> {
  let told: PeerOptions | undefined;
  const run = await runFake(['node', ...argv], {
    env,
    runPeer: async (options) => {
      told = options;
      return options.name;
    },
  });
  return { ...run, told };
}

/** Three values of a setting that differ, as text. */
function samples(row: OptionRow): readonly string[] {
  const { name, text, choices } = row;
  if (choices) return [choices[0] ?? '', choices[1] ?? '', choices[2] ?? ''];
  if (name === 'segmentMib' || name === 'workers') return ['11', '12', '13'];
  if (/^(drain|balancer|store|source|memory)/.test(name))
    return ['131', '132', '133'].map(small(name));
  if (text.value === 'HOST:PORT') return ['a:1', 'b:2', 'c:3'];
  if (text.value === 'NAME=ROLE+ROLE') return ['a=admin', 'b=admin', 'c=admin'];
  const digest = '0'.repeat(64);
  if (name === 'accessTokens')
    return [`a=admin:${digest}`, `b=admin:${digest}`, `c=admin:${digest}`];
  if (name === 'password') return ['in-file', 'in-env', 'in-flag'].map(secret);
  return ['/a', '/b', '/c'].map((value) => (name === 'name' ? value.slice(1) : value));
}

const small = (name: string) => (value: string) =>
  name === 'balancerSeconds' ? value.slice(1) : value;

function secret(content: string): string {
  const file = join(folder, content);
  writeFileSync(file, content);
  return file;
}

/** All settings from the file; from `place` 1 on from variables too, with 2 also from flags. */
function settings(place: 0 | 1 | 2): { yaml: object; env: Record<string, string>; argv: string[] } {
  const yaml: Record<string, unknown> = {};
  const env: Record<string, string> = {};
  const argv: string[] = [];
  for (const row of rows) {
    const isSwitch = row.shape === 'switch';
    const [inFile = '', inEnv = '', inFlag = ''] = isSwitch ? ['', 'true'] : samples(row);
    const twin = row.text.secret ? `${row.env}_FILE` : String(row.env);
    put(yaml, String(row.text.key).split('.'), isSwitch ? place === 0 : yamlOf(row, inFile));
    if (place > 0) env[twin] = inEnv;
    if (place > 1) argv.push(...(isSwitch ? [row.flag] : [row.flag, inFlag]));
  }
  return { yaml, env, argv };
}

const yamlOf = (row: OptionRow, text: string): unknown =>
  row.shape === 'list' ? [text] : /^\d+$/.test(text) ? Number(text) : text;

function put(
  group: Record<string, unknown>,
  [first = '', ...rest]: string[],
  value: unknown,
): void {
  if (rest.length === 0) group[first] = value;
  else {
    const inner = (group[first] ?? {}) as Record<string, unknown>;
    group[first] = inner;
    put(inner, rest, value);
  }
}

test('each setting of a peer is a field of the file, a variable and a flag, and the later ones win', async () => {
  const seen: PeerOptions[] = [];
  for (const place of [0, 1, 2] as const) {
    const { yaml, env, argv } = settings(place);
    // Certificates and "insecure" exclude each other: the one switch that the places cannot all give.
    const shown = yaml as { insecure?: boolean };
    delete shown.insecure;
    delete env.CODR_INSECURE;
    writeFileSync(path, stringify(yaml));
    const given = argv.filter((word) => word !== '--insecure');
    const { told, stderr } = await codrNode(['--config', path, ...given], env);
    assert.ok(told, stderr);
    seen.push(told);
  }
  for (const row of rows.filter(({ name }) => name !== 'insecure')) {
    const values = seen.map((told) => JSON.stringify(told[row.name as keyof PeerOptions]));
    const different = row.shape === 'switch' ? 1 : 3;
    assert.equal(new Set(values).size, different, `${row.name}: ${values}`);
    if (row.shape === 'switch') assert.equal(values[2], 'true', row.name);
  }
  assert.deepEqual(
    seen.map(({ password }) => password),
    ['in-file', 'in-env', 'in-flag'],
  );
});

test('the file that the manual shows has all settings but those that exclude others', () => {
  const page = readFileSync(`${rootFolder}docs/manual/cluster.md`, 'utf8');
  const [, shown = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  writeFileSync(path, shown);
  const read = Object.keys(readPeerFile(path));
  const left = rows.filter(({ name, text }) => !read.includes(text.secret ? `${name}File` : name));
  assert.deepEqual(
    left.map(({ text }) => text.key),
    ['repository.keyFile', 'insecure'],
  );
});

test('a peer needs no file where flags and variables say enough', async () => {
  const argv = ['--name', 'n1', '--listen', '127.0.0.1:0', '--insecure'];
  const { told } = await codrNode([...argv, '--etcd-endpoints', 'http://e1:2379'], {
    CODR_REPO: '/r',
    CODR_FILES: '/data1,/data2',
    CODR_LIMITS: 'no setting',
  });
  assert.equal(told?.repo, '/r');
  assert.deepEqual(told?.files, ['/data1', '/data2']);
  assert.deepEqual([told?.logLevel, told?.segmentMib, told?.reflection], ['info', 64, false]);
});

test('what is missing is named with all three places, what is wrong by the place it came from', async () => {
  writeFileSync(path, 'name: n1\ninsecure: true\nrepository: { url: /r }\n');
  const missing = await codrNode(['--config', path]);
  assert.equal(missing.exitCode, 2);
  assert.equal(
    missing.stderr,
    `error: ${path}: listen is missing: give --listen HOST:PORT: where it serves clients and peers, ` +
      'by gRPC, or set CODR_LISTEN, or write listen into the file of --config\n',
  );
  const enough = ['--config', path, '--listen', 'h:1'];
  for (const [env, argv, says] of [
    [{ CODR_WORKERS: 'x' }, [], 'CODR_WORKERS "x": not a whole number from 1 to 256: give COUNT'],
    [{}, ['--segment-mib', '0'], '--segment-mib "0": less than 1: give MIB: raw MiB'],
    [{ CODR_REFLECTION: 'maybe' }, [], 'CODR_REFLECTION "maybe": not true or false: give true or'],
    [{ CODR_METRICS: 'here' }, [], 'CODR_METRICS "here": not host:port: give HOST:PORT'],
    [{ CODR_PASSWORD_FILE: '/none' }, [], 'CODR_PASSWORD_FILE: the file /none cannot be read'],
    [{}, ['--tls-ca', 'x'], `${path}: tls.cert is missing: an authority`],
  ] as const) {
    const run = await codrNode([...enough, ...argv], env);
    assert.equal(run.exitCode, 2);
    assert.ok(run.stderr.startsWith(`error: ${says}`), run.stderr);
  }
});

test('options of a client say nothing to a peer: as flags they are refused, as variables left alone', async () => {
  writeFileSync(path, 'name: n1\nlisten: h:1\ninsecure: true\nrepository: { url: /r }\n');
  for (const words of [
    ['--node', 'x:1'],
    ['--ca', 'x'],
    ['--token-file', 'x'],
  ]) {
    const { exitCode, stderr } = await codrNode(['--config', path, ...words]);
    assert.equal(exitCode, 2);
    assert.match(stderr, new RegExp(`^error: ${words[0]} says nothing to codr node`));
  }
  const variables = {
    CODR_NODE: 'x:1',
    CODR_REPO: '/other',
    CODR_CA: '/ca',
    CODR_TOKEN_FILE: '/none',
  };
  const { told, stderr } = await codrNode(['--config', path], variables);
  assert.equal(told?.repo, '/other', stderr);
  assert.equal(told?.tlsCa, undefined);
});

test('help of a peer lists each setting once, with its variable, and no option of clients', async () => {
  const { stdout } = await codrNode(['--help']);
  const words = stdout.replace(/\s+/g, ' ');
  for (const { flag, env } of rows) {
    const lines = stdout.match(new RegExp(`^ {2}${flag} `, 'gm'));
    assert.equal(lines?.length, 1, flag);
    assert.ok(words.includes(`env: ${env}`), env);
  }
  assert.doesNotMatch(stdout, /--node|--token-file|JSON file/);
});
