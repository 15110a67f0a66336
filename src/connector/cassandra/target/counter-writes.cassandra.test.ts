// Somebody adds to a counter between the look at its empty table and the end of the import.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectCql, sharedNode } from '../../../../test/harness/cassandra.ts';
import { silentLogger } from '../../../base/log.ts';
import type { RecordStream } from '../../../model/record.ts';
import { Captured, live, openTarget, optionsOf, signal } from './target-world.fixture.ts';

const cluster = sharedNode();

test('what is added to counters between two imports is refused: it takes the place of what is imported', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  const add = (keyspace: string, k: number): Promise<unknown> =>
    client.cql(`UPDATE ${keyspace}.c SET n = n + 5 WHERE k = ${k}`);
  await client.cql(
    "CREATE KEYSPACE counted WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TABLE counted.c (k int PRIMARY KEY, n counter)');
  for (let k = 0; k < 20; k++) for (let i = 0; i < 3; i++) await add('counted', k);
  await using captured = await Captured.of(there, 'counted');
  const [item] = captured.items('recounted');
  assert.ok(item);
  const added: Promise<unknown>[] = [];
  // The node counts in the copy under the name that it had in the source.
  const info = (_: unknown, text: string): void => {
    if (!text.includes(' 1 of 2 groups')) return;
    for (let k = 0; k < 20; k++) added.push(add('recounted', k));
  };
  const log = { ...silentLogger, info };
  await using target = await openTarget(there, there.nodes, { groupBytes: 1, log } as never);
  await target.plan([item], optionsOf('counted', 'recounted'), signal);
  await target.begin(signal);
  await target.create(item, signal);
  // A stream that does not follow the one before has files of its own.
  for (const isUpper of [true, false]) {
    const half = async function* (): RecordStream {
      for await (const batch of live(item.dataset, Date.now())) {
        yield batch.filter(({ key }) => (key[0] as number) >= 0x80 === isUpper);
      }
    };
    await target.load(item, half(), signal);
  }
  const refused = { code: 'target-unfit', message: /counters of recounted\.c were incremented/ };
  await assert.rejects(target.index(item, signal), refused);
  await target.leftBehind(signal);
  await Promise.all(added);
  assert.equal(added.length, 20);
  const { rows } = await client.cql('SELECT n FROM recounted.c');
  // Neither what was restored nor the sum: the younger history of the shard has taken the place of the other.
  const lost = rows.filter(({ n }) => Number(n) === 5);
  assert.ok(lost.length > 0, `nothing was lost: ${rows.map(({ n }) => n)}`);
});
