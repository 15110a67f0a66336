// Who reaches what: certificates, tokens, roles, and the log of what was done.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { type AccessRules, authoriseBy } from '../../src/api/access.ts';
import type { AuditEntry } from '../../src/api/audit-log.ts';
import { PeerLink } from '../../src/api/client/peer-link.ts';
import type { RemoteApi, RemoteOptions } from '../../src/api/client/remote-api.ts';
import { type Answer, fakeApi, untilStopped } from '../../src/api/fake-api.fixture.ts';
import { HeldCertificates } from '../../src/api/grpc/held-certificates.ts';
import { type Served, type ServeOptions, serve } from '../../src/api/grpc/serve.ts';
import { LocalOperations } from '../../src/api/local-operations.ts';
import { CodrError, isCodrError } from '../../src/base/error.ts';
import { Authority } from './certificates.ts';
import { commandLine } from './command-line.ts';
import { calm, clientOf, localOptions, openServe } from './world.ts';

const authority = new Authority();
const stranger = new Authority('another authority');
after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});
const [server, ann, bob, n2] = ['server', 'ann', 'bob', 'n2'].map((name) => authority.sign(name));
const mallory = stranger.sign('ann');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const rules: AccessRules = {
  certificates: [{ name: 'ann', roles: ['admin'] }],
  tokens: [
    { name: 'looker', roles: ['viewer'], sha256: sha256('looking') },
    { name: 'night', roles: ['operator'], sha256: sha256('working') },
    { name: 'giver', roles: ['restorer'], sha256: sha256('giving') },
  ],
  peers: ['n2'],
};
const tls = { ca: authority.ca };
const denied = (error: unknown): boolean =>
  isCodrError(error, 'access-denied') && error.exitCode === 8;
const backup = { source: 'shop', follow: false };

interface Guarded extends AsyncDisposable {
  readonly served: Served;
  readonly audit: AuditEntry[];
  readonly api: ReturnType<typeof fakeApi>;
  client(options: Partial<RemoteOptions>): RemoteApi;
}

async function guarded(answer: Answer, options: Partial<ServeOptions> = {}): Promise<Guarded> {
  const api = fakeApi(answer);
  const operations = new LocalOperations(api, localOptions);
  const audit: AuditEntry[] = [];
  const served = await serve({
    ...openServe({ api, operations }, audit),
    credentials: { ca: authority.ca, cert: server?.cert as Buffer, key: server?.key as Buffer },
    authorise: authoriseBy(rules),
    ...options,
  });
  const clients: RemoteApi[] = [];
  return {
    served,
    audit,
    api,
    client(parts) {
      const made = clientOf(served, { tls, ...parts });
      clients.push(made);
      return made;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
      await operations[Symbol.asyncDispose]();
      await served.close({ drainMs: 100 });
    },
  };
}

test('a certificate of our authority lets in who the rules name, and nobody else', async () => {
  await using world = await guarded(async () => ({ sources: [] }));
  const named = world.client({ tls: { ...tls, ...ann } });
  assert.deepEqual(await named.listSources(calm), { sources: [] });
  const unnamed = world.client({ tls: { ...tls, ...bob } });
  await assert.rejects(unnamed.listSources(calm), denied);
  await assert.rejects(world.client({}).listSources(calm), denied);
  assert.equal(world.api.asked.length, 1);
});

test('a certificate of another authority proves nothing, whatever name is in it', async () => {
  await using world = await guarded(async () => ({ sources: [] }));
  const forged = world.client({ tls: { ...tls, ...mallory } });
  await assert.rejects(forged.listSources(calm), (error) => isCodrError(error));
  assert.equal(world.api.asked.length, 0);
});

test('a server of another authority is not talked to, and gets no token', async () => {
  await using world = await guarded(async () => ({ sources: [] }));
  const careful = world.client({ tls: { ca: stranger.ca }, token: 'working' });
  await assert.rejects(
    careful.listSources(calm),
    (error) => isCodrError(error, 'peer-unreachable') && error.remedy.includes('--ca'),
  );
  assert.deepEqual(world.audit, []);
});

