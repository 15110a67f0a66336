import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-catalogue.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { openFixture } from '../collect/repository-fixture.ts';
import { namesIn, withDamage } from '../pack/pack-fixture.ts';
import { encodeCheckedJson, type JsonObject } from './checked-json.ts';
import { addSlot, listSlots, openKeys, removeSlot } from './key-slots.ts';
import { type Credential, scryptCostFits } from './key-wrap.ts';
import {
  createRepository,
  openRepository,
  readConfig,
  requireCut,
  requireFeatures,
} from './repository-config.ts';
import { deriveRepositoryKeys } from './repository-keys.ts';

const scrypt = { N: 16, r: 1, p: 1 };
const phrase = (passphrase: string): Credential => ({ kind: 'passphrase', passphrase });
const keyFile: Credential = { kind: 'key-file', content: new SeededRandom(5).bytes(64) };
const options = () => ({ random: new SeededRandom(1), scrypt, cut: { leafBytes: 16384 } });
const fails = (code: ErrorCode) => (error: unknown) => isCodrError(error, code);

async function created(credential: Credential | undefined = phrase('one')) {
  const store = new MemoryObjectStore();
  return { store, ...(await createRepository(store, credential, options())) };
}

test('a passphrase, or a key file added later, opens the same keys', async () => {
  const { store, unlocked } = await created();
  await addSlot(store, unlocked, keyFile, { random: new SeededRandom(2) });
  for (const credential of [phrase('one'), keyFile]) {
    const { unlocked: again, config } = await openRepository(store, credential);
    assert.deepEqual(again.keys.id, unlocked.keys.id);
    assert.deepEqual(
      again.keys.packKey(1, new Uint8Array(32)),
      unlocked.keys.packKey(1, new Uint8Array(32)),
    );
    assert.deepEqual(config.cut, { leafBytes: 16384 });
  }
  const kinds = (await listSlots(store, unlocked.repositoryId)).map(({ kind }) => kind).sort();
  assert.deepEqual(kinds, ['key-file', 'passphrase']);
});

test('a wrong passphrase is key-wrong, none is key-missing, no repository is repository-missing', async () => {
  const { store } = await created();
  await assert.rejects(openRepository(store, phrase('two')), fails('key-wrong'));
  await assert.rejects(openRepository(store, keyFile), fails('key-wrong'));
  await assert.rejects(openRepository(store, undefined), fails('key-missing'));
  await assert.rejects(
    openRepository(new MemoryObjectStore(), phrase('one')),
    fails('repository-missing'),
  );
});

test('the same passphrase in another Unicode form opens', async () => {
  const { store } = await created(phrase('Zu\u0308rich'));
  await openRepository(store, phrase('Z\u00fcrich'));
});

test('a repository without encryption opens with nothing', async () => {
  const { store } = await created();
  const plain = new MemoryObjectStore();
  await createRepository(plain, undefined, options());
  assert.equal((await openRepository(plain, undefined)).unlocked.slot.kind, 'open');
  await assert.rejects(openRepository(store, undefined), fails('key-missing'));
});

test('a second repository at the same place is refused and harms nothing', async () => {
  const { store } = await created();
  await assert.rejects(
    createRepository(store, phrase('two'), options()),
    fails('repository-exists'),
  );
  await openRepository(store, phrase('one'));
});

test('keys left by an init that did not finish are ignored', async () => {
  const { store } = await created();
  await store.remove('config');
  const again = { ...options(), random: new SeededRandom(99) };
  const { unlocked } = await createRepository(store, phrase('two'), again);
  await openRepository(store, phrase('two'));
  await assert.rejects(openRepository(store, phrase('one')), fails('key-wrong'));
  assert.equal((await listSlots(store, unlocked.repositoryId)).length, 1);
});

test('a removed slot opens no more, and the last one is refused', async () => {
  const { store, unlocked } = await created();
  const { repositoryId } = unlocked;
  await addSlot(store, unlocked, keyFile, { random: new SeededRandom(2) });
  await removeSlot(store, repositoryId, unlocked.slot.id);
  await assert.rejects(openRepository(store, phrase('one')), fails('key-wrong'));
  const { unlocked: left } = await openRepository(store, keyFile);
  await assert.rejects(removeSlot(store, repositoryId, left.slot.id), fails('key-last'));
  await assert.rejects(removeSlot(store, repositoryId, '0000000000000000'), fails('usage'));
});

test('a new key epoch gives new pack keys and keeps the old ones', async () => {
  const { unlocked } = await created();
  const [root, salt, kek] = [unlocked.root, new Uint8Array(32), new Uint8Array(32).fill(1)];
  const one = deriveRepositoryKeys(root, new Map([[1, kek]]));
  const two = deriveRepositoryKeys(
    root,
    new Map([
      [1, kek],
      [2, new Uint8Array(32)],
    ]),
  );
  assert.deepEqual([one.epoch, two.epoch], [1, 2]);
  assert.notDeepEqual(two.packKey(2, salt), two.packKey(1, salt));
  assert.deepEqual(two.packKey(1, salt), one.packKey(1, salt));
  assert.throws(() => one.packKey(2, salt), fails('object-missing'));
});

test('keys for other uses differ', async () => {
  const { unlocked } = await created();
  const { keys } = unlocked;
  const all = [keys.id, keys.mac, keys.boundary(0, 0), keys.boundary(1, 0), keys.boundary(0, 1)];
  assert.equal(new Set(all.map((key) => Buffer.from(key).toString('hex'))).size, 5);
});

