// Real MongoDB servers for tests: one replica set for each test file, with and without access control
// and TLS. The program comes from CODR_MONGOD, PATH, the cache or a pinned download (see README.md).
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ReplicaSet, type ReplicaSetOptions } from '../../src/node/demo/mongod-server.ts';
import { mongod } from './get-mongod.ts';

const run = promisify(execFile);

/** Settings of a test's replica set. */
export interface TestSetOptions extends Omit<ReplicaSetOptions, 'auth' | 'clientOptions'> {
  /** Access control with a key file; the first user is `root` with password `root password`. */
  readonly auth?: boolean;
  /** TLS with a throw-away authority; members demand it. */
  readonly tls?: boolean;
}

/** A set and, with TLS, the file of its authority. */
export interface TestSet {
  readonly set: ReplicaSet;
  readonly caFile: string | undefined;
}

/** Starts a replica set; `await using` it, or `stop()` it in `after`. */
export async function startReplicaSet(options: TestSetOptions = {}): Promise<ReplicaSet> {
  return (await startTestSet(options)).set;
}

/** As {@link startReplicaSet}, and tells where the TLS authority lies. */
export async function startTestSet(options: TestSetOptions = {}): Promise<TestSet> {
  const { auth, tls, ...rest } = options;
  const program = await mongod();
  const certificates = tls ? await makeCertificates() : undefined;
  const set = await ReplicaSet.start(program, {
    ...rest,
    flags: [...(rest.flags ?? []), ...(certificates?.flags ?? [])],
    ...(auth && { auth: { key: 'a2V5IG9mIGEgdGVzdA', user: 'root', password: 'root password' } }),
    ...(certificates && { clientOptions: { tls: true, tlsCAFile: certificates.ca } }),
  });
  if (certificates) {
    const { stop } = set;
    set.stop = async () => {
      await stop.call(set);
      await rm(certificates.folder, { recursive: true, force: true });
    };
  }
  return { set, caFile: certificates?.ca };
}

/** The URI of a server that the user runs, for tests that allow one; undefined: start your own. */
export function givenMongodbUri(): string | undefined {
  return process.env.CODR_MONGODB_URI || undefined;
}

async function makeCertificates(): Promise<{ folder: string; ca: string; flags: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'codr-tls-'));
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder });
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '30',
    '-subj',
    '/CN=codr-test-authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  await openssl(
    'req',
    ...key,
    '-subj',
    '/CN=127.0.0.1',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  );
  await writeFile(file('extensions'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  await openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '30',
    '-extfile',
    'extensions',
    '-out',
    'server.crt',
  );
  const pair = [await readFile(file('server.crt')), await readFile(file('server.key'))];
  await writeFile(file('server.pem'), Buffer.concat(pair));
  return {
    folder,
    ca: file('ca.pem'),
    flags: [
      ...['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', file('server.pem')],
      ...['--tlsCAFile', file('ca.pem'), '--tlsAllowConnectionsWithoutCertificates'],
    ],
  };
}