test('a server whose certificate is for another address is not talked to', async () => {
  const other = authority.sign('elsewhere', 'IP:127.0.0.2,DNS:elsewhere.example');
  const credentials = { ca: authority.ca, cert: other.cert, key: other.key };
  await using world = await guarded(async () => ({ sources: [] }), { credentials });
  const careful = world.client({ token: 'looking' });
  await using byName = clientOf({ address: `localhost:${world.served.port}` }, { tls });
  const tries = [careful, byName].map((client) =>
    assert.rejects(
      client.listSources(calm),
      (error) => isCodrError(error, 'peer-unreachable') && error.remedy.includes('--node'),
    ),
  );
  await Promise.all(tries);
});

test('where a certificate is required a token alone is not even heard', async () => {
  const own = { ca: authority.ca, cert: server?.cert as Buffer, key: server?.key as Buffer };
  const strict = { credentials: { ...own, certificateRequired: true } };
  await using world = await guarded(async () => ({ sources: [] }), strict);
  const token = world.client({ token: 'looking' });
  await assert.rejects(token.listSources(calm), (error) => isCodrError(error, 'peer-unreachable'));
  const both = world.client({ tls: { ...tls, ...bob }, token: 'looking' });
  assert.deepEqual(await both.listSources(calm), { sources: [] });
});

test('a token has the rights of its role, whatever certificate comes with it', async () => {
  await using world = await guarded(async () => ({ sources: [] }));
  const viewer = world.client({ token: 'looking', tls: { ...tls, ...ann } });
  assert.deepEqual(await viewer.listSources(calm), { sources: [] });
  await assert.rejects(viewer.backup(backup, calm), (error) => {
    assert.ok(isCodrError(error, 'access-denied'));
    assert.match(error.message, /^looker may not backup: it needs operator or admin$/);
    return true;
  });
  await assert.rejects(world.client({ token: 'guessed' }).listSources(calm), denied);
  assert.deepEqual(
    world.api.asked.map(({ method }) => method),
    ['listSources'],
  );
});

test('each kind of operation needs the role of what it does; giving up what is lost needs admin', async () => {
  await using world = await guarded(async () => ({
    ...{ packs: 0, commits: 0, bytesRead: 0, problems: [], givenUp: [], seconds: 0 },
  }));
  const operator = world.client({ token: 'working' });
  const look = { readDataPercent: 0, repair: false };
  assert.equal((await operator.check(look, calm)).packs, 0);
  await assert.rejects(operator.check({ ...look, repair: true }, calm), denied);
  await assert.rejects(world.client({ token: 'giving' }).check(look, calm), denied);
  const admin = world.client({ tls: { ...tls, ...ann } });
  assert.equal((await admin.check({ ...look, repair: true }, calm)).packs, 0);
});

