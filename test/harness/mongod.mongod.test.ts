import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chosenMongod } from './get-mongod.ts';
import { startReplicaSet } from './mongod.ts';

test('a set of one takes writes, and takes them again after a kill and a restart', async () => {
  await using set = await startReplicaSet();
  const rows = (): ReturnType<(typeof set.clients)[0]['db']> => set.clients[0]!.db('app');
  await rows()
    .collection('a')
    .insertOne({ x: 1 }, { writeConcern: { w: 'majority', j: true } });
  await set.kill(0);
  await set.restart(0);
  assert.equal(await set.primary(), 0);
  assert.equal(await rows().collection('a').countDocuments(), 1);
});

test('a mongod that cannot be had is refused with what was tried', async () => {
  await assert.rejects(
    chosenMongod({ CODR_MONGOD_VERSION: '1.2.3' }),
    /CODR_MONGOD_VERSION=1\.2\.3: no download is known/,
  );
});
