// Access control and TLS from end to end, with the program as its users run it: the least roles that
// docs/reference/roles.md names, passwords from files, X.509.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Document, MongoClient } from 'mongodb';
import { startTestSet, type TestSet } from '../harness/mongod.ts';
import { CodrProgram } from './codr-program.ts';
import { fill, rows } from './disturb.ts';
import { assertSame, look } from './oracle.ts';

let source: TestSet;
let target: TestSet;
let codr: CodrProgram;
before(async () => {
  [source, target, codr] = await Promise.all([
    startTestSet({ auth: true, tls: true }),
    startTestSet({ auth: true, tls: true }),
    CodrProgram.create(),
  ]);
  await fill(clientOf(source), 'shop.orders', rows(500, 100));
  await clientOf(source).db('shop').collection('orders').createIndex({ n: 1 });
  await clientOf(source).db('shop').createCollection('view', { viewOn: 'orders', pipeline: [] });
  await addUser(source, 'capture', ['backup', 'clusterMonitor']);
  await addUser(source, 'weak', ['readAnyDatabase']);
  await addUser(target, 'give', ['restore', 'backup']);
  await addUser(target, 'weak', ['readWriteAnyDatabase']);
});
after(async () => {
  await codr?.[Symbol.asyncDispose]();
  await source?.set.stop();
  await target?.set.stop();
});

const clientOf = ({ set }: TestSet): MongoClient => set.clients[0] as MongoClient;
const passwordOf = (user: string): string => `p@ss/word of ${user}`;

async function addUser(where: TestSet, user: string, roles: string[]): Promise<void> {
  const command: Document = { createUser: user, pwd: passwordOf(user), roles };
  await clientOf(where).db('admin').command(command);
}

function uriOf(where: TestSet, user: string, password = passwordOf(user)): string {
  const uri = where.set.uriAs({ user, password });
  return `${uri}&tls=true&tlsCAFile=${encodeURIComponent(where.caFile ?? '')}`;
}

test('the least roles suffice over TLS for backup, follow, verify and restore', async () => {
  await codr.run('source', 'add', 'least', uriOf(source, 'capture'));
  const { findings } = (await codr.run('source', 'check', 'least')).json;
  assert.deepEqual(
    findings.filter(({ level }: Document) => level === 'error'),
    [],
  );
  await codr.run('backup', 'least');
  const child = codr.start('backup', 'least', '--follow', '--rpo', '1s');
  await child.told('"phase":"following"');
  await fill(clientOf(source), 'shop.late', rows(50));
  const end = await child.interrupt();
  assert.equal(end.code, 0, end.stderr);
  // What was written just before the interrupt may not have been heard yet.
  await codr.run('backup', 'least');
  const verified = await codr.run('verify', 'least', '--against', uriOf(source, 'capture'));
  assert.equal(verified.json.datasets[0].verdict, 'equal');
  await codr.run('restore', 'least', '--to', uriOf(target, 'give'));
  assertSame(await look(clientOf(target)), await look(clientOf(source)), 'restored');
  await clientOf(target).db('shop').collection('orders').deleteMany({ n: 3 });
  await codr.run('restore', 'least', '--to', uriOf(target, 'give'), '--drop');
  assertSame(await look(clientOf(target)), await look(clientOf(source)), 'restored again');
});

test('rights that do not suffice are named before anything is written', async () => {
  const added = await codr.tryRun('source', 'add', 'weak', uriOf(source, 'weak'));
  const check = added.code === 0 ? await codr.tryRun('source', 'check', 'weak') : added;
  assert.match(JSON.stringify(check.json), /backup|clusterMonitor/);
  if (added.code === 0) assert.equal((await codr.tryRun('backup', 'weak')).code, 9);
  const refused = await codr.tryRun('restore', 'least', '--to', uriOf(target, 'weak'), '--drop');
  assert.equal(refused.code, 5, JSON.stringify(refused.json));
  assert.equal(refused.json.error.code, 'target-rights');
});

test('a wrong password, a missing one and a server that TLS does not trust are errors of their own', async () => {
  const wrong = await codr.tryRun('source', 'add', 'x', uriOf(source, 'capture', 'wrong'));
  assert.equal(wrong.code, 9);
  assert.equal(wrong.json.error.code, 'source-rights');
  const bare = uriOf(source, 'capture')
    .replace(/tlsCAFile=[^&]*/, 'a=b')
    .replace('&a=b', '');
  const untrusted = await codr.tryRun('source', 'add', 'x', bare);
  assert.equal(untrusted.code, 9);
  for (const { json, stderr } of [wrong, untrusted]) {
    assert.doesNotMatch(JSON.stringify(json) + stderr, /p@ss|p%40ss/);
  }
});

test('a password outside the repository is read from its file at each use', async () => {
  const file = join(codr.folder, 'password');
  await writeFile(file, `${passwordOf('capture')}\n`);
  const bare = uriOf(source, 'capture').replace(/:p%40ss[^@]*@/, '@');
  await codr.run('source', 'add', 'filed', bare, '--source-password-file', file);
  await codr.run('backup', 'filed');
  await writeFile(file, 'no longer right');
  assert.equal((await codr.tryRun('backup', 'filed')).json.error.code, 'source-rights');
});

test('a client certificate stands for the user', async () => {
  const folder = dirname(source.caFile ?? '');
  const run = promisify(execFile);
  const openssl = async (line: string): Promise<unknown> =>
    await run('openssl', line.split(' '), { cwd: folder });
  await openssl('req -newkey rsa:2048 -nodes -subj /CN=codr/OU=backup -keyout c.key -out c.csr');
  await openssl('x509 -req -in c.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out c.crt');
  await run('sh', ['-c', 'cat c.crt c.key > c.pem'], { cwd: folder });
  await clientOf(source)
    .db('$external')
    .command({
      createUser: 'OU=backup,CN=codr',
      roles: ['backup', 'clusterMonitor'].map((role) => ({ role, db: 'admin' })),
    });
  const options = [
    'authMechanism=MONGODB-X509',
    'authSource=%24external',
    'tls=true',
    `tlsCAFile=${encodeURIComponent(source.caFile ?? '')}`,
    `tlsCertificateKeyFile=${encodeURIComponent(join(folder, 'c.pem'))}`,
  ];
  const bare = source.set.uriAs(undefined);
  await codr.run('source', 'add', 'certified', `${bare}&${options.join('&')}`);
  const { json } = await codr.run('backup', 'certified');
  assert.ok(json.records >= 550, `${json.records} records`);
});
