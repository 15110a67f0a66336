import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedEtcd } from '../../../test/harness/etcd.ts';
import { newPrefix, openEtcd, rawEtcd } from './etcd.fixture.ts';

const cluster = sharedEtcd();

test('a list of many pages is of one moment, while keys move and old revisions are compacted', async () => {
  const { endpoints } = await cluster();
  const prefix = newPrefix();
  await using writer = await openEtcd(endpoints, { prefix });
  await using reader = await openEtcd(endpoints, { prefix });
  const raw = rawEtcd(endpoints[0] as string);
  const name = (i: number): string => `k/${`${i % 4000}`.padStart(4, '0')}`;
  const count = 2000;
  for (let i = 0; i < count; i += 100) {
    const puts = Array.from({ length: 100 }, (_, j) => ({ put: name(i + j), value: `${i + j}` }));
    await writer.transact([], puts);
  }
  const stop = new AbortController();
  const moving = (async () => {
    // The keys wander through the space of names, a hundred at a time: their number stays.
    for (let i = 0; !stop.signal.aborted; i += 50) {
      const moves = Array.from({ length: 50 }, (_, j) => [
        { delete: name(i + j) },
        { put: name(i + j + count), value: '' },
      ]);
      const outcome = await writer.transact([], moves.flat());
      assert.ok(outcome.done);
      if (i % 1000 === 0) await raw.kv.compact({ revision: outcome.revision });
    }
  })();
  for (let i = 0; i < 100; i++) {
    const keys = (await reader.list('k/')).map(({ key }) => key);
    assert.equal(keys.length, count);
    assert.deepEqual(keys, keys.toSorted());
  }
  stop.abort();
  await moving;
  raw.close();
});

test('keys and values of any script come back as they were put', async () => {
  const { endpoints } = await cluster();
  await using coordinator = await openEtcd(endpoints);
  const names = ['a b', 'ключ', '鍵/値', 'z\u{10ffff}', '%2F', '/'];
  await coordinator.transact(
    [],
    names.map((put) => ({ put, value: `${put} = ${put}` })),
  );
  for (const name of names) {
    assert.equal((await coordinator.get(name))?.value, `${name} = ${name}`);
    assert.deepEqual(
      (await coordinator.list(name)).map(({ key }) => key),
      [name],
    );
  }
  assert.equal((await coordinator.list('')).length, names.length);
});