test('whoever may do a thing may cancel it, and nobody else', async () => {
  await using world = await guarded(untilStopped);
  const operator = world.client({ token: 'working' });
  const running = assert.rejects(operator.backup(backup, calm), (error) =>
    isCodrError(error, 'interrupted'),
  );
  while (world.api.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [{ id = '' } = {}] = (await operator.listOperations({ running: true }, calm)).operations;
  await assert.rejects(world.client({ token: 'giving' }).cancelOperation({ id }, calm), denied);
  await assert.rejects(world.client({ token: 'looking' }).cancelOperation({ id }, calm), denied);
  assert.equal((await operator.cancelOperation({ id }, calm)).cancelling, true);
  await running;
});

test('what changes something is written down before and after, what is refused too, looking is not', async () => {
  await using world = await guarded(async ({ method }) => {
    if (method === 'listSources') return { sources: [] };
    return { id: 's', kind: 'passphrase', protection: 'p' };
  });
  const admin = world.client({ tls: { ...tls, ...ann } });
  await admin.listSources(calm);
  await admin.addKey({ passphrase: 'open sesame' }, calm);
  await assert.rejects(world.client({ token: 'looking' }).removeKey({ id: 's' }, calm), denied);
  await assert.rejects(world.client({ token: 'open sesame' }).removeKey({ id: 's' }, calm), denied);
  const told = world.audit.map(({ by, action, outcome }) => [by, action, outcome]);
  assert.deepEqual(told, [
    ['ann', 'key-add', 'begun'],
    ['ann', 'key-add', 'done'],
    ['looker', 'key-remove', 'refused'],
    [undefined, 'key-remove', 'refused'],
  ]);
  assert.doesNotMatch(JSON.stringify(world.audit), /sesame/);
  assert.match(world.audit[0]?.from ?? '', /^127\.0\.0\.1:\d+$/);
});

test('an operation is written down with its key and its id, and a failed call with its code', async () => {
  await using world = await guarded(untilStopped);
  const admin = world.client({ tls: { ...tls, ...ann } });
  const stop = new AbortController();
  const running = assert.rejects(admin.backup(backup, { signal: stop.signal }));
  while (world.api.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('enough'));
  await running;
  await assert.rejects(admin.cancelOperation({ id: 'none' }, calm));
  const [begun, done] = world.audit;
  assert.deepEqual([begun?.action, begun?.source, begun?.operation], ['backup', 'shop', undefined]);
  assert.match(begun?.idempotencyKey ?? '', /^[0-9a-f]{32}$/);
  assert.equal(done?.idempotencyKey, begun?.idempotencyKey);
  assert.match(done?.operation ?? '', /^[0-9a-f]{16}$/);
  const last = world.audit.at(-1);
  assert.deepEqual(
    [last?.action, last?.operation, last?.outcome, last?.code],
    ['cancel', 'none', 'failed', 'operation-unknown'],
  );
});

test('nothing is done that cannot be written down', async () => {
  const audit = {
    append: async (): Promise<void> => {
      throw new Error('no space left');
    },
  };
  await using world = await guarded(async () => ({ sources: [] }), { audit });
  const admin = world.client({ tls: { ...tls, ...ann } });
  await assert.rejects(admin.addKey({ passphrase: 'x' }, calm), /no space left/);
  assert.deepEqual(await admin.listSources(calm), { sources: [] });
  assert.equal(world.api.asked.length, 1);
});

test('what was done is told as done though the log is full by then, which gets it when it has room', async () => {
  const written: AuditEntry[] = [];
  let room = 1;
  const audit = {
    append: async (entry: AuditEntry): Promise<void> => {
      if (room-- <= 0) throw new Error('no space left');
      written.push(entry);
    },
  };
  await using world = await guarded(
    async ({ request }) => {
      const { passphrase } = request as { passphrase: string };
      if (passphrase === 'bad') throw new CodrError('key-last', 'it is refused');
      return { id: 's', kind: 'passphrase', protection: 'p' };
    },
    { audit },
  );
  const admin = world.client({ tls: { ...tls, ...ann } });
  assert.equal((await admin.addKey({ passphrase: 'x' }, calm)).id, 's');
  await assert.rejects(admin.addKey({ passphrase: 'x' }, calm), /no space left/);
  assert.equal(world.api.asked.length, 1, 'nothing more is done meanwhile');
  room = 2;
  const refused = admin.addKey({ passphrase: 'bad' }, calm);
  await assert.rejects(refused, (error) => isCodrError(error, 'key-last'));
  room = 9;
  await admin.addKey({ passphrase: 'y' }, calm);
  assert.deepEqual(
    written.map(({ outcome }) => outcome),
    ['begun', 'done', 'begun', 'failed', 'begun', 'done'],
  );
});

test('peers talk to each other by their certificates, and to nobody else', async () => {
  const peer = {
    lookUp: async (batch: Uint8Array) => batch.map((byte) => byte + 1),
    where: async (batch: Uint8Array) => batch.map((byte) => byte + 2),
    ping: async () => ({ name: 'n1', epoch: 7 }),
  };
  await using world = await guarded(async () => ({ sources: [] }), { peer });
  const { address } = world.served;
  const { clock } = localOptions;
  using link = new PeerLink({ address, clock, tls: { ...tls, ...n2 } });
  const batch = Uint8Array.of(1, 2, 3);
  assert.deepEqual([...(await link.lookUp(batch, calm.signal))], [2, 3, 4]);
  assert.deepEqual([...(await link.where(batch, calm.signal))], [3, 4, 5]);
  const news = { name: 'n2', epoch: 6 };
  assert.deepEqual(await link.ping(news, calm.signal), { name: 'n1', epoch: 7 });
  assert.deepEqual(await link.operations.list(), []);
  using admin = new PeerLink({ address, clock, tls: { ...tls, ...ann } });
  await assert.rejects(admin.ping(news, calm.signal), denied);
  const asClient = world.client({ tls: { ...tls, ...n2 } });
  await assert.rejects(asClient.listSources(calm), denied);
});

test('certificates are renewed without a new start', async () => {
  await using world = await guarded(async () => ({ sources: [] }));
  const before = world.client({ token: 'looking' });
  await before.listSources(calm);
  const renewed = stranger.sign('server');
  world.served.renew({ ca: authority.ca, cert: renewed.cert, key: renewed.key });
  const newcomer = world.client({ token: 'looking', tls: { ca: stranger.ca } });
  assert.deepEqual(await newcomer.listSources(calm), { sources: [] });
  assert.deepEqual(await before.listSources(calm), { sources: [] });
});

test('a peer proves itself by the certificates that it holds now, to whom it knows by them', async () => {
  const peer = {
    lookUp: async (batch: Uint8Array) => batch,
    where: async (batch: Uint8Array) => batch,
    ping: async () => ({ name: 'n1', epoch: 7 }),
  };
  await using world = await guarded(async () => ({ sources: [] }), { peer });
  const first = { ca: authority.ca, cert: n2?.cert as Buffer, key: n2?.key as Buffer };
  const held = new HeldCertificates(first);
  const target = { address: world.served.address, clock: localOptions.clock, tls: first, held };
  const ping = async (): Promise<number> => {
    using link = new PeerLink(target);
    return (await link.ping({ name: 'n2', epoch: 6 }, calm.signal)).epoch;
  };
  assert.equal(await ping(), 7);
  world.served.renew({ ca: stranger.ca, ...stranger.sign('server') });
  await assert.rejects(ping(), (error) => isCodrError(error, 'peer-unreachable'));
  held.hold({ ca: stranger.ca, ...stranger.sign('n2') });
  assert.equal(await ping(), 7);
});

test('the command line proves itself by the files that its options name', async () => {
  await using world = await guarded(async () => ({ sources: [] }));
  const { address } = world.served;
  const env = { CODR_NODE: address, CODR_CA: authority.path('ca.pem') };
  const [cert, key] = [authority.path('ann.pem'), authority.path('ann.key')];
  writeFileSync(authority.path('token'), 'looking\n');
  const list = ['source', 'list', '--json'];
  for (const [args, more, code] of [
    [['--cert', cert, '--key', key], {}, 0],
    [['--token-file', authority.path('token')], {}, 0],
    [[], { CODR_TOKEN: 'looking' }, 0],
    [[], { CODR_TOKEN: 'guessed' }, 8],
    [[], {}, 8],
    [['--cert', cert], {}, 2],
    [['--insecure'], {}, 2],
  ] as const) {
    const ran = await commandLine([...list, ...args], { ...env, ...more });
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.stdout}${ran.stderr}`);
    if (code === 0) assert.deepEqual(JSON.parse(ran.stdout), { sources: [] });
    assert.doesNotMatch(ran.stdout + ran.stderr, /looking|guessed/);
  }
});

test('a token does not travel unencrypted to another machine', () => {
  const security = { tls: 'insecure', token: 'working' } as const;
  assert.throws(
    () => clientOf({ address: 'db1.example:7420' }, security),
    (error) => isCodrError(error, 'config-invalid'),
  );
  assert.doesNotThrow(() => clientOf({ address: '127.0.0.1:7420' }, security));
});

test('a certificate without its key, or one that is none, is refused at once', () => {
  const address = { address: 'n1:7420' };
  const wrong = (error: unknown): boolean => isCodrError(error, 'config-invalid');
  assert.throws(() => clientOf(address, { tls: { cert: ann?.cert as Buffer } }), wrong);
  const garbage = { cert: Buffer.from('x'), key: Buffer.from('y') };
  assert.throws(() => clientOf(address, { tls: garbage }), wrong);
});
