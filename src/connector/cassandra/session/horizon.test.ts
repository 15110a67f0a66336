import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CutMemory } from '../../connector.ts';
import { murmur3Partitioner, randomPartitioner } from '../key/partitioner.ts';
import { tokenMax, tokenMin, tokenPrefix } from '../key/record-key.ts';
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { memoryOf } from './cut-memory.ts';
import { type CutState, firstState } from './cut-state.ts';
import { horizonOfCut, purgeOf } from './horizon.ts';

const table = { id: 't', keyspace: 'ks', clustering: [], gcGraceSeconds: 100, isCounter: false };
const orders = table as unknown as TableSchema;
const keyspace = (factor: number): KeyspaceSchema =>
  ({
    name: 'ks',
    replication: { class: 'SimpleStrategy', replication_factor: String(factor) },
    tables: [orders],
  }) as unknown as KeyspaceSchema;
const names = ['a', 'b', 'c'];
const ring = (partitioner = murmur3Partitioner.className) => ({
  clusterName: 'ring',
  partitioner,
  schemaVersions: ['1'],
  version: '5.0.9',
  up: names,
  nodes: names.map((hostId, i) => ({
    ...{ hostId, address: hostId, nativeAddress: hostId, datacenter: 'dc1', rack: 'r1' },
    tokens: [String(i * 100)],
  })),
});
const hosts = (floors: Record<string, number | undefined>) =>
  Object.fromEntries(
    Object.entries(floors).map(([hostId, floor]) => [
      hostId,
      {
        ...{ address: hostId, cut: 1, runId: '1', truncations: {} },
        tables: { t: { files: [], intervals: [], ...(floor !== undefined && { floor }) } },
      },
    ]),
  );

interface Case {
  readonly factor?: number;
  readonly captured?: readonly string[];
  readonly floors?: Record<string, number | undefined>;
  readonly hurt?: readonly string[];
  readonly partitioner?: string;
}

function horizon({ factor = 3, captured = names, floors, hurt = [], partitioner }: Case) {
  const nodes = names.map((hostId) => ({
    ...{ hostId, address: hostId },
    captured: captured.includes(hostId),
  }));
  const taken = { ring: ring(partitioner), schema: [keyspace(factor)], nodes, beginMs: 500_900 };
  const state = { hosts: hosts(floors ?? { a: 70, b: 50, c: 60 }) };
  return horizonOfCut(taken, state, new Set(hurt));
}

const whole = [[String(tokenMin), String(tokenMax)]];

test('of a cut of all replicas the least floor counts, on the whole ring', () => {
  assert.deepEqual(horizon({}), { beginMs: 500_900, ranges: { ks: whole }, floors: { t: 50 } });
});

test('tokens of which a replica is missing are left out, in whatever data centre it stands', () => {
  assert.deepEqual(horizon({ captured: ['a', 'c'] }).ranges, { ks: [] });
  // With two replicas each, (0, 100] is of b and c, (100, 200] of c and a, and all the rest of a and b.
  const { ranges } = horizon({ factor: 2, captured: ['a', 'c'] });
  assert.deepEqual(ranges, { ks: [['100', '200']] });
});

test('a file that was not read, or cannot tell its floor, leaves the table without one', () => {
  assert.deepEqual(horizon({ hurt: ['t'] }).floors, {});
  assert.deepEqual(horizon({ floors: { a: 70, b: undefined, c: 60 } }).floors, {});
  assert.deepEqual(horizon({ floors: { a: 70, b: 50 } }).floors, {}, 'a host without the table');
});

test('tokens of another partitioner are no part of records: all of the ring, or none', () => {
  const partitioner = randomPartitioner.className;
  assert.deepEqual(horizon({ partitioner }).ranges, { ks: whole });
  assert.deepEqual(horizon({ factor: 2, captured: ['a', 'c'], partitioner }).ranges, {});
});

const memory = (more: Partial<CutState>): CutMemory => memoryOf({ ...firstState, ...more });

test('what a cut remembered says how a table is purged: before its begin less gc_grace_seconds', () => {
  const purge = purgeOf(memory({ horizon: horizon({}) }), orders);
  assert.deepEqual(purge, {
    clusteringCount: 0,
    horizon: { graceSeconds: 400, floorSeconds: 50 },
    ranges: [{ fromExclusive: tokenPrefix(tokenMin), toInclusive: tokenPrefix(tokenMax) }],
  });
});

test('nothing is purged of counters, of a table that is not known, and by what older versions remembered', () => {
  const state = memory({ horizon: horizon({}) });
  assert.equal(purgeOf(state, { ...orders, isCounter: true }), undefined);
  assert.equal(purgeOf(state, { ...orders, id: 'u' }), undefined);
  assert.equal(purgeOf(memory({}), orders), undefined);
});
