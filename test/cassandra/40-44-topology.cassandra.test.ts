// 40, 44: a replica that missed writes and deletes is captured, and the point goes to clusters of other
// sizes: exact on every replica by itself, and nothing was ever repaired.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { types } from 'cassandra-driver';
import { forEachLimit } from '../../src/base/async.ts';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';
import { connectCql, startCassandra } from '../harness/cassandra.ts';
import { askThemselves, assertEachAlone, assertSameRows, type SeenRows, seen } from './oracle.ts';
import { CassandraWorld, type ProtectedCluster } from './world.ts';

interface Scene extends AsyncDisposable {
  readonly world: CassandraWorld;
  readonly shop: ProtectedCluster;
  readonly wanted: SeenRows;
}

let scene: Promise<Scene> | undefined;
after(async () => await (await scene)?.[Symbol.asyncDispose]());

/** Three nodes, one of which was down while much was written and deleted; a cut, then what ALL says. */
async function open(): Promise<Scene> {
  const source = await startCassandra({ ...askThemselves(3), hints: false });
  const world = await CassandraWorld.open();
  await using client = await connectCql(source);
  await client.cql(
    "CREATE KEYSPACE shop WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}",
  );
  await client.cql(
    'CREATE TABLE shop.orders (k int, c int, v text, s text static, PRIMARY KEY (k, c))',
  );
  const write = async (from: number, to: number, text: string): Promise<void> => {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i);
    await forEachLimit(numbers, 32, async (i) => {
      await client.client.execute(
        'INSERT INTO shop.orders (k, c, v, s) VALUES (?, ?, ?, ?)',
        [i % 100, i, `${text} ${i}`, text],
        { prepare: true, consistency: types.consistencies.quorum },
      );
    });
  };
  await write(0, 1000, 'first');
  await missing(source, 3, async () => {
    await write(500, 1500, 'missed');
    const quorum = { consistency: types.consistencies.quorum };
    for (let k = 0; k < 100; k += 7) {
      await client.client.execute(`DELETE FROM shop.orders WHERE k = ${k}`, [], quorum);
      const some = `DELETE FROM shop.orders WHERE k = ${k + 1} AND c > 300 AND c < 900`;
      await client.client.execute(some, [], quorum);
    }
  });
  const shop = await world.protect('shop', source);
  const { grade } = await shop.backup();
  assert.equal(grade, 'complete');
  await using again = await connectCql(source);
  const wanted = await seen(again, 'shop');
  await source[Symbol.asyncDispose]();
  return { world, shop, wanted, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** Runs `work` while a node is dead and all others know it. */
async function missing(
  cluster: CassandraCluster,
  node: number,
  work: () => Promise<void>,
): Promise<void> {
  await cluster.stopNode(node, 'SIGKILL');
  const service = 'org.apache.cassandra.db:type=StorageService';
  const deadline = Date.now() + 60_000;
  for (;;) {
    const live = (await cluster.jmx(1).read(service, 'LiveNodes')) as string[];
    if (live.length === cluster.nodes.length - 1) break;
    assert.ok(Date.now() < deadline, 'the node is not seen to be down');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await work();
  await cluster.startNode(node);
  await cluster.waitCql(node);
  await cluster.waitRing();
}

for (const nodes of [1, 2, 5]) {
  const title = nodes === 1 ? 'to one node' : `to ${nodes} nodes of ${nodes === 5 ? 1 : 16} tokens`;
  test(`40, 44: a replica that missed writes and deletes, restored ${title}, exact on each replica`, async () => {
    scene ??= open();
    const { shop, wanted } = await scene;
    const tokens = nodes === 5 ? { numTokens: 1 } : {};
    await using target = await startCassandra({ ...askThemselves(nodes), ...tokens });
    const restored = await shop.restoreTo(target);
    assert.deepEqual(
      restored.datasets.map(({ to, proven }) => [to, proven]),
      [['shop.orders', true]],
    );
    await using client = await connectCql(target);
    await assertEachAlone(target, 'shop', wanted);
    assertSameRows(await seen(client, 'shop'), wanted);
  });
}
