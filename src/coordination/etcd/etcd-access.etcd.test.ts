import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sharedEtcd } from '../../../test/harness/etcd.ts';
import { isCodrError } from '../../base/error.ts';
import { openEtcd } from './etcd.fixture.ts';
import { EtcdChannel } from './etcd-channel.ts';
import type { EtcdOptions } from './etcd-coordinator.ts';

const cluster = sharedEtcd({ tls: true });

test('the common name of the certificate is the user, who may do what its role says', async () => {
  const etcd = await cluster();
  const { endpoints } = etcd;
  const [endpoint] = endpoints as [string];
  const [root, codr] = [await etcd.certificate('root'), await etcd.certificate('codr')];
  const raw = new EtcdChannel(endpoint, root, () => Date.now() + 5000);
  const auth = (method: string, parameters: object): Promise<unknown> =>
    raw.exec('Auth', method, parameters);
  for (const name of ['root', 'codr']) {
    await auth('userAdd', { name, password: 'not used' });
    await auth('roleAdd', { name });
    await auth('userGrantRole', { user: name, role: name });
  }
  const [key, range_end] = [Buffer.from('mine/'), Buffer.from('mine0')];
  const perm = { permType: 'Readwrite', key, range_end };
  await auth('roleGrantPermission', { name: 'codr', perm });
  await auth('authEnable', {});

  await using coordinator = await openEtcd(endpoints, { prefix: 'mine/a', tls: codr });
  const stop = new AbortController();
  const hints = coordinator.watch('k', stop.signal)[Symbol.asyncIterator]();
  await hints.next();
  const lease = await coordinator.lease(10_000);
  await coordinator.transact([], [{ put: 'k', value: 'v', lease }]);
  assert.equal((await hints.next()).done, false);
  assert.equal((await coordinator.get('k'))?.value, 'v');
  await lease[Symbol.asyncDispose]();
  assert.equal(await coordinator.get('k'), undefined);

  await assert.rejects(
    () => openEtcd(endpoints, { prefix: 'theirs', tls: codr }),
    (error) =>
      isCodrError(error, 'coordinator-refused') &&
      error.object === endpoint &&
      /readwrite on the keys below "theirs\/"/.test(error.remedy),
  );
  await auth('roleRevokePermission', { role: 'codr', key, range_end });
  await assert.rejects(
    () => coordinator.transact([], [{ put: 'k', value: 'v' }]),
    (error) => isCodrError(error, 'coordinator-refused'),
  );
  await auth('roleGrantPermission', { name: 'codr', perm });
  await auth('authDisable', {});
  raw.close();
});

describe('what cannot be opened', { concurrency: true }, () => {
  const opens = async (options: Partial<EtcdOptions> & { endpoints: readonly string[] }) =>
    await openEtcd(options.endpoints, { prefix: 'p', ...options }).then(
      () => assert.fail('it was opened'),
      (error: unknown) => error,
    );

  test('an etcd that wants a certificate answers nobody without one', async () => {
    const { endpoints } = await cluster();
    const { ca } = await (await cluster()).certificate('codr');
    const error = await opens({ endpoints, tls: { ca } });
    assert.ok(isCodrError(error, 'coordinator-unreachable'), `${error}`);
    assert.ok(error.message.includes(endpoints[0] as string), error.message);
  });

  test('a member whose certificate is signed by a stranger is not spoken to, and the message says why', async () => {
    const { endpoints } = await cluster();
    const error = await opens({ endpoints });
    assert.ok(isCodrError(error, 'coordinator-unreachable'), `${error}`);
    assert.match(error.message, /certificate/);
  });

  test('endpoints where nobody listens are named with what each of them said', async () => {
    const endpoints = ['http://127.0.0.1:1', 'http://127.0.0.1:2'];
    const error = await opens({ endpoints });
    assert.ok(isCodrError(error, 'coordinator-unreachable'), `${error}`);
    assert.match(error.message, /127\.0\.0\.1:1: .*ECONNREFUSED.*127\.0\.0\.1:2: .*ECONNREFUSED/s);
    assert.match(error.remedy, /127\.0\.0\.1:1, http:\/\/127\.0\.0\.1:2/);
  });

  test('wrong settings are refused before anything is asked', async () => {
    const http = ['http://127.0.0.1:1'];
    const wrong: (Partial<EtcdOptions> & { endpoints: readonly string[] })[] = [
      { endpoints: [] },
      { endpoints: ['127.0.0.1:2379'] },
      { endpoints: ['http://user:secret@127.0.0.1:2379'] },
      { endpoints: http, tls: { ca: 'PEM' } },
      { endpoints: ['https://127.0.0.1:1'], tls: { certificate: 'PEM' } },
      { endpoints: [...http, 'https://127.0.0.1:1'] },
      { endpoints: http, prefix: '' },
      { endpoints: http, prefix: 'a//b' },
      { endpoints: http, prefix: 'a/keys' },
    ];
    for (const options of wrong) {
      const error = await opens(options);
      assert.ok(isCodrError(error, 'config-invalid'), `${JSON.stringify(options)}: ${error}`);
      assert.ok(!`${error.message}${error.object}${error.remedy}`.includes('secret'));
    }
  });
});
