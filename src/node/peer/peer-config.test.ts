import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import { isCodrError } from '../../base/error.ts';
import { readPeerConfig } from './peer-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-peer-config-'));
after(() => rmSync(folder, { recursive: true }));

const least = {
  name: 'n1',
  listen: '127.0.0.1:7420',
  insecure: true,
  repository: { url: 'file:///r', passwordFile: 'secret' },
};
writeFileSync(join(folder, 'secret'), 'a passphrase\n');

function read(fields: object) {
  const path = join(folder, 'peer.yaml');
  writeFileSync(path, stringify(fields));
  return readPeerConfig(path, {});
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
  assert.equal(config.reflection, true);
  const viewers = config.access.certificates.filter(({ roles }) => roles.includes('viewer'));
  assert.deepEqual(
    viewers.map(({ name }) => name),
    ['n1', 'n2'],
  );
});

const wrong: readonly (readonly [what: string, fields: object, says: RegExp])[] = [
  ['neither TLS nor insecure', { insecure: false }, /tls: missing; only a peer with "insecure/],
  ['a field that is none', { lisen: 'x' }, /lisen/],
  ['an address without a port', { listen: 'localhost' }, /listen: not host:port/],
  ['a limit of the wrong kind', { limits: { workers: 0 } }, /limits\.workers/],
  ['no repository', { repository: undefined }, /repository/],
  [
    'a file of a passphrase that is not there',
    { repository: { url: 'x', passwordFile: 'gone' } },
    /^repository\.passwordFile: the file .*gone cannot be read/,
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
