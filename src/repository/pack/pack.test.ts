import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ByteRange, ObjectStore } from '../../storage/object-store.ts';
import { InlineSealer } from '../frame/sealer.ts';
import { checkPackContent, checkPackName, indexedPackOf } from './pack-check.ts';
import {
  fixedKeys,
  jsonBlobs,
  namesIn,
  openBlobStore,
  packContext,
  withDamage,
} from './pack-fixture.ts';
import { type PackRef, packAddressOf, packName } from './pack-format.ts';
import { PackReader } from './pack-reader.ts';
import { PackWriter } from './pack-writer.ts';

async function storedPack(
  blobBytes = 500,
): Promise<{ store: ObjectStore; pack: PackRef; name: string }> {
  const store = new MemoryObjectStore();
  const session = (await openBlobStore(store)).session();
  await session.put('leaf', jsonBlobs(1, 3, blobBytes));
  const { newPacks } = await session.flush();
  const pack = newPacks[0] as PackRef;
  return { store, pack, name: packName(pack) };
}

const parts = (store: ObjectStore) => ({
  store,
  reader: new PackReader(store, packContext()),
  idKey: fixedKeys.id,
});

test('a whole pack passes its check, and its name says its kind and hash', async () => {
  const { store, pack, name } = await storedPack();
  await checkPackName(store, pack);
  await checkPackContent(parts(store), pack);
  assert.deepEqual(packAddressOf(name), { id: pack.id, kind: 'd' });
  assert.equal(packAddressOf(name.replace('packs/d', 'packs/x')), undefined);
  assert.equal((await store.get(name)).length, pack.bytes);
});

test('a flipped bit in any byte of a pack is damage, to the name and to the content', async () => {
  const { store, pack, name } = await storedPack();
  for (let at = 0; at < pack.bytes; at++) {
    const damaged = await withDamage(store, name, { flip: at });
    const isDamage = (error: unknown): boolean => isCodrError(error, 'object-damaged');
    await assert.rejects(checkPackContent(parts(damaged), pack), isDamage, `byte ${at}`);
    if (at % 50 === 0) await assert.rejects(checkPackName(damaged, pack), isDamage, `byte ${at}`);
  }
});

test('a pack cut anywhere is damage', async () => {
  const { store, pack, name } = await storedPack();
  for (const cutAt of [0, 1, 63, 64, 65, pack.bytes - 65, pack.bytes - 64, pack.bytes - 1]) {
    const damaged = await withDamage(store, name, { cutAt });
    await assert.rejects(
      checkPackContent(parts(damaged), pack),
      (error) => isCodrError(error, 'object-damaged'),
      `cut at ${cutAt}`,
    );
  }
});

test('a frame does not open in the place of another', async () => {
  const store = new MemoryObjectStore();
  const random = new SeededRandom(3);
  const writer = new PackWriter('c', packContext(), random);
  const [first, second] = [random.bytes(2000), random.bytes(2000)];
  await Promise.all([first, second].map((raw) => writer.addFrame(new Uint8Array(raw)).sealed));
  const { ref, body } = await writer.finish();
  const [header, one, two, ...end] = body;
  await store.create(packName(ref), [header, two, one, ...end] as Uint8Array[]);
  await assert.rejects(parts(store).reader.frames(ref, [0]), (error) =>
    isCodrError(error, 'object-damaged'),
  );
});

test('frames stand in the order of asking, whatever the order in which they are sealed', async () => {
  class SlowFirstSealer extends InlineSealer {
    calls = 0;
    override async seal(...args: Parameters<InlineSealer['seal']>): Promise<Uint8Array> {
      const turns = this.calls++ === 0 ? 10 : 0;
      for (let i = 0; i < turns; i++) await undefined;
      return await super.seal(...args);
    }
  }
  const build = async (sealer: InlineSealer): Promise<string> => {
    const writer = new PackWriter('c', packContext(sealer), new SeededRandom(3));
    const frames = [1, 2, 3].map((n) => writer.addFrame(new SeededRandom(n).bytes(999) as never));
    await Promise.all(frames.map(({ sealed }) => sealed));
    return (await writer.finish()).ref.id;
  };
  const options = { idKey: fixedKeys.id, level: 1 };
  assert.equal(await build(new SlowFirstSealer(options)), await build(new InlineSealer(options)));
});

test('neighbouring frames are fetched by one read, and read again from memory', async () => {
  const store = new CountingStore();
  const writer = new PackWriter('c', packContext(), new SeededRandom(3));
  const raws = Array.from({ length: 20 }, (_, n) => new SeededRandom(n).bytes(50_000));
  await Promise.all(raws.map((raw) => writer.addFrame(new Uint8Array(raw)).sealed));
  const { ref, body } = await writer.finish();
  await store.create(packName(ref), body);
  const { reader } = parts(store);
  const ordinals = [15, 1, 2, 3, 14, 16];
  for (let round = 0; round < 2; round++) {
    const frames = await reader.frames(ref, ordinals);
    for (const n of ordinals) assert.deepEqual(Buffer.from(frames.get(n) as Uint8Array), raws[n]);
  }
  assert.equal(store.reads.length, 3);
});

test('a footer longer than the first read is fetched whole', async () => {
  const store = new CountingStore();
  const blobs = await openBlobStore(store);
  const session = blobs.session();
  const tiny = Array.from({ length: 9000 }, (_, i) => Buffer.from(`leaf ${i}`));
  const ids = await session.put('leaf', tiny);
  const { newPacks } = await session.flush();
  store.reads.length = 0;
  const reader = new PackReader(store, packContext());
  const indexed = await indexedPackOf(reader, newPacks[0] as PackRef);
  assert.deepEqual(indexed.leafIds.map(Buffer.from as never), ids.map(Buffer.from as never));
  assert.equal(store.reads.length, 2);
  assert.equal((await namesIn(store, 'packs/')).length, 1);
});

test('what comes damaged once is read again, and counts as damaged when it does so twice', async () => {
  const { store, pack } = await storedPack();
  let wrong = 0;
  const get = store.get.bind(store);
  store.get = async (...asked) => {
    const bytes = await get(...asked);
    if (wrong-- > 0) bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    return bytes;
  };
  const { reader } = parts(store);
  wrong = 1;
  assert.equal((await reader.footer(pack)).leafCount, 3);
  wrong = 1;
  assert.equal((await reader.frames(pack, [0])).size, 1);
  wrong = 2;
  await assert.rejects(parts(store).reader.footer(pack), { code: 'object-damaged' });
});

test('a reader that leaves does not end the reading of others', async () => {
  const { store, pack } = await storedPack();
  const { reader } = parts(store);
  const leaving = new AbortController();
  const get = store.get.bind(store);
  store.get = async (name, range, signal) => {
    leaving.abort(new Error('left'));
    signal?.throwIfAborted();
    return await get(name, range);
  };
  const left = reader.footer(pack, leaving.signal);
  const stays = reader.footer(pack);
  await assert.rejects(left, /left/);
  assert.equal((await stays).leafCount, 3);
});

/** Notes every ranged read. */
class CountingStore extends MemoryObjectStore {
  readonly reads: ByteRange[] = [];

  override async get(name: string, range?: ByteRange): Promise<Uint8Array> {
    if (range) this.reads.push(range);
    return await super.get(name, range);
  }
}
