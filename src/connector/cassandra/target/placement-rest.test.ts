// Changes of the ring and of keyspaces between plan and proof are found, whichever they are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Replication } from '../session/replica-placement.ts';
import type { Ring } from '../session/ring.ts';
import { type PlacementLook, placementDigest, refuseMoved } from './placement-rest.ts';

const node = (id: number, ...tokens: string[]) => ({
  hostId: `h${id}`,
  address: `10.0.0.${id}`,
  nativeAddress: `10.0.0.${id}`,
  datacenter: 'dc1',
  rack: 'r1',
  tokens,
});
const ring: Ring = {
  clusterName: 'c',
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: [node(1, '1'), node(2, '2')],
  schemaVersions: ['s'],
  version: '5.0.9',
  up: ['h1', 'h2'],
};
const once: Replication = { class: 'NetworkTopologyStrategy', dc1: '1' };
const planned = { ring, keyspaces: new Map([['ks', once]]) };
const look = (more: Partial<PlacementLook> = {}): PlacementLook => ({
  ring: async () => ({ ...ring, schemaVersions: ['t'], up: ['h1'] }),
  moving: async () => [],
  replication: async () => ({
    class: 'org.apache.cassandra.locator.NetworkTopologyStrategy',
    dc1: '1',
    dc2: '0',
  }),
  ...more,
});
const refused = (more: Partial<PlacementLook>, message: RegExp) =>
  assert.rejects(refuseMoved(planned, look(more), { isMade: true }), {
    code: 'target-unfit',
    message,
  });

test('a target whose owners are the planned ones is taken, whoever is up and however a keyspace is written', async () => {
  await refuseMoved(planned, look(), { isMade: true });
  await refuseMoved(planned, look({ replication: async () => undefined }), { isMade: false });
});

test('a node more, another factor, a keyspace that is gone or a node that moves or is half known is refused', async () => {
  const more = { ...ring, nodes: [...ring.nodes, node(3, '3')] };
  await refused({ ring: async () => more }, /nodes or tokens/);
  await refused({ ring: async () => ({ ...ring, nodes: [node(1, '1'), node(2, '7')] }) }, /tokens/);
  await refused({ replication: async () => ({ ...once, dc1: '2' }) }, /replication of keyspace ks/);
  await refused({ replication: async () => undefined }, /ks of the target is gone/);
  const disputed = ['one counts node 10.0.0.8 in'];
  await refused({ ring: async () => ({ ...ring, disputed }) }, /do not agree .* 10\.0\.0\.8/);
  await refused({ moving: async () => ['10.0.0.9'] }, /move: 10\.0\.0\.9/);
});

test('a placement is another one when the ring or the factor is', () => {
  const digest = placementDigest(ring, once);
  assert.equal(
    placementDigest({ ...ring, up: [] }, { dc1: '1', class: String(once.class) }),
    digest,
  );
  assert.notEqual(placementDigest({ ...ring, nodes: [node(1, '1')] }, once), digest);
  assert.notEqual(placementDigest(ring, { ...once, dc1: '2' }), digest);
});
