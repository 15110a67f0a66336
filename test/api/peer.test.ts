// A whole peer over loopback: an embedded node on a folder, without a database.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { isCodrError } from '../../src/base/error.ts';
import { calm, PeerWorld } from './world.ts';

test('a repository is made, looked at, checked and collected over the wire', async () => {
  await using world = await PeerWorld.open();
  const { remote, node } = world;
  const made = await remote.init({ encryption: true }, calm);
  assert.equal(made.key?.kind, 'passphrase');
  const status = await remote.status({}, calm);
  assert.deepEqual(status, await node.status({}, calm));
  assert.equal(status.repository.id, made.repository.id);
  assert.deepEqual(await remote.listSources(calm), { sources: [] });
  assert.deepEqual((await remote.listKeys(calm)).keys, [made.key]);
  const checked = await remote.check({ readDataPercent: 100, repair: false }, calm);
  assert.deepEqual(checked.problems, []);
  assert.equal((await remote.collect({ dryRun: true }, calm)).packsExamined, 0);
});

test('an error arrives as the same error: code, sentence, object, remedy, causes', async () => {
  await using world = await PeerWorld.open();
  const { remote, node } = world;
  await remote.init({ encryption: true }, calm);
  const uri = 'mongodb://u:hidden@127.0.0.1:1/?serverSelectionTimeoutMS=200';
  const add = { source: 'a', uri, include: [], exclude: [] };
  for (const ask of [
    (api: CodrApi) => api.showSource({ source: 'nope' }, calm),
    (api: CodrApi) => api.backup({ source: 'nope', follow: false, rpoSeconds: undefined }, calm),
    (api: CodrApi) => api.addSource(add, calm),
    (api: CodrApi) => api.removeKey({ id: 'none' }, calm),
  ]) {
    const [here, there] = [await refusal(ask(node)), await refusal(ask(remote))];
    assert.deepEqual(there, here);
    assert.doesNotMatch(JSON.stringify(there), /hidden/);
  }
});

/** What a call was refused with. */
async function refusal(promise: Promise<unknown>): Promise<object> {
  const error = await promise.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isCodrError(error), String(error));
  const { code, message, object, remedy, exitCode, facts } = error;
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { code, message, object, remedy, exitCode, facts, cause };
}
