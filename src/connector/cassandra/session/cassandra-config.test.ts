import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { cassandraConnector } from '../cassandra-connector.ts';
import {
  ourPath,
  parseCassandraConfig,
  pathsOf,
  serverPath,
  withPort,
} from './cassandra-config.ts';
import { filesOf } from './cassandra-session.ts';

const node = {
  dataDirectories: ['/var/lib/cassandra/data'],
  control: { jolokia: 'http://127.0.0.1:8778/jolokia' },
};
const whole = {
  kind: 'cassandra',
  contactPoints: ['10.0.0.1:9042', '10.0.0.2'],
  username: 'codr',
  passwordFile: '/etc/codr/cassandra.password',
  tls: { ca: 'ca.pem', cert: 'client.pem', key: 'client.key' },
  nodes: { '10.0.0.1': node, '10.0.0.2': { ...node, control: { nodetool: 'nodetool -p 7199' } } },
};

test('nodes where links may be left are named without the password, and none of a URI', () => {
  const settings = { ...whole, passwordFile: undefined };
  const left = cassandraConnector.leftUnreleased?.({
    kind: 'cassandra',
    uri: 'cassandra://a',
    settings,
  });
  assert.match(left?.message ?? '', /10\.0\.0\.1, 10\.0\.0\.2$/);
  const none = cassandraConnector.leftUnreleased?.({ kind: 'cassandra', uri: 'cassandra://a' });
  assert.equal(none, undefined);
});

test('the documented shape is read, and what it leaves out has defaults', () => {
  const config = parseCassandraConfig(whole);
  assert.deepEqual(Object.keys(config.nodes), ['10.0.0.1', '10.0.0.2']);
  assert.deepEqual(config.nodes['10.0.0.2']?.control, { nodetool: 'nodetool -p 7199' });
  assert.deepEqual([config.datacenters, config.paths, config.ownsBackups], [[], {}, false]);
  assert.deepEqual([config.linkLimit, config.pendingCompactionsMax], [{ share: 0.25 }, 100]);
  const limited = parseCassandraConfig({ ...whole, linkLimit: '20GiB' });
  assert.deepEqual(limited.linkLimit, { bytes: 20 * 2 ** 30 });
});

test('a URI gives contact points and no nodes', () => {
  const config = parseCassandraConfig('cassandra://a:9043,b');
  assert.deepEqual([config.contactPoints, config.nodes], [['a:9043', 'b'], {}]);
});

const faults: [field: string, input: unknown][] = [
  ['contactPoints', { kind: 'cassandra' }],
  ['contactPoints', { ...whole, contactPoints: [] }],
  ['contactPoints.0', { ...whole, contactPoints: ['http://x/'] }],
  ['kind', { ...whole, kind: 'scylla' }],
  ['contactPoint', { ...whole, contactPoint: 'x' }],
  [
    'nodes.10.0.0.1.dataDirectories.0',
    { ...whole, nodes: { '10.0.0.1': { ...node, dataDirectories: ['data'] } } },
  ],
  ['nodes.10.0.0.1.control', { ...whole, nodes: { '10.0.0.1': { ...node, control: {} } } }],
  [
    'nodes.10.0.0.1.control.jolokia',
    {
      ...whole,
      nodes: { '10.0.0.1': { ...node, control: { jolokia: 'http://jmx:hush@10.0.0.1:8778/' } } },
    },
  ],
  ['paths./a', { ...whole, paths: { '/a': 'b' } }],
  ['nodes.10.0.0.1.peer', { ...whole, nodes: { '10.0.0.1': { ...node, peer: '' } } }],
  [
    'nodes.10.0.0.1.paths./a',
    { ...whole, nodes: { '10.0.0.1': { ...node, paths: { '/a': 'b' } } } },
  ],
  ['linkLimit', { ...whole, linkLimit: '20 elephants' }],
  ['pendingCompactionsMax', { ...whole, pendingCompactionsMax: -1 }],
  ['ownsBackups', { ...whole, ownsBackups: 'yes' }],
  ['username', { ...whole, username: undefined }],
  ['passwordFile', { ...whole, passwordFile: undefined }],
  ['passwordEnv', { ...whole, passwordEnv: 'SECRET' }],
  ['tls.key', { ...whole, tls: { cert: 'c.pem' } }],
  ['contactPoints', 'cassandra://user:hush@a'],
  ['contactPoints', 'cassandra://'],
];
for (const [field, input] of faults) {
  test(`a wrong value is config-invalid and names ${field}: ${JSON.stringify(input).length}`, () => {
    assert.throws(
      () => parseCassandraConfig(input),
      (error) =>
        isCodrError(error, 'config-invalid') &&
        error.object === field &&
        !/hush/.test(error.message),
    );
  });
}

test('contact points without a port get the port of the native protocol', () => {
  assert.deepEqual(['a', 'a:1', '::1', '[::1]', '[::1]:2'].map(withPort), [
    'a:9042',
    'a:1',
    '[::1]:9042',
    '[::1]:9042',
    '[::1]:2',
  ]);
});

test('a node may name the peer that sees its files, whose paths are its own', () => {
  const paths = { '/var/lib': '/mnt' };
  const own = { '/var/lib': '/srv' };
  const nodes = {
    plain: node,
    moved: { ...node, paths: own },
    away: { ...node, peer: 'n2' },
    both: { ...node, peer: 'n2', paths: own },
  };
  const config = parseCassandraConfig({ ...whole, paths, nodes });
  const seen = Object.entries(config.nodes).map(([name, one]) => [name, pathsOf(config, one)]);
  assert.deepEqual(Object.fromEntries(seen), { plain: paths, moved: own, away: {}, both: own });
});

test('the longest prefix maps a path, whole names only, and back', () => {
  const paths = { '/var/lib/cassandra/': '/mnt/n1', '/var/lib/cassandra/data2': '/mnt/two' };
  assert.equal(ourPath(paths, '/var/lib/cassandra/data/ks'), '/mnt/n1/data/ks');
  assert.equal(ourPath(paths, '/var/lib/cassandra/data2/ks'), '/mnt/two/ks');
  assert.equal(ourPath(paths, '/var/lib/cassandra2'), '/var/lib/cassandra2');
  assert.equal(serverPath(paths, '/mnt/n1/data/ks'), '/var/lib/cassandra/data/ks');
});

test('files that a peer alone sees want a program that is a peer, and are local for that peer itself', () => {
  assert.throws(
    () => filesOf({})('n2'),
    (error) => isCodrError(error, 'source-unfit') && /--node/.test(error.remedy),
  );
  const own = filesOf({ peerFiles: () => undefined })('n2');
  assert.deepEqual([own.peer, own.isHere], ['n2', true]);
  assert.deepEqual([filesOf({})(undefined).peer, filesOf({})(undefined).isHere], [undefined, true]);
});
