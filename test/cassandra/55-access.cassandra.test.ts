// 55: a server that asks who is there: roles, client TLS with certificates of its own, logins of Jolokia and of JMX,
// masked columns, guardrails. CODR works with a role of least rights, says which one lacks, and no secret is kept or
// shown.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { auth } from 'cassandra-driver';
import { stringify } from 'yaml';
import { jvmFlags } from '../../src/node/demo/cassandra-jvm.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import {
  cassandraProgram,
  connectCql,
  startCassandra,
  type TestClient,
} from '../harness/cassandra.ts';
import { archiveFlags } from '../harness/class-archive.ts';
import { CodrProgram } from '../mongodb/codr-program.ts';
import { oneReplica, rowsOf, sayAll } from './catalogue.ts';
import { assertSameRows, seen } from './oracle.ts';

const run = promisify(execFile);
const passwordMs = 60_000;
/** Of the role, of the agent, of JMX: nothing that anything else would hold by chance. */
const secrets = { cql: `c'q l%${hex()}`, jmx: `jmx${hex()}`, rmi: `rmi${hex()}` } as const;

let folder: string;
let cluster: CassandraCluster;
let admin: TestClient;
let codr: CodrProgram;
let control: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-access-'));
  await makeCertificates();
  await writeFile(join(folder, 'cql.password'), `${secrets.cql}\n`);
  await writeFile(join(folder, 'jmx.password'), `${secrets.jmx}\n`);
  // The server and nodetool know one form of such a file; a server takes none that others can read.
  await writeFile(join(folder, 'rmi.logins'), `operator ${secrets.rmi}\n`, { mode: 0o600 });
  codr = await CodrProgram.create('--no-encryption');
  cluster = await startServer();
  admin = await superuser();
  await sayAll(admin, [
    `CREATE KEYSPACE shop WITH replication = ${oneReplica}`,
    'CREATE TABLE shop.people (id int PRIMARY KEY, name text MASKED WITH mask_inner(1, 1), ' +
      'card text MASKED WITH DEFAULT)',
    ...[1, 2, 3].map(
      (id) =>
        `INSERT INTO shop.people (id, name, card) VALUES (${id}, 'Person ${id}', '4000 ${id}')`,
    ),
    `CREATE ROLE codr WITH LOGIN = true AND PASSWORD = '${secrets.cql.replaceAll("'", "''")}'`,
  ]);
});
after(async () => {
  await admin?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await codr?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A node that takes TLS connections of known certificates alone, a second agent with a login, and JMX with one. */
async function startServer(): Promise<CassandraCluster> {
  const port = await freePort();
  control = `http://127.0.0.1:${port}/jolokia/`;
  const { jolokia } = await cassandraProgram();
  const stores = ['keystore', 'truststore'].map(
    (name) => `${name}: ${join(folder, `${name}.p12`)}, ${name}_password: changeit`,
  );
  return await startCassandra({
    nodes: 1,
    jmx: true,
    yaml: [
      'authenticator: PasswordAuthenticator',
      'authorizer: CassandraAuthorizer',
      'role_manager: CassandraRoleManager',
      // A grant counts at once.
      ...['permissions', 'roles', 'credentials'].map((name) => `${name}_validity: 0ms`),
      'dynamic_data_masking_enabled: true',
      `client_encryption_options: { enabled: true, optional: false, require_client_auth: true, ` +
        `store_type: PKCS12, ${stores.join(', ')} }`,
    ],
    jvm: [
      `-javaagent:${jolokia}=host=127.0.0.1,port=${port},user=operator,password=${secrets.jmx},` +
        'discoveryEnabled=false',
      '-Dcom.sun.management.jmxremote.authenticate=true',
      `-Dcom.sun.management.jmxremote.password.file=${join(folder, 'rmi.logins')}`,
    ],
  });
}

/** A nodetool that notes in `nodetool.calls` how it was called. */
async function makeNodetool(): Promise<string> {
  const path = join(folder, 'nodetool');
  const program = await cassandraProgram();
  const flags = (await jvmFlags(program)).filter((flag) => !flag.startsWith('-javaagent'));
  const java = [
    ...[program.java, ...flags, ...(await archiveFlags(program))],
    ...['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', `${program.lib}/*`],
    ...['org.apache.cassandra.tools.NodeTool', '-p', `${cluster.jmxPort(1)}`],
  ];
  const words = java.map((word) => `'${word}'`).join(' ');
  const note = `echo "$* $(env | tr '\\n' ' ')" >> '${join(folder, 'nodetool.calls')}'`;
  await writeFile(path, `#!/bin/sh\n${note}\nexec ${words} "$@"\n`);
  await chmod(path, 0o755);
  return path;
}

/** An authority, which signed the node's certificate and ours. */
async function makeCertificates(): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '30'];
  const ca = ['-subj', '/CN=codr-test-authority', '-keyout', 'ca.key', '-out', 'ca.pem'];
  await openssl('req', '-x509', ...key, ...ca);
  // Which network the node gets is not known yet.
  const addresses = Array.from({ length: 250 }, (_, i) => `IP:127.0.${i + 1}.1`);
  await writeFile(join(folder, 'names'), `subjectAltName=${addresses.join(',')}\n`);
  for (const name of ['server', 'client']) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.csr`];
    await openssl('req', ...key.slice(0, 3), '-subj', `/CN=${name}`, ...files);
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30'];
    const out = ['-extfile', 'names', '-in', `${name}.csr`, '-out', `${name}.pem`];
    await openssl('x509', '-req', ...signer, ...out);
  }
  const pass = ['-passout', 'pass:changeit'];
  const own = ['-inkey', 'server.key', '-in', 'server.pem', '-certfile', 'ca.pem'];
  await openssl('pkcs12', '-export', ...own, '-out', 'keystore.p12', ...pass);
  const store = ['-keystore', 'truststore.p12', '-storetype', 'PKCS12', '-storepass', 'changeit'];
  const authority = ['-noprompt', '-alias', 'ca', '-file', 'ca.pem'];
  await run('keytool', ['-importcert', ...authority, ...store], { cwd: folder });
}

async function tlsOptions() {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'client.pem', 'client.key'].map((name) => readFile(join(folder, name))),
  );
  return { ...(ca && { ca: [ca] }), ...(cert && { cert: [cert] }), ...(key && { key: [key] }) };
}

/** The first superuser is made some time after the node is up. */
async function superuser(): Promise<TestClient> {
  const end = Date.now() + passwordMs;
  for (;;) {
    try {
      return await connectCql(cluster, {
        authProvider: new auth.PlainTextAuthProvider('cassandra', 'cassandra'),
        sslOptions: await tlsOptions(),
      });
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** A file of the cluster; what is set to undefined is left out. */
async function clusterFile(
  name: string,
  settings: Readonly<Record<string, unknown>> = {},
  login: Readonly<Record<string, unknown>> = { username: 'operator', passwordFile: 'jmx.password' },
): Promise<string> {
  const path = join(folder, `${name}.yaml`);
  const node = {
    dataDirectories: [cluster.dataFolder(1)],
    control: 'nodetool' in login ? login : { jolokia: control, ...login },
  };
  const content = {
    ...{ kind: 'cassandra', contactPoints: cluster.contactPoints },
    ...{ username: 'codr', passwordFile: 'cql.password' },
    tls: { ca: 'ca.pem', cert: 'client.pem', key: 'client.key' },
    nodes: { [cluster.address(1)]: node },
    ...settings,
  };
  await writeFile(path, stringify(content));
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function hex(): string {
  return createHash('sha256').update(randomBytes(8)).digest('hex').slice(0, 16);
}

const add = (name: string, config: string): string[] => [
  ...['source', 'add', name, '--config', config],
  ...['--include', 'shop.*'],
];

test('55 a wrong login, of the server, of its certificates or of its control, is named as such', async () => {
  await writeFile(join(folder, 'wrong.password'), 'wrong');
  const faults = [
    [{ passwordFile: 'wrong.password' }, undefined, 'source-rights', /login was refused/],
    [{ tls: undefined }, undefined, 'source-unreachable', /no node answers/],
    [{ tls: { ca: 'ca.pem' } }, undefined, 'source-unreachable', /no node answers/],
    [{ tls: { ca: 'none.pem' } }, undefined, 'config-invalid', /none\.pem cannot be read/],
    [
      {},
      { username: 'operator', passwordFile: 'wrong.password' },
      'source-rights',
      /Jolokia refuses/,
    ],
    [{}, {}, 'source-rights', /Jolokia refuses/],
  ] as const;
  for (const [i, [settings, login, code, message]] of faults.entries()) {
    const name = `wrong${i}`;
    const { json, stderr } = await codr.tryRun(
      ...add(name, await clusterFile(name, settings, login)),
    );
    const told = JSON.stringify(json) ?? stderr;
    assert.match(told, message);
    // A source whose control alone is at fault is registered, with what is at fault.
    if (json.error) assert.equal(json.error.code, code, told);
    else assert.match(told, /"level":"error"/);
    assertNoSecret(told, 'what was said of a fault');
  }
});

test('55 what a role lacks is named, and a role of least rights is enough for a backup of masked columns', async () => {
  const config = await clusterFile('shop');
  const poor = await codr.tryRun(...add('shop', config));
  assert.match(JSON.stringify(poor.json), /no SELECT permission on <[^>]*system_views/);
  await admin.cql('GRANT SELECT ON KEYSPACE system_views TO codr');
  if (poor.code !== 0) await codr.run(...add('shop', config));
  const { findings } = (await codr.run('source', 'check', 'shop')).json;
  assert.deepEqual(
    findings.map(({ level }: { level: string }) => level),
    ['fine'],
    JSON.stringify(findings),
  );
  const { json, stderr } = await codr.run('backup', 'shop', '--log-level', 'debug');
  assert.equal(json.records, 3);
  assertNoSecret(`${stderr}${JSON.stringify(json)}`, 'what the backup said');
  for (const path of await readdir(codr.folder, { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue;
    assertNoSecret(await readFile(join(path.parentPath, path.name), 'latin1'), path.name);
  }
  // A client of that role sees the columns masked.
  await admin.cql('GRANT SELECT ON KEYSPACE shop TO codr');
  await using masked = await connectCql(cluster, {
    authProvider: new auth.PlainTextAuthProvider('codr', secrets.cql),
    sslOptions: await tlsOptions(),
  });
  const query = 'SELECT name, card FROM shop.people WHERE id = 2';
  assert.deepEqual((await masked.cql(query)).first().values(), ['P******2', '****']);
  await admin.cql('REVOKE SELECT ON KEYSPACE shop FROM codr');
});

test('55 a restore says which permission it lacks, leaves nothing then, and keeps values and masks with it', async () => {
  const config = await clusterFile('shop');
  const give = (to: string) =>
    codr.tryRun('restore', 'shop', '--to', config, '--rename', `shop.*=${to}.*`);
  const poor = await give('shop_back');
  assert.equal(poor.json?.error?.code, 'target-rights', JSON.stringify(poor.json));
  assert.match(poor.json.error.message, /no CREATE permission on <all keyspaces>/);
  assert.equal(poor.code, 5);
  const keyspaces = await rowsOf(admin, 'SELECT keyspace_name FROM system_schema.keyspaces');
  assert.deepEqual(
    keyspaces.filter((name) => /shop_back|codr/.test(name)),
    [],
  );

  // Who makes a keyspace may do everything with it.
  await admin.cql('GRANT CREATE ON ALL KEYSPACES TO codr');
  const rich = await give('shop_back');
  assert.equal(rich.code, 0, JSON.stringify(rich.json));
  assert.equal(rich.json.datasets[0].proven, true);
  assertSameRows(await seen(admin, 'shop_back'), await seen(admin, 'shop'));
  const [card] = await rowsOf(admin, 'SELECT card FROM shop_back.people WHERE id = 1');
  assert.equal(card, '4000 1');
  const masks =
    "SELECT column_name FROM system_schema.column_masks WHERE keyspace_name = 'shop_back'";
  assert.deepEqual((await rowsOf(admin, masks)).sort(), ['card', 'name']);
});

test('55 a guardrail that forbids what a restore needs is named before anything is written', async () => {
  const guardrails = 'org.apache.cassandra.db:type=Guardrails';
  const uri = await clusterFile('by-cql', { nodes: undefined });
  const give = (to: string, by: string) =>
    codr.tryRun('restore', 'shop', '--to', by, '--rename', `shop.*=${to}.*`);
  const jmx = cluster.jmx(1);
  await jmx.write(guardrails, 'UserTimestampsEnabled', false);
  try {
    const refused = await give('shop_cql', uri);
    assert.equal(refused.code, 5, JSON.stringify(refused.json));
    assert.match(refused.json.error.message, /User provided timestamps.*not allowed/i);
    // Files know no such rule.
    const { code, json } = await give('shop_files', await clusterFile('shop'));
    assert.equal(code, 0, JSON.stringify(json));
  } finally {
    await jmx.write(guardrails, 'UserTimestampsEnabled', true);
  }
  const { code, json } = await give('shop_cql', uri);
  assert.equal(code, 0, JSON.stringify(json));
  assertSameRows(await seen(admin, 'shop_cql'), await seen(admin, 'shop'));
});

test('55 nodetool logs in to JMX by a file of its own, and a wrong one is named as such', async () => {
  await codr.run('source', 'remove', 'shop');
  const nodetool = await makeNodetool();
  const added = async (name: string, logins: string) => {
    const by = { nodetool: `'${nodetool}' -u operator -pwf ${join(folder, logins)}` };
    const args = [...add(name, await clusterFile(name, {}, by)), '--log-level', 'debug'];
    const { json, stderr } = await codr.tryRun(...args);
    assertNoSecret(`${stderr}${JSON.stringify(json)}`, 'what codr said');
    return json.findings as { level: string }[];
  };
  await writeFile(join(folder, 'wrong.logins'), 'operator wrong\n');
  const wrong = (await added('wronged', 'wrong.logins')).filter(({ level }) => level === 'error');
  assert.match(JSON.stringify(wrong), /cannot say who it is.*Invalid username.*-u and -pwf/);
  // Flush, snapshot, and the rest that a cut asks a node for.
  const findings = await added('tooled', 'rmi.logins');
  assert.deepEqual(
    findings.map(({ level }) => level),
    ['fine'],
    JSON.stringify(findings),
  );
  const calls = await readFile(join(folder, 'nodetool.calls'), 'utf8');
  for (const call of ['info', 'flush', 'snapshot', 'clearsnapshot', 'statusbackup']) {
    assert.match(calls, new RegExp(`-u operator -pwf \\S+ ${call}`));
  }
  assertNoSecret(calls, 'a call of nodetool or its environment');
});

/** As it is, and as a header of HTTP has it. */
function assertNoSecret(text: string, where: string): void {
  const login = Buffer.from(`operator:${secrets.jmx}`).toString('base64');
  for (const secret of [...Object.values(secrets), login]) {
    assert.ok(!text.includes(secret), `a secret in ${where}`);
  }
}
