// Replication fits the target's data centres and nodes, and says where it differs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GivenName } from '../../restore-target.ts';
import type { RingNode } from '../session/replica-placement.ts';
import {
  fittedReplication,
  refuseUnknownDatacenters,
  replicationLiteral,
} from './target-replication.ts';

const nodesOf = (...centres: readonly string[]): RingNode[] =>
  centres.map((datacenter, i) => ({
    ...{ hostId: `h${i}`, address: `a${i}`, nativeAddress: `a${i}`, rack: 'r', tokens: [] },
    datacenter,
  }));

const keyspace = (replication: Record<string, string>) => ({
  name: 'ks',
  replication,
  durableWrites: true,
});

const fitted = (replication: Record<string, string>, ...centres: readonly string[]) =>
  fittedReplication(keyspace(replication), nodesOf(...centres));

const network = (factors: Record<string, string>) => ({
  class: 'NetworkTopologyStrategy',
  ...factors,
});

/** `a=b c=d`. */
const mapping = (text: string): GivenName[] =>
  text.split(' ').map((one) => {
    const [from = '', to = ''] = one.split('=');
    return { from, to };
  });

test('a target with the same data centres and enough nodes keeps the replication', () => {
  const two = network({ a: '1', b: '1' });
  assert.deepEqual(fitted(two, 'a', 'b'), { replication: two });
  const simple = { class: 'SimpleStrategy', replication_factor: '2' };
  assert.deepEqual(fitted(simple, 'a', 'b'), { replication: simple });
});

test('too few nodes hold fewer replicas, which is said', () => {
  const { replication, warning } = fitted(network({ a: '3', b: '1' }), ...['a', 'a', 'b']);
  assert.deepEqual(replication, network({ a: '2', b: '1' }));
  assert.match(warning ?? '', /a: 3, b: 1 becomes .*a: 2, b: 1/);
  assert.equal(
    fitted({ class: 'SimpleStrategy', replication_factor: '3' }, 'a').replication
      .replication_factor,
    '1',
  );
});

test('a data centre that the target lacks is refused, with those it has and the option', () => {
  assert.throws(() => fitted(network({ x: '3', a: '2' }), 'b', 'a'), {
    code: 'target-unfit',
    message: 'keyspace ks: the target has no data centre x; it has a, b',
    remedy: 'say where its copies go: --map-dc x=NAME with one of a, b',
  });
  // One that holds nothing is not missed.
  assert.deepEqual(fitted(network({ x: '0', a: '1' }), 'a').replication, network({ a: '1' }));
});

test('data centres are mapped: one to one, several to the larger factor, one to several', () => {
  const nodes = nodesOf('a', 'a', 'a', 'b', 'b');
  const to = (factors: Record<string, string>, map: string) =>
    fittedReplication(keyspace(network(factors)), nodes, mapping(map)).replication;
  assert.deepEqual(to({ x: '2' }, 'x=b'), network({ b: '2' }));
  assert.deepEqual(to({ x: '2', y: '3' }, 'x=a y=a'), network({ a: '3' }));
  assert.deepEqual(to({ x: '2', a: '3' }, 'x=a'), network({ a: '3' }));
  assert.deepEqual(to({ x: '3' }, 'x=a x=b'), network({ a: '3', b: '2' }));
  assert.deepEqual(to({ a: '1', b: '2' }, 'a=b b=a'), network({ b: '1', a: '2' }));
});

test('a mapping to what the target lacks, or of what the source lacks, is refused', () => {
  const wanted = keyspace(network({ x: '2' }));
  assert.throws(() => fittedReplication(wanted, nodesOf('a'), mapping('x=c')), {
    code: 'target-unfit',
    message: /no data centre c, which --map-dc names for x; it has a/,
  });
  refuseUnknownDatacenters([wanted], mapping('x=a'));
  assert.throws(() => refuseUnknownDatacenters([wanted], mapping('x=a q=a')), {
    code: 'usage',
    message: '--map-dc q=a: nothing of the restore is kept in q',
    remedy: /: x$/,
  });
});

test('transient replicas are refused', () => {
  const refusal = { code: 'target-unfit', message: /transient replicas .*a: 3\/1/ };
  assert.throws(() => fitted(network({ a: '3/1' }), 'a', 'a', 'a'), refusal);
  const simple = { class: 'SimpleStrategy', replication_factor: '3/1' };
  assert.throws(() => fitted(simple, 'a'), { code: 'target-unfit' });
});

test('replication is written as CQL reads it', () => {
  assert.equal(
    replicationLiteral(network({ "d'c": '2' })),
    "{'class': 'NetworkTopologyStrategy', 'd''c': '2'}",
  );
});
