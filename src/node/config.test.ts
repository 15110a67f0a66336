import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { z } from 'zod';
import { isCodrError } from '../base/error.ts';
import { type Config, globalOptions, loadConfig, repositoryUrl } from './config.ts';
import { option, optionRows, readOptions } from './config-option.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-config-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Code, message and remedy of what `work` throws. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isCodrError(error)) return `${error.code}: ${error.message}: ${error.remedy}`;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('a flag wins over the environment, the environment over the file, the file over the default', () => {
  const config = file('order.json', '{"workers": 3, "storeConcurrency": 3, "memoryMib": 300}');
  const env = { CODR_CONFIG: config, CODR_WORKERS: '4', CODR_STORE_CONCURRENCY: '4' };
  const read = loadConfig({ workers: '5' }, env);
  assert.deepEqual(
    [read.workers, read.storeConcurrency, read.memoryMib, read.logLevel],
    [5, 4, 300, 'warn'],
  );
});

test('every option of every command has a flag, and all but secrets a twin in the environment and the file', () => {
  const values: Record<string, [text: string, value: unknown]> = {
    repo: ['/r', '/r'],
    password: ['secret', 'secret'],
    keyFile: ['/k', '/k'],
    config: ['', undefined],
    // Beside a repository it would be refused: see below.
    node: ['', undefined],
    insecure: ['on', true],
    ca: ['/ca', '/ca'],
    cert: ['/cert', '/cert'],
    key: ['/key', '/key'],
    token: ['of a caller', 'of a caller'],
    tempDir: ['/t', '/t'],
    memoryMib: ['512', 512],
    workers: ['7', 7],
    storeConcurrency: ['9', 9],
    storeMibPerSecond: ['0.5', 0.5],
    logLevel: ['debug', 'debug'],
    json: ['true', true],
    debug: ['yes', true],
  };
  const rows = optionRows(globalOptions);
  assert.deepEqual(
    Object.keys(values),
    rows.map(({ name }) => name),
  );
  const env = Object.fromEntries(rows.map(({ name, env: twin }) => [twin, values[name]?.[0]]));
  const expected = Object.fromEntries(
    Object.entries(values).flatMap(([name, [, value]]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  assert.deepEqual(loadConfig({}, env), expected);
  const { password: _secret, token: _token, ...open } = expected;
  const config = file('all.json', JSON.stringify(open));
  assert.deepEqual(loadConfig({ config }, {}), { ...open, config });
});

test('a peer and a repository exclude each other, and a flag wins over the environment', () => {
  const [repo, node] = ['/r', 'n1:7420'];
  const both = { CODR_REPO: '/env', CODR_NODE: 'env:1' };
  assert.deepEqual(placeOf(loadConfig({ node }, both)), { node });
  assert.deepEqual(placeOf(loadConfig({ repo }, both)), { repo });
  assert.deepEqual(placeOf(loadConfig({}, { CODR_NODE: node })), { node });
  assert.match(
    refusal(() => loadConfig({ repo, node }, {})),
    /^usage: a peer and a repository are named/,
  );
  assert.match(
    refusal(() => loadConfig({}, both)),
    /^config-invalid: a peer and a repository are named/,
  );
});

const placeOf = ({ repo, node }: Config): Partial<Config> => ({
  ...(repo !== undefined && { repo }),
  ...(node !== undefined && { node }),
});

test('a secret comes from a file named by flag, environment or configuration, without its line end', () => {
  const path = file('passphrase', 'correct horse\n');
  const config = file('secret.json', JSON.stringify({ passwordFile: path }));
  assert.equal(loadConfig({ passwordFile: path }, {}).password, 'correct horse');
  assert.equal(loadConfig({}, { CODR_PASSWORD_FILE: path }).password, 'correct horse');
  assert.equal(loadConfig({ config }, {}).password, 'correct horse');
  assert.equal(loadConfig({}, { CODR_PASSWORD: 'plain' }).password, 'plain');
  assert.ok(!optionRows(globalOptions).some(({ flag }) => flag === '--password'));
});

test('a secret that is missing, empty or given twice is refused', () => {
  const empty = file('empty', '\n');
  assert.match(
    refusal(() => loadConfig({ passwordFile: '/no/such' }, {})),
    /^config-invalid: --password-file: the file \/no\/such cannot be read/,
  );
  assert.match(
    refusal(() => loadConfig({ passwordFile: empty }, {})),
    /is empty/,
  );
  const twice = { CODR_PASSWORD: 'a', CODR_PASSWORD_FILE: empty };
  assert.match(
    refusal(() => loadConfig({}, twice)),
    /CODR_PASSWORD and CODR_PASSWORD_FILE are both set/,
  );
});

test('a wrong flag is wrong usage, a wrong variable wrong configuration; both say where and what', () => {
  assert.equal(
    refusal(() => loadConfig({ workers: '0' }, {})),
    'usage: --workers "0": less than 1: give COUNT: threads that compress and encrypt',
  );
  assert.match(
    refusal(() => loadConfig({}, { CODR_WORKERS: 'x' })),
    /^config-invalid: CODR_WORKERS "x": not a whole number from 1 to 256/,
  );
  assert.match(
    refusal(() => loadConfig({}, { CODR_JSON: 'maybe' })),
    /^config-invalid: CODR_JSON "maybe"/,
  );
  assert.match(
    refusal(() => loadConfig({ logLevel: 'loud' }, {})),
    /not one of debug, info/,
  );
});

test('a wrong value is named by itself and in plain words, a missing one by its option', () => {
  const schema = z.object({
    to: option(z.string().min(1), { text: 'the target', value: 'URI', fileToo: true }),
    include: option(z.array(z.string().min(1)).default([]), { text: 'these', value: 'NS' }),
    json: option(z.boolean().default(false), { text: 'print JSON' }),
  });
  const asked = (flags: object, env = {}): string =>
    refusal(() => readOptions(schema, { flags: { ...flags }, env }));
  assert.equal(
    asked({}),
    'usage: --to is missing: give --to URI: the target, or set CODR_TO or CODR_TO_FILE',
  );
  assert.equal(asked({ to: '' }), 'usage: --to "": it is empty: give URI: the target');
  assert.equal(
    asked({ to: 'x', include: ['a', ''] }),
    'usage: --include "": it is empty: give NS: these',
  );
  assert.equal(
    asked({ to: 'x' }, { CODR_JSON: 'banana' }),
    'config-invalid: CODR_JSON "banana": not true or false: give true or false: print JSON',
  );
});

test('a configuration file holds known options only, and no password', () => {
  const refuse = (content: string): string => {
    const config = file('wrong.json', content);
    return refusal(() => loadConfig({ config }, {}));
  };
  assert.match(refuse('{"repos": "/r"}'), /holds "repos", which is no option/);
  assert.match(refuse('{"password": "x"}'), /holds a password/);
  assert.match(refuse('[]'), /is not a JSON object/);
  assert.match(refuse('{'), /is not JSON/);
  assert.match(
    refusal(() => loadConfig({ config: '/no/such' }, {})),
    /cannot be read/,
  );
});

test('an empty variable counts as absent', () => {
  assert.equal(
    loadConfig({}, { CODR_REPO: '', CODR_CONFIG: '', CODR_PASSWORD: '' }).repo,
    undefined,
  );
});

test('a repository must be named before anything is opened', () => {
  assert.match(
    refusal(() => repositoryUrl(loadConfig({}, {}))),
    /^config-invalid: no repository was named: give --repo/,
  );
  assert.equal(repositoryUrl(loadConfig({ repo: '/r' }, {})), '/r');
});

test('a value that may hold a secret can stand in a file, and is not shown as a wrong secret', () => {
  const schema = z.object({
    to: option(z.string().startsWith('x', { error: 'no x' }), {
      text: 'the target',
      value: 'URI',
      fileToo: true,
    }),
    pin: option(z.string().length(4, { error: 'not 4 digits' }).optional(), {
      text: 'a pin',
      value: 'FILE',
      secret: true,
    }),
  });
  const path = file('target', 'x://t\n');
  assert.deepEqual(readOptions(schema, { flags: {}, env: { CODR_TO_FILE: path } }), {
    to: 'x://t',
  });
  const wrong = refusal(() =>
    readOptions(schema, { flags: { to: 'x' }, env: { CODR_PIN: '98765' } }),
  );
  assert.match(wrong, /CODR_PIN: not 4 digits/);
  assert.doesNotMatch(wrong, /98765/);
});

test('a switch that is on unless said gets a flag that says no', () => {
  const schema = z.object({
    verify: option(z.boolean().default(true), { text: 'do not read back' }),
    only: option(z.array(z.string()).default([]), { text: 'names', value: 'NS' }),
  });
  assert.deepEqual(
    optionRows(schema).map(({ flag, shape }) => [flag, shape]),
    [
      ['--no-verify', 'switch'],
      ['--only', 'list'],
    ],
  );
  assert.deepEqual(
    readOptions(schema, { flags: {}, env: { CODR_ONLY: 'a.b, c.*', CODR_VERIFY: 'off' } }),
    { verify: false, only: ['a.b', 'c.*'] },
  );
});
