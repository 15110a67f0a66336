// Points of a source restored beside it, into a keyspace that is named by the point.
import assert from 'node:assert/strict';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import type { TestClient } from '../harness/cassandra.ts';
import { assertSameRows, type SeenRows, seen } from './oracle.ts';
import type { ProtectedCluster } from './world.ts';

/** Asserts that a point, given back whole and proven, has the wanted rows. */
export type AssertPoint = (
  client: TestClient,
  source: ProtectedCluster,
  at: string,
  wanted: SeenRows,
) => Promise<void>;

/** For sources whose keyspace has their name, on the cluster of a file. */
export function pointsBeside(cluster: () => Promise<CassandraCluster>): AssertPoint {
  return async (client, source, at, wanted) => {
    const to = `${source.name}_${at.replace(':', '')}`;
    const renames = [`${source.name}.*=${to}.*`];
    const restored = await source.restoreTo(await cluster(), { at, renames });
    assert.ok(restored.datasets.every(({ proven }) => proven));
    assertSameRows(await seen(client, to), wanted, at);
  };
}
