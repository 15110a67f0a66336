// Bytes of format version 1 that must stay readable.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenText } from '../../../test/golden-file.ts';
import { fromHex, toHex } from '../../base/bytes.ts';
import { SeededRandom } from '../../base/random.ts';
import { leafId, packId } from '../../model/id.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { type FrameSeal, frameKinds, openFrame, sealFrame } from '../frame/frame-codec.ts';
import { FingerprintIndex } from '../index/fingerprint-index.ts';
import { createRepository, openRepository } from '../keys/repository-config.ts';
import { checkPackContent, checkPackName } from './pack-check.ts';
import { fixedKeys, namesIn, openBlobStore, packContext } from './pack-fixture.ts';
import { packAddressOf } from './pack-format.ts';
import { PackReader } from './pack-reader.ts';

/** `name hex` lines of a golden file. */
async function goldenObjects(
  file: string,
  made: ReadonlyMap<string, Uint8Array>,
): Promise<Map<string, Uint8Array>> {
  const text = [...made].map(([name, bytes]) => `${name} ${toHex(bytes)}\n`).join('');
  const lines = (await goldenText(file, text)).trim().split('\n');
  return new Map(
    lines.map((line) => [line.split(' ')[0] as string, fromHex(line.split(' ')[1] as string)]),
  );
}

async function objectsOf(store: MemoryObjectStore): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  for (const name of await namesIn(store, '')) objects.set(name, await store.get(name));
  return objects;
}

async function storeWith(objects: ReadonlyMap<string, Uint8Array>): Promise<MemoryObjectStore> {
  const store = new MemoryObjectStore();
  for (const [name, bytes] of objects) await store.create(name, [bytes]);
  return store;
}

function assertSame(
  made: ReadonlyMap<string, Uint8Array>,
  wanted: ReadonlyMap<string, Uint8Array>,
): void {
  assert.deepEqual([...made].map(asText), [...wanted].map(asText));
}

const asText = ([name, bytes]: [string, Uint8Array]): string => `${name} ${toHex(bytes)}`;

test('config, slot and KEK of version 1 are written and opened as they were', async () => {
  const made = new MemoryObjectStore();
  const random = new SeededRandom(11);
  const credential = { kind: 'passphrase', passphrase: 'golden' } as const;
  const options = { random, scrypt: { N: 16, r: 1, p: 1 }, cut: { leafBytes: 16384 } };
  const { unlocked } = await createRepository(made, credential, options);
  const wanted = await goldenObjects('keys.hex', await objectsOf(made));
  assertSame(await objectsOf(made), wanted);
  const opened = await openRepository(await storeWith(wanted), credential);
  assert.equal(toHex(opened.unlocked.root), toHex(unlocked.root));
  const salt = new Uint8Array(32);
  const { keys } = opened.unlocked;
  const derived = new Map(
    Object.entries({
      id: keys.id,
      mac: keys.mac,
      boundary: keys.boundary(2, 1),
      seed: Buffer.from(keys.boundarySeed.toString(16).padStart(16, '0'), 'hex'),
      pack: keys.packKey(1, salt),
      entry: keys.entryKey(1, salt),
    }),
  );
  assertSame(derived, await goldenObjects('keys-derived.hex', derived));
});

test('a frame of version 1 is written and opened as it was', async () => {
  const random = new SeededRandom(12);
  const seal: FrameSeal = {
    key: random.bytes(32),
    repositoryId: random.bytes(16),
    salt: random.bytes(32),
    ordinal: 258,
    kind: frameKinds.blobs,
  };
  const raw = random.bytes(40);
  const made = new Map([['raw', sealFrame(raw, seal, 1)]]);
  const wanted = await goldenObjects('frame.hex', made);
  assertSame(made, wanted);
  const stored = wanted.get('raw') as Uint8Array;
  assert.equal(toHex(openFrame(stored, seal, { rawLength: 40, object: 'x' })), toHex(raw));
});

test('a pack of version 1 opens, whatever the version of zstd that wrote it', async () => {
  const made = new MemoryObjectStore();
  const session = (await openBlobStore(made, { seed: 13 })).session();
  await session.put('leaf', [Buffer.from('a leaf'), Buffer.from('another leaf')]);
  await session.put('chunk', [Buffer.alloc(500, 'chunk ')]);
  await session.flush();
  const packs = [...(await objectsOf(made))].filter(([name]) => name.startsWith('packs/'));
  const wanted = await goldenObjects('pack.hex', new Map(packs));
  const store = await storeWith(wanted);
  for (const name of wanted.keys()) {
    const pack = packAddressOf(name);
    assert.ok(pack);
    const reader = new PackReader(store, packContext());
    await checkPackName(store, pack);
    await checkPackContent({ store, reader, idKey: fixedKeys.id }, pack);
    const frame = (await reader.frames(pack, [0])).get(0) as Uint8Array;
    assert.equal(Buffer.from(frame).toString().slice(0, 24), 'a leafanother leafchunk ');
  }
});

test('an index of version 1 is written and searched as it was', async () => {
  const made = new MemoryObjectStore();
  const index = await FingerprintIndex.open(made, { macKey: fixedKeys.mac });
  const random = new SeededRandom(14);
  const leafIds = Array.from({ length: 5 }, () => leafId(random.bytes(32)));
  const id = packId(toHex(random.bytes(32)));
  await index.addPacks([{ ref: { id, kind: 'd', bytes: 1234, leaves: 5 }, leafIds }]);
  const wanted = await goldenObjects('index.hex', await objectsOf(made));
  assertSame(await objectsOf(made), wanted);
  const opened = await FingerprintIndex.open(await storeWith(wanted), { macKey: fixedKeys.mac });
  const found = await opened.lookup(leafIds);
  assert.deepEqual(
    found.map((at) => [at?.pack.id, at?.pack.bytes, at?.leaf]),
    [0, 1, 2, 3, 4].map((n) => [id, 1234, n]),
  );
});
