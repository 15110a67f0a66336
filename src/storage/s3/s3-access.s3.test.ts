// How a store in S3 is reached: where the keys come from, and whose certificate is trusted. Against a real server.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { Authority } from '../../../test/api/certificates.ts';
import { type S3Server, sharedS3 } from '../../../test/harness/s3.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { openS3 } from './open-s3.ts';

const shared = sharedS3();
const random = new SeededRandom(7);
let server: S3Server;
let url: string;
let keys: { readonly id: string; readonly secret: string };
let folder: string;
before(async () => {
  server = await shared();
  url = `s3://${await server.bucket()}/codr?endpoint=${server.endpoint}`;
  const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '' } = process.env;
  keys = { id, secret };
  folder = await mkdtemp(join(tmpdir(), 'codr-s3-access-'));
});
after(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** What the SDK could find anywhere else but in `variables` is hidden while `work` runs. */
async function withVariables(
  variables: Readonly<Record<string, string>>,
  work: () => Promise<void>,
): Promise<void> {
  const own = { ...process.env };
  for (const name of Object.keys(own)) if (name.startsWith('AWS_')) delete process.env[name];
  const nowhere = join(folder, 'nothing-here');
  const hidden = { AWS_SHARED_CREDENTIALS_FILE: nowhere, AWS_CONFIG_FILE: nowhere };
  Object.assign(process.env, hidden, { AWS_EC2_METADATA_DISABLED: 'true' }, variables);
  try {
    await work();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in own)) delete process.env[name];
    Object.assign(process.env, own);
  }
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

const section = (name: string, id: string, secret: string): string =>
  `[${name}]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`;

/** The keys that the SDK found are good for a write. */
async function assertWrites(name: string): Promise<void> {
  const store = await openS3(url, { random });
  assert.equal(await store.create(name, [Buffer.from(name)]), 'created');
  assert.equal(Buffer.from(await store.get(name)).toString(), name);
}

test('keys come from the environment', async () => {
  const variables = { AWS_ACCESS_KEY_ID: keys.id, AWS_SECRET_ACCESS_KEY: keys.secret };
  await withVariables(variables, () => assertWrites('by-environment'));
});

test('keys come from the shared file', async () => {
  const path = await file('credentials', section('default', keys.id, keys.secret));
  const variables = { AWS_SHARED_CREDENTIALS_FILE: path };
  await withVariables(variables, () => assertWrites('by-file'));
});

test('keys come from the profile that is named, not from the one by default', async () => {
  const text = section('default', 'nobody', 'wrong') + section('backup', keys.id, keys.secret);
  const variables = {
    AWS_SHARED_CREDENTIALS_FILE: await file('profiles', text),
    AWS_PROFILE: 'backup',
  };
  await withVariables(variables, () => assertWrites('by-profile'));
});

test('keys come in exchange for the token of a web identity', async () => {
  const asked: URLSearchParams[] = [];
  const sts = await listening(tokenService(asked));
  try {
    const variables = {
      AWS_WEB_IDENTITY_TOKEN_FILE: await file('token', 'a token of the platform'),
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/backup',
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${sts.port}`,
      AWS_REGION: 'us-east-1',
    };
    await withVariables(variables, () => assertWrites('by-web-identity'));
  } finally {
    await sts.close();
  }
  assert.equal(asked[0]?.get('Action'), 'AssumeRoleWithWebIdentity');
  assert.equal(asked[0]?.get('WebIdentityToken'), 'a token of the platform');
  assert.equal(asked[0]?.get('RoleArn'), 'arn:aws:iam::123456789012:role/backup');
});

test('no keys anywhere are an error that lasts and says where they may be', async () => {
  await withVariables({}, async () => {
    const store = await openS3(url, { random });
    await assert.rejects(
      () => store.create('by-nobody', []),
      (error) =>
        isCodrError(error, 'store-unreachable') &&
        error.facts.transient === false &&
        /AWS_ACCESS_KEY_ID.*AWS_PROFILE/.test(error.remedy),
    );
  });
});

test('an endpoint with a private authority is trusted by its certificate alone', async () => {
  using authority = new Authority();
  const other = authority.path('other.pem');
  {
    using stranger = new Authority('a stranger');
    await writeFile(other, stranger.ca);
  }
  const { hostname, port } = new URL(server.endpoint);
  const tls = createTlsServer(authority.sign('store'), (near) => {
    const far = connect({ host: hostname, port: Number(port) });
    near.on('error', () => far.destroy()).pipe(far);
    far.on('error', () => near.destroy()).pipe(near);
  });
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  try {
    const address = tls.address();
    assert.ok(address !== null && typeof address === 'object');
    const at = url.replace(server.endpoint, `https://127.0.0.1:${address.port}`);
    const trusting = await openS3(`${at}&ca=${authority.path('ca.pem')}`, { random });
    assert.equal(await trusting.create('by-tls', []), 'created');
    for (const ca of ['', `&ca=${other}`]) {
      const store = await openS3(`${at}${ca}`, { random });
      await assert.rejects(
        () => store.create('by-nobody', []),
        (error) =>
          isCodrError(error, 'store-unreachable') &&
          error.facts.transient === false &&
          /"ca" in the URL/.test(error.remedy),
      );
    }
  } finally {
    await new Promise((resolve) => tls.close(resolve));
  }
});

/** Answers as Amazon's does, with the keys of the test's server. */
function tokenService(asked: URLSearchParams[]): Server {
  return createServer(async (req, res) => {
    let body = '';
    for await (const piece of req) body += piece;
    asked.push(new URLSearchParams(body));
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const credentials =
      `<Credentials><AccessKeyId>${keys.id}</AccessKeyId>` +
      `<SecretAccessKey>${keys.secret}</SecretAccessKey>` +
      `<SessionToken></SessionToken><Expiration>${until}</Expiration></Credentials>`;
    const name = 'AssumeRoleWithWebIdentity';
    res.setHeader('content-type', 'text/xml');
    res.end(
      `<${name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` +
        `<${name}Result>${credentials}</${name}Result></${name}Response>`,
    );
  });
}

async function listening(of: Server): Promise<{ port: number; close: () => Promise<void> }> {
  await new Promise<void>((resolve) => of.listen(0, '127.0.0.1', resolve));
  const address = of.address();
  assert.ok(address !== null && typeof address === 'object');
  const close = async (): Promise<void> => {
    of.closeAllConnections();
    await new Promise((resolve) => of.close(resolve));
  };
  return { port: address.port, close };
}