test('a flipped bit in any byte of a slot, a KEK or the config is damage', async () => {
  const { store, unlocked } = await created();
  for (const name of await namesIn(store, '')) {
    const { length } = await store.get(name);
    for (let at = 0; at < length; at++) {
      const damaged = await withDamage(store, name, { flip: at });
      const opening = openRepository(damaged, phrase('one'));
      await assert.rejects(opening, fails('object-damaged'), `${name} byte ${at}`);
    }
  }
  assert.equal(unlocked.slot.kind, 'passphrase');
});

test('a damaged slot does not hinder another one from opening', async () => {
  const { store, unlocked } = await created();
  await addSlot(store, unlocked, keyFile, { random: new SeededRandom(2) });
  const damaged = await withDamage(store, `keys/${unlocked.slot.id}`, { flip: 20 });
  await openKeys(damaged, unlocked.repositoryId, keyFile);
});

test('a config that someone else wrote, with a sound checksum, is damage once the keys are open', async () => {
  const { store, config } = await created();
  const forged = await rewritten(store, { ...config, cut: { leafBytes: 1 } });
  assert.deepEqual((await readConfig(forged)).cut, { leafBytes: 1 });
  await assert.rejects(openRepository(forged, phrase('one')), fails('object-damaged'));
});

test('a config with a feature or a format that is not known needs a newer program', async () => {
  const { store, config } = await created();
  const read = { ...config, features: { ...config.features, read: ['delta'] } };
  await assert.rejects(readConfig(await rewritten(store, read)), fails('format-unknown'));
  await assert.rejects(
    readConfig(await rewritten(store, { ...config, format: 2 })),
    fails('format-unknown'),
  );
  const write = { ...config, features: { ...config.features, write: ['delta'] } };
  requireFeatures(write, 'read');
  assert.throws(() => requireFeatures(write, 'write'), fails('format-unknown'));
});

test('whoever gives a passphrase does not get in by an open slot', async () => {
  const { store } = await created();
  const own = new MemoryObjectStore();
  await createRepository(own, undefined, { ...options(), random: new SeededRandom(2) });
  await store.remove('config');
  for await (const { name } of own.list('')) await store.create(name, [await own.get(name)]);
  await assert.rejects(openRepository(store, phrase('one')), (error) => {
    return isCodrError(error, 'key-wrong') && /is not encrypted/.test(error.message);
  });
});

test('an open slot that somebody planted stops nobody, with a passphrase or without', async () => {
  const encrypted = await created();
  await plantSlot(encrypted.store, encrypted.config.repositoryId, '0');
  assert.equal(
    (await openRepository(encrypted.store, phrase('one'))).unlocked.slot.kind,
    'passphrase',
  );
  const plain = new MemoryObjectStore();
  const { config, unlocked } = await createRepository(plain, undefined, options());
  await plantSlot(plain, config.repositoryId, '0');
  assert.deepEqual((await openRepository(plain, undefined)).unlocked.root, unlocked.root);
});

test('a slot of a kind or a format of a newer version is listed as such and passed over', async () => {
  const { store, config, unlocked } = await created();
  await plantSlot(store, config.repositoryId, '0', { kind: 'yubikey' });
  await plantSlot(store, config.repositoryId, '1', { format: 2 });
  assert.equal((await openRepository(store, phrase('one'))).unlocked.slot.id, unlocked.slot.id);
  const kinds = (await listSlots(store, config.repositoryId)).map(({ kind }) => kind);
  assert.deepEqual(kinds.sort(), ['format 2', 'passphrase', 'yubikey']);
  await assert.rejects(openRepository(store, phrase('two')), fails('key-wrong'));
  const removing = removeSlot(store, config.repositoryId, unlocked.slot.id);
  await assert.rejects(removing, fails('key-last'));
  await removeSlot(store, config.repositoryId, '0'.repeat(16));
});

test('a repository that is cut otherwise needs another version', async () => {
  const { config } = await created();
  requireCut(config, { leafBytes: 16384 });
  assert.throws(() => requireCut(config, { leafBytes: 4096 }), fails('format-unknown'));
  assert.throws(() => requireCut(config, { leafBytes: 16384, more: 1 }), fails('format-unknown'));
  const store = new MemoryObjectStore();
  await createRepository(store, undefined, options());
  await assert.rejects(openFixture(store, { seed: 1 }), fails('format-unknown'));
});

test('scrypt costs that nobody would choose are not tried', () => {
  assert.ok(scryptCostFits({ N: 2 ** 15, r: 8, p: 1 }));
  for (const cost of [
    { N: 2 ** 30, r: 8, p: 1 },
    { N: 3, r: 8, p: 1 },
    { N: 16, r: 0, p: 1 },
    {},
  ]) {
    assert.ok(!scryptCostFits(cost as never));
  }
});

async function rewritten(store: ObjectStore, config: object): Promise<ObjectStore> {
  const copy = await withDamage(store, '', { flip: 0 });
  await copy.remove('config');
  await copy.create('config', [encodeCheckedJson(config as JsonObject)]);
  return copy;
}

/** A slot with a root of zeros, of kind `open` unless `other` says more. */
async function plantSlot(
  store: ObjectStore,
  repositoryId: string,
  digit: string,
  other: JsonObject = {},
): Promise<void> {
  const id = digit.repeat(16);
  const body = { format: 1, id, repositoryId, kind: 'open', root: '00'.repeat(32), ...other };
  await store.create(`keys/${id}`, [encodeCheckedJson(body)]);
}
