import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { toHex } from '../../base/bytes.ts';
import { SeededRandom } from '../../base/random.ts';
import type { LeafId } from '../../model/id.ts';
import { leafIdOf } from '../leaf/leaf-id.ts';
import type { BlobKind, LeafSink } from '../leaf/leaf-store.ts';
import { defaultCut } from './cut-parameters.ts';
import { HashOnlySink } from './hash-only-sink.ts';
import { joinParts } from './join.ts';
import { buildRange } from './range-builder.ts';
import {
  fixedHashing,
  fixedKeyId,
  memoryContext,
  seededRecords,
  smallCut,
  streamOf,
  treeOf,
} from './tree-fixture.ts';

const idOf = (kind: BlobKind, blob: Uint8Array): LeafId => leafIdOf(fixedKeyId, kind, blob);

/** Names blobs only when `release` is called for their put. */
class HeldSink implements LeafSink {
  readonly held: { kind: BlobKind; bytes: number; release: () => void }[] = [];
  readonly kept: { blob: Uint8Array; id: string }[] = [];

  async put(kind: BlobKind, blobs: readonly Uint8Array[]): Promise<LeafId[]> {
    const ids = blobs.map((blob) => idOf(kind, blob));
    for (const [i, blob] of blobs.entries()) this.kept.push({ blob, id: toHex(ids[i]!) });
    const bytes = blobs.reduce((sum, blob) => sum + blob.length, 0);
    await new Promise<void>((release) => {
      this.held.push({ kind, bytes, release });
    });
    return ids;
  }
}

/** Lets `work` go on, releasing held puts in an order of chance, until it is done. */
async function releasing<T>(sink: HeldSink, work: Promise<T>, check: () => void): Promise<T> {
  const random = new SeededRandom(1);
  let done = false;
  const watched = work.finally(() => {
    done = true;
  });
  while (!done) {
    // Every step of the builder that needs no answer has run when this resolves.
    await setImmediate();
    check();
    sink.held.splice(random.below(sink.held.length || 1), 1)[0]?.release();
  }
  return watched;
}

test('a sink that answers late and out of order gets the same tree', async () => {
  const records = seededRecords(1, 6000, 600);
  const cut = { ...defaultCut, id: 'test', leafBytes: 2048, valueInlineBytesMax: 500 };
  const expected = await treeOf(records, memoryContext(cut));
  const sink = new HeldSink();
  const context = { sink, hashing: fixedHashing, cut, putsInFlightMax: 3 };
  const build = async () => joinParts([await buildRange(streamOf(records), context)], context);
  assert.deepEqual(await releasing(sink, build(), () => {}), expected);
});

test('no more puts are in flight than allowed, each of about 256 KiB', async () => {
  for (const [count, valueBytesMax] of [
    [10_000, 400],
    [200, 32 * 1024],
  ] as const) {
    const records = seededRecords(2, count, valueBytesMax);
    const sink = new HeldSink();
    const context = { sink, hashing: fixedHashing, cut: defaultCut, putsInFlightMax: 2 };
    const sizes: number[] = [];
    let most = 0;
    await releasing(sink, buildRange(streamOf(records, count), context), () => {
      most = Math.max(most, sink.held.length);
      for (const { bytes } of sink.held) sizes.push(bytes);
    });
    assert.equal(most, 2);
    assert.ok(Math.max(...sizes) <= 256 * 1024);
    assert.ok(sizes.filter((size) => size >= 200 * 1024).length >= 5);
  }
});

test('blobs stay as they were put, for as long as the sink keeps them', async () => {
  const sink = new HeldSink();
  const context = { sink, hashing: fixedHashing, cut: smallCut };
  const records = seededRecords(3, 4000, 700);
  await releasing(sink, buildRange(streamOf(records), context), () => {});
  const leaves = sink.kept.filter(({ blob }) => blob[1] === 1 && blob[0] === 1);
  assert.ok(leaves.length > 500);
  for (const { blob, id } of leaves) assert.equal(toHex(idOf('leaf', blob)), id);
});

test('a sink that fails ends the build with its error', async () => {
  const failure = new Error('store is full');
  for (const failing of ['leaf', 'node', 'chunk'] as const) {
    const sink: LeafSink = {
      put: async (kind, blobs) => {
        if (kind === failing) throw failure;
        return blobs.map((blob) => idOf(kind, blob));
      },
    };
    const context = { sink, hashing: fixedHashing, cut: smallCut };
    await assert.rejects(buildRange(streamOf(seededRecords(4, 3000, 400)), context), failure);
  }
});

test('an aborted signal ends the build with its reason', async () => {
  const reason = new Error('enough');
  const context = { ...memoryContext(), signal: AbortSignal.abort(reason) };
  await assert.rejects(buildRange(streamOf(seededRecords(5, 10)), context), reason);
});

test('a sink that only hashes gives the root of one that stores', async () => {
  const records = seededRecords(6, 1000, 500);
  const stored = await treeOf(records, memoryContext());
  const hashed = { sink: new HashOnlySink(idOf), hashing: fixedHashing, cut: smallCut };
  assert.deepEqual(await treeOf(records, hashed, [300]), stored);
});

test('a part counts its records and raw bytes, and keeps only its edges', async () => {
  const records = seededRecords(7, 3000, 500);
  const part = await buildRange(streamOf(records), memoryContext());
  assert.equal(part.records, 3000);
  assert.equal(
    part.bytes,
    records.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
  );
  assert.ok(part.leaves.split && part.leaves.head.length + part.leaves.tail.length < 30);
  assert.ok(part.nodes.length >= 2);
});

test('an average leaf is as long as the target', async () => {
  const context = memoryContext(defaultCut);
  const root = await treeOf(seededRecords(8, 20_000, 500), context);
  const leaves = [...context.sink.blobs.keys()].filter((name) => name.startsWith('leaf')).length;
  const average = root.bytes / leaves;
  assert.ok(average > 14_000 && average < 18_500, `${average} bytes`);
});
