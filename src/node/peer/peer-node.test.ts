// A peer without etcd, in this process: what it serves, and what it says when it stops.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Authority } from '../../../test/api/certificates.ts';
import { silentLogger } from '../../base/log.ts';
import { connect } from '../client.ts';
import { loadConfig } from '../config.ts';
import { readOptions } from '../config-option.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';
import { TemporarySpill } from '../temporary-spill.ts';
import { peerConfig } from './peer-config.ts';
import { readPeerFile } from './peer-file.ts';
import { PeerNode } from './peer-node.ts';
import { peerOptions } from './peer-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-peer-node-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const call = { signal: new AbortController().signal };
const world = {
  clock: systemClock,
  random: systemRandom,
  spill: new TemporarySpill(folder),
  log: silentLogger,
  audit: silentLogger,
};

test('a peer alone is ready, coordinates itself, owns all slots, and is not ready while it stops', async () => {
  const url = join(folder, 'repository');
  await using node = await EmbeddedNode.open(loadConfig({ repo: url }, {}), world);
  await node.init({ encryption: false }, call);
  const path = join(folder, 'peer.yaml');
  const [listen, metrics] = ['127.0.0.1:0', await freeAddress()];
  const times = { drainSeconds: 1, balancerSeconds: 1 };
  const config = { name: 'n1', listen, metrics, insecure: true, repository: { url }, ...times };
  writeFileSync(path, JSON.stringify(config));
  const options = readOptions(peerOptions, { flags: {}, env: {}, file: readPeerFile(path) });
  const peer = await PeerNode.start(peerConfig(options), world, {});
  const ready = async (): Promise<number> => (await fetch(`http://${metrics}/readyz`)).status;
  assert.equal(await ready(), 200);
  assert.equal((await fetch(`http://${metrics}/healthz`)).status, 200);
  assert.equal((await fetch(`http://${metrics}/elsewhere`)).status, 404);
  await using api = connect({ address: peer.address, tls: 'insecure' });
  let status = await api.status({}, call);
  for (let i = 0; i < 100 && status.peers[0]?.slots !== 4096; i++) {
    await systemClock.sleep(50);
    status = await api.status({}, call);
  }
  assert.deepEqual(
    status.peers.map(({ name, state, slots, ownsPercent }) => [name, state, slots, ownsPercent]),
    [['n1', 'up', 4096, 100]],
  );
  assert.equal(status.coordinator, 'n1');
  await api.collect({ dryRun: false }, call);
  const figures = await (await fetch(`http://${metrics}/metrics`)).text();
  assert.match(figures, /^codr_operations_running 0$/m);
  const stopping = peer[Symbol.asyncDispose]();
  assert.equal(await ready(), 503);
  await stopping;
  await assert.rejects(() => fetch(`http://${metrics}/healthz`));
});

test('certificates whose files are replaced are used for new connections, and old ones until the files are whole', async () => {
  using authority = new Authority();
  using later = new Authority('a later authority');
  const url = join(folder, 'renewed');
  await using node = await EmbeddedNode.open(loadConfig({ repo: url }, {}), world);
  await node.init({ encryption: false }, call);
  authority.sign('n1');
  const [ca, cert, key] = ['ca.pem', 'n1.pem', 'n1.key'].map((file) => authority.path(file));
  const tls = { ca, cert, key };
  const access = { tokens: [{ name: 'ann', roles: ['admin'], sha256: sha256('open') }] };
  const times = { drainSeconds: 0, balancerSeconds: 0 };
  const path = join(folder, 'renewed.yaml');
  const config = { name: 'n1', listen: '127.0.0.1:0', repository: { url }, tls, access, ...times };
  writeFileSync(path, JSON.stringify(config));
  const options = readOptions(peerOptions, { flags: {}, env: {}, file: readPeerFile(path) });
  // Minutes are short here.
  const sleep = (ms: number, signal?: AbortSignal) =>
    systemClock.sleep(ms === 60_000 ? 5 : ms, signal);
  const told: string[] = [];
  const log = { ...silentLogger, warn: (_: object, line: string) => void told.push(line) };
  const clock = { ...systemClock, sleep };
  await using peer = await PeerNode.start(peerConfig(options), { ...world, clock, log }, {});
  const ask = async (by: Authority) => {
    await using api = connect({ address: peer.address, tls: { ca: by.ca }, token: 'open' });
    return (await api.listSources(call)).sources.length;
  };
  assert.equal(await ask(authority), 0);
  const renewed = later.sign('n1');
  writeFileSync(cert as string, renewed.cert);
  while (!told.some((line) => line.includes('not renewed'))) await systemClock.sleep(5);
  assert.equal(await ask(authority), 0);
  writeFileSync(key as string, renewed.key);
  const isRenewed = (): Promise<boolean> =>
    ask(later).then(
      () => true,
      () => false,
    );
  while (!(await isRenewed()));
  await assert.rejects(ask(authority));
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((done) => server.close(() => done()));
  return `127.0.0.1:${port}`;
}
