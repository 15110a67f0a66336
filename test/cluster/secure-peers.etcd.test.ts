// Peers with certificates, for each other, for etcd and for clients: who may do what, and what is written down.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { AuditEntry } from '../../src/api/audit-log.ts';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { isCodrError } from '../../src/base/error.ts';
import { silentLogger } from '../../src/base/log.ts';
import { type ConnectOptions, connect } from '../../src/node/client.ts';
import { readOptions } from '../../src/node/config-option.ts';
import { peerConfig } from '../../src/node/peer/peer-config.ts';
import { readPeerFile } from '../../src/node/peer/peer-file.ts';
import { PeerNode } from '../../src/node/peer/peer-node.ts';
import { peerOptions } from '../../src/node/peer/peer-options.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemRandom } from '../../src/node/system-random.ts';
import { TemporarySpill } from '../../src/node/temporary-spill.ts';
import { Authority } from '../api/certificates.ts';
import { EtcdCluster } from '../harness/etcd.ts';
import { call, embedded, freePort, until } from './peers.ts';

const token = 'token-of-a-pipeline';
const authority = new Authority();
const stranger = new Authority('another authority');
const peers: PeerNode[] = [];
let etcd: EtcdCluster;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-secure-'));
  etcd = await EtcdCluster.start({ members: 1, tls: true });
  await etcd.healthy();
  const own = await etcd.certificate('codr');
  for (const [name, text] of Object.entries(own)) await writeFile(join(folder, `e-${name}`), text);
  const url = join(folder, 'repository');
  await using node = await embedded(url, folder);
  await node.init({ encryption: true }, call);
  await writeFile(join(folder, 'password'), 'a passphrase');
  await writeFile(join(folder, 'ca'), authority.ca);
  for (const name of ['n1', 'n2']) peers.push(await start(name, url));
});
after(async () => {
  for (const peer of peers) await peer[Symbol.asyncDispose]();
  await etcd?.[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

async function start(name: string, url: string): Promise<PeerNode> {
  const { cert, key } = authority.sign(`peer-${name}`);
  await writeFile(join(folder, `${name}.pem`), cert);
  await writeFile(join(folder, `${name}.key`), key);
  const config = {
    ...{ name, listen: `127.0.0.1:${await freePort()}`, drainSeconds: 2, balancerSeconds: 0 },
    repository: { url, passwordFile: 'password' },
    etcd: {
      endpoints: etcd.endpoints,
      prefix: '/codr',
      tls: { ca: 'e-ca', cert: 'e-certificate', key: 'e-key' },
    },
    tls: { ca: 'ca', cert: `${name}.pem`, key: `${name}.key` },
    access: {
      peers: ['peer-n1', 'peer-n2'],
      certificates: [{ name: 'ops', roles: ['admin'] }],
      tokens: [
        {
          name: 'pipeline',
          roles: ['viewer'],
          sha256: createHash('sha256').update(token).digest('hex'),
        },
      ],
    },
    auditFile: `${name}.audit`,
  };
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, JSON.stringify(config));
  const options = readOptions(peerOptions, { flags: {}, env: {}, file: readPeerFile(path) });
  const world = {
    clock: systemClock,
    random: systemRandom,
    spill: new TemporarySpill(folder),
    log: silentLogger,
    audit: silentLogger,
  };
  return await PeerNode.start(peerConfig(options), world, {});
}

const client = (peer: number, security: Omit<ConnectOptions, 'address'>): CodrApi =>
  connect({ address: peers[peer]?.address ?? '', ...security });

const ops = () => {
  const { cert, key } = authority.sign('ops');
  return { tls: { ca: authority.ca, cert, key } };
};

async function audited(name: string): Promise<AuditEntry[]> {
  const text = await readFile(join(folder, `${name}.audit`), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as AuditEntry);
}

test('peers find each other, and an operation of one is seen through the other', async () => {
  await using first = client(0, ops());
  await using second = client(1, ops());
  await until(
    async () => (await second.status({}, call)).peers.every(({ slots = 0 }) => slots > 0),
    { within: 20_000, what: 'slots are placed on both peers' },
  );
  const { peers: shown } = await first.status({}, call);
  assert.deepEqual(
    shown.map(({ name, state }) => [name, state]),
    [
      ['n1', 'up'],
      ['n2', 'up'],
    ],
  );
  await first.collect({ dryRun: false }, call);
  const { operations } = await second.listOperations({ running: false }, call);
  assert.deepEqual(
    operations.map(({ kind, state, by }) => [kind, state, by]),
    [['collect', 'done', 'ops']],
  );
  const entries = await audited('n1');
  assert.deepEqual(
    entries.map(({ by, action, outcome }) => [by, action, outcome]),
    [
      ['ops', 'collect', 'begun'],
      ['ops', 'collect', 'done'],
    ],
  );
});

test('a token opens what its roles allow, and what it is refused is written down', async () => {
  await using viewer = client(0, { tls: { ca: authority.ca }, token });
  assert.deepEqual((await viewer.listSources(call)).sources, []);
  await assert.rejects(
    () => viewer.collect({ dryRun: true }, call),
    (error) =>
      isCodrError(error, 'access-denied') && /pipeline may not collect/.test(error.message),
  );
  const last = (await audited('n1')).at(-1);
  assert.deepEqual([last?.by, last?.action, last?.outcome], ['pipeline', 'collect', 'refused']);
  const text = await readFile(join(folder, 'n1.audit'), 'utf8');
  assert.ok(!text.includes(token));
});

test('nobody is let in by a wrong token, without proof, or by a certificate of another authority', async () => {
  const { cert, key } = stranger.sign('ops');
  const strangers = [
    { tls: { ca: authority.ca }, token: 'wrong' },
    { tls: { ca: authority.ca } },
    { tls: { ca: authority.ca, cert, key } },
  ];
  for (const security of strangers) {
    await using api = client(1, security);
    await assert.rejects(
      () => api.listSources(call),
      (error) => isCodrError(error, 'access-denied') || isCodrError(error, 'peer-unreachable'),
    );
  }
  // An honest client does not take another authority's peer for ours.
  await using wary = client(1, { tls: { ca: stranger.ca }, token });
  await assert.rejects(
    () => wary.listSources(call),
    (error) => isCodrError(error, 'peer-unreachable'),
  );
});
