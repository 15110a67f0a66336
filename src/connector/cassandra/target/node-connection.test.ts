// Which nodes a plan says that the proof could not ask.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCassandraConfig } from '../session/cassandra-config.ts';
import { fakeNode, text } from '../wire/fake-node.fixture.ts';
import { unaskable } from './node-connection.ts';

const { signal } = new AbortController();

test('a node that refuses the login, one that nobody knows and one that is not there are named', async () => {
  using fine = await fakeNode(() => ({ opcode: 0x02, body: Buffer.alloc(0) }));
  using locked = await fakeNode(() => ({ opcode: 0x03, body: text('PasswordAuthenticator') }));
  const gone = await (async () => {
    using node = await fakeNode(() => undefined);
    return node.port;
  })();
  const config = parseCassandraConfig({ contactPoints: ['127.0.0.1'] });
  const ask = (port: number | undefined): Promise<string[]> => {
    const hosts = port === undefined ? [] : [{ address: '127.0.0.1', port }];
    const cql = {
      hosts: () => hosts.map((host) => ({ ...host, isUp: true, datacenter: 'dc' })),
    };
    return unaskable(config, cql, [{ nativeAddress: '127.0.0.1' }], signal);
  };
  assert.deepEqual(await ask(fine.port), []);
  const says = 'the proof cannot ask a node for its rows: 127.0.0.1';
  assert.deepEqual(await ask(locked.port), [`${says}: it wants a user and a password`]);
  assert.match((await ask(gone)).join(), /^the proof cannot ask .*ECONNREFUSED/);
  assert.match((await ask(undefined)).join(), /is not known to the driver/);
});
