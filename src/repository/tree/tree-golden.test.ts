import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { goldenText } from '../../../test/golden-file.ts';
import { toHex } from '../../base/bytes.ts';
import { leafId } from '../../model/id.ts';
import type { DataRecord } from '../../model/record.ts';
import { decodeLeaf } from '../leaf/leaf-block.ts';
import { encodeLeaf } from '../leaf/leaf-codec.ts';
import { defaultCut } from './cut-parameters.ts';
import { encodeNode } from './node-codec.ts';
import { memoryContext, partsOf, smallCut, treeOf } from './tree-fixture.ts';
import { encodeTreePart } from './tree-part.ts';

async function assertGolden(name: string, actual: string): Promise<void> {
  assert.equal(actual, await goldenText(name, actual));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Records that any program can make again: keys count up, values repeat a digest of the key. */
function fixedRecords(count: number): DataRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const key = Buffer.from(`record ${String(i).padStart(6, '0')}`);
    const digest = sha256(key.toString());
    const large = i % 500 === 250;
    const length = large ? 100_000 : digest[0]! * 2;
    return { key, value: Buffer.alloc(length, digest) };
  });
}

test('leaves and nodes have the bytes of format version 1', async () => {
  const records = [
    { key: Buffer.from('alpha'), value: Buffer.from('one') },
    { key: Buffer.from('alpine'), value: Buffer.alloc(0) },
    { key: Buffer.from('alpine hut'), value: Buffer.alloc(64, 0xcc), externalBytes: 100_000 },
    { key: Buffer.from('beta'), value: Buffer.alloc(200, 'v') },
  ];
  const blob = encodeLeaf(records);
  assert.equal(decodeLeaf(blob).length, 4);
  await assertGolden('leaf.hex', `${toHex(blob)}\n`);
  const node = encodeNode(2, [
    { key: Buffer.from('alpha'), id: leafId(sha256('a')), records: 3, bytes: 70_000 },
    { key: Buffer.from('alphabet'), id: leafId(sha256('b')), records: 2 ** 40, bytes: 2 ** 50 },
  ]);
  await assertGolden('tree-node.hex', `${toHex(node)}\n`);
});

test('fixed records have the roots of format version 1', async () => {
  const roots: Record<string, unknown> = {};
  for (const [name, count, cut] of [
    ['empty', 0, defaultCut],
    ['2000 records', 2000, defaultCut],
    ['2000 records, small cut', 2000, smallCut],
  ] as const) {
    const context = memoryContext(cut);
    const root = await treeOf(fixedRecords(count), context);
    roots[name] = { ...root, id: toHex(root.id), blobs: context.sink.blobs.size };
  }
  await assertGolden('tree-roots.json', `${JSON.stringify(roots, undefined, 2)}\n`);
});

test('a stored part has the bytes of format version 1', async () => {
  const context = memoryContext(smallCut);
  const [part] = await partsOf(fixedRecords(240), [], context);
  await assertGolden('tree-part.hex', `${toHex(await encodeTreePart(part!, context.sink))}\n`);
});
