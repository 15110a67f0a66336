// Replication fits the target's data centres and nodes, and says where it differs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RingNode } from '../session/replica-placement.ts';
import { fittedReplication, replicationLiteral } from './target-replication.ts';

const nodesOf = (...centres: readonly string[]): RingNode[] =>
  centres.map((datacenter, i) => ({
    ...{ hostId: `h${i}`, address: `a${i}`, nativeAddress: `a${i}`, rack: 'r', tokens: [] },
    datacenter,
  }));

const fitted = (replication: Record<string, string>, ...centres: readonly string[]) =>
  fittedReplication({ name: 'ks', replication, durableWrites: true }, nodesOf(...centres));

test('a target with the same data centres and enough nodes keeps the replication', () => {
  const two = { class: 'NetworkTopologyStrategy', a: '1', b: '1' };
  assert.deepEqual(fitted(two, 'a', 'b'), { replication: two });
  const simple = { class: 'SimpleStrategy', replication_factor: '2' };
  assert.deepEqual(fitted(simple, 'a', 'b'), { replication: simple });
});

test('too few nodes hold fewer replicas, which is said', () => {
  const { replication, warning } = fitted(
    { class: 'NetworkTopologyStrategy', a: '3', b: '1' },
    ...['a', 'a', 'b'],
  );
  assert.deepEqual(replication, { class: 'NetworkTopologyStrategy', a: '2', b: '1' });
  assert.match(warning ?? '', /a: 3, b: 1 becomes .*a: 2, b: 1/);
  assert.equal(
    fitted({ class: 'SimpleStrategy', replication_factor: '3' }, 'a').replication
      .replication_factor,
    '1',
  );
});

test('other data centres get what the best of the source had', () => {
  const { replication } = fitted(
    { class: 'org.apache.cassandra.locator.NetworkTopologyStrategy', x: '3', y: '2' },
    ...['b', 'a', 'a', 'a', 'a'],
  );
  assert.deepEqual(replication, { class: 'NetworkTopologyStrategy', a: '3', b: '1' });
});

test('replication is written as CQL reads it', () => {
  assert.equal(
    replicationLiteral({ class: 'NetworkTopologyStrategy', "d'c": '2' }),
    "{'class': 'NetworkTopologyStrategy', 'd''c': '2'}",
  );
});
