// A file of a target goes bad on its disk between its import and the proof.
import assert from 'node:assert/strict';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectCql, sharedNode } from '../../../../test/harness/cassandra.ts';
import {
  Captured,
  live,
  openTarget,
  optionsOf,
  restoreAll,
  signal,
} from './target-world.fixture.ts';

const cluster = sharedNode();

test('a damaged file of a node is a proof that failed, and the same command makes the table anew', async () => {
  const there = await cluster();
  await using client = await connectCql(there);
  await client.cql(
    "CREATE KEYSPACE whole WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  );
  await client.cql('CREATE TABLE whole.t (k int PRIMARY KEY, v text)');
  for (let k = 0; k < 200; k++) {
    await client.cql(`INSERT INTO whole.t (k, v) VALUES (${k}, '${'abc'.repeat(k)}')`);
  }
  await using captured = await Captured.of(there, 'whole');
  const [item] = captured.items('broken');
  assert.ok(item);
  const options = optionsOf('whole', 'broken');
  {
    await using target = await openTarget(there);
    await target.plan([item], options, signal);
    await target.begin(signal);
    await target.create(item, signal);
    await target.load(item, live(item.dataset, Date.now()), signal);
    await target.index(item, signal);
    const keyspace = join(there.dataFolder(1), 'broken');
    const folder = join(keyspace, String(await readdir(keyspace)));
    const name = (await readdir(folder)).find((one) => one.endsWith('-Data.db'));
    await using data = await open(join(folder, String(name)), 'r+');
    await data.write(Buffer.alloc(40, 7), 0, 40, 500);
    const told = {
      code: 'proof-failed',
      object: there.address(1),
      message: new RegExp(String(name)),
    };
    await assert.rejects(target.freeze(item, signal), told);
    // As the engine does.
    await target.disproven(item, signal);
  }
  const again = await restoreAll(there, captured, options, 'broken');
  assert.equal(again.records, 200);
});
