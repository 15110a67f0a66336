import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { isCodrError } from '../../base/error.ts';
import { readOptions } from '../config-option.ts';
import { type PeerConfig, peerConfig } from './peer-config.ts';
import { readPeerFile } from './peer-file.ts';
import { peerOptions } from './peer-options.ts';
import { variablesFor } from './run-peer.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-peer-config-'));
after(() => rmSync(folder, { recursive: true }));

const least = {
  name: 'n1',
  listen: '127.0.0.1:7420',
  insecure: true,
  repository: { url: 'file:///r', passwordFile: 'secret' },
};
writeFileSync(join(folder, 'secret'), 'a passphrase\n');

const path = join(folder, 'peer.yaml');
interface Beside {
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, unknown>>;
}

function read(fields: object, { env = {}, flags = {} }: Beside = {}): PeerConfig {
  writeFileSync(path, stringify(fields));
  const file = { file: readPeerFile(path), fileName: path };
  return peerConfig(readOptions(peerOptions, { env, flags, ...file }));
}

test('the least file gives a cluster of one with the limits of every command', () => {
  const config = read(least);
  assert.equal(config.etcd, undefined);
  assert.deepEqual(config.files, []);
  assert.equal(config.common.repo, 'file:///r');
  assert.equal(config.common.password, 'a passphrase');
  assert.equal(config.common.memoryMib, 1024);
  assert.equal(config.segmentBytes, 64 * 1024 * 1024);
});

test('every field of the manual is read, and files are meant from the folder of the file', () => {
  const [cert = '', key = ''] = ['cert', 'key'].map((name) => join(folder, name));
  const made = ['-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=n1', '-keyout', key, '-out', cert];
  execFileSync('openssl', ['req', '-x509', ...made], { stdio: 'ignore' });
  copyFileSync(cert, join(folder, 'ca'));
  const tls = { ca: 'ca', cert: 'cert', key: 'key' };
  const config = read({
    ...{ ...least, insecure: false, tls, advertise: 'n1:7420', metrics: '0.0.0.0:7421' },
    etcd: { endpoints: ['https://e1:2379'], prefix: '/codr', tls },
    access: {
      peers: ['n1', 'n2'],
      certificates: [{ name: 'ops', roles: ['operator'] }],
      tokens: [{ name: 'ci', roles: ['restorer'], sha256: '0'.repeat(64) }],
    },
    auditFile: 'audit.jsonl',
    files: ['/var/lib/cassandra/data', 'here'],
    limits: {
      ...{ memoryMiB: 512, workers: 3, sourceMiBPerSecond: 10, storeConcurrency: 4, segmentMiB: 8 },
      storeMiBPerSecond: 2.5,
    },
    drainSeconds: 5,
    balancerSeconds: 1,
    reflection: true,
  });
  const [text, secret] = [cert, key].map((path) => readFileSync(path, 'utf8'));
  assert.equal(String(config.tls?.cert), text);
  assert.deepEqual(config.etcd?.tls, { ca: text, certificate: text, key: secret });
  assert.deepEqual(config.files, ['/var/lib/cassandra/data', join(folder, 'here')]);
  assert.equal(config.auditFile, join(folder, 'audit.jsonl'));
  assert.equal(config.sourceBytesPerSecond, 10 * 1024 * 1024);
  assert.equal(config.common.workers, 3);
  assert.equal(config.common.storeMibPerSecond, 2.5);
  assert.equal(config.reflection, true);
  const viewers = config.access.certificates.filter(({ roles }) => roles.includes('viewer'));
  assert.deepEqual(
    viewers.map(({ name }) => name),
    ['n1', 'n2'],
  );
});

test('callers and their roles are groups of fields in the file, and texts elsewhere', () => {
  const ops = { name: 'ops', roles: ['operator', 'viewer'] };
  const ci = { name: 'ci', roles: ['restorer'], sha256: 'a'.repeat(64) };
  const file = { certificates: [ops], tokens: [ci] };
  const env = {
    CODR_ACCESS_CERTIFICATES: 'ops=operator+viewer',
    CODR_ACCESS_TOKENS: `ci=restorer:${ci.sha256}`,
  };
  assert.deepEqual(read({ ...least, access: file }).access, { peers: [], ...file });
  assert.deepEqual(read(least, { env }).access, { peers: [], ...file });
  assert.throws(() => read(least, { env: { CODR_ACCESS_CERTIFICATES: 'ops' } }), {
    message: 'CODR_ACCESS_CERTIFICATES "ops": not NAME=ROLE+ROLE, and no group of these fields',
  });
});

test('who calls a peer cannot name the variables that open its repository and store', () => {
  const env = {
    CODR_PASSWORD: 'a',
    AWS_SECRET_ACCESS_KEY: 'b',
    SHOP_PASSWORD: 'c',
    CODR_SHOP: 'd',
  };
  assert.deepEqual(variablesFor(env), { SHOP_PASSWORD: 'c', CODR_SHOP: 'd' });
});

const wrong: readonly (readonly [what: string, fields: object, says: RegExp])[] = [
  [
    'neither TLS nor insecure',
    { insecure: false },
    /peer\.yaml: tls\.ca is missing: only a peer with "insecure: true" does without TLS$/,
  ],
  [
    'TLS beside insecure',
    { tls: { ca: 'x', cert: 'x', key: 'x' } },
    /insecure true: stands beside/,
  ],
  [
    'a certificate without its key',
    { insecure: false, tls: { ca: 'x', cert: 'x' } },
    /tls\.key is missing: an authority, a certificate and its key stand together/,
  ],
  ['etcd without a member', { etcd: { prefix: '/codr' } }, /etcd\.endpoints is missing/],
  ['a section without its fields', { limits: null }, /limits: not a group of fields/],
  ['an empty field', { limits: { sourceMiBPerSecond: null } }, /sourceMiBPerSecond: empty/],
  ['a text that is a number', { name: 7 }, /name 7: not a text/],
  ['a list that is none', { files: '/data' }, /files: not a list/],
  [
    'a role that is none',
    { access: { certificates: [{ name: 'ops', roles: ['root'] }] } },
    /access\.certificates .*: roles\.0: not one of viewer, operator, restorer, admin/,
  ],
  [
    'half a digest',
    { access: { tokens: [{ name: 'ci', roles: ['admin'], sha256: '00' }] } },
    /access\.tokens .*: sha256: not 64 hexadecimal digits/,
  ],
  ['a field that is none', { lisen: 'x' }, /lisen/],
  [
    'an address without a port',
    { listen: 'localhost' },
    /peer\.yaml: listen "localhost": not host:port/,
  ],
  [
    'a port that is none',
    { metrics: 'localhost:74210' },
    /peer\.yaml: metrics "localhost:74210": a port above 65535/,
  ],
  [
    'many peers, and an address that is none of a peer',
    { listen: '0.0.0.0:7420', etcd: { endpoints: ['http://e:2379'] } },
    /peer\.yaml: advertise is missing: the other peers reach nobody/,
  ],
  [
    'an address for others that is none',
    { advertise: '[::]:7420', etcd: { endpoints: ['http://e:2379'] } },
    /peer\.yaml: advertise "\[::\]:7420": the other peers reach nobody/,
  ],
  ['a limit of the wrong kind', { limits: { workers: 0 } }, /limits\.workers/],
  ['no repository', { repository: undefined }, /repository/],
  [
    'a file of a passphrase that is not there',
    { repository: { url: 'x', passwordFile: 'gone' } },
    /peer\.yaml: repository\.passwordFile: the file .*gone cannot be read/,
  ],
  [
    'certificates that are none',
    { insecure: false, tls: { ca: 'peer.yaml', cert: 'peer.yaml', key: 'peer.yaml' } },
    /peer\.yaml are no authority, certificate and key that belong together/,
  ],
  [
    'a file that is not there',
    { insecure: false, tls: { ca: 'x', cert: 'x', key: 'x' } },
    /x cannot/,
  ],
];
for (const [what, fields, says] of wrong) {
  test(`a peer's file with ${what} is refused by name`, () => {
    assert.throws(
      () => read({ ...least, ...fields }),
      (error) =>
        isCodrError(error, 'config-invalid') && says.test(error.message) && error.exitCode === 2,
    );
  });
}
