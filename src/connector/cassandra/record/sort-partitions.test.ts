// Partitions in another order and back, whatever their size; and scratch space that is given back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemorySpill, type Spill, type SpillFile } from '../../../base/spill.ts';
import { type BlockStream, batchOf, type RecordBlock } from '../../../model/record-block.ts';
import { randomPartitioner } from '../key/partitioner.ts';
import { partitionKeyOf } from '../key/record-key.ts';
import { int, scalar, TestRecords, testSchema, text } from '../sstable/write-records.fixture.ts';
import { type PartitionSort, type SortSpace, sortPartitions } from './sort-partitions.ts';

class CountingSpill implements Spill {
  openCount = 0;
  bytesMax = 0;

  async open(): Promise<SpillFile> {
    const file = await new MemorySpill().open();
    this.openCount++;
    let open = true;
    return {
      get length() {
        return file.length;
      },
      append: async (bytes) => {
        await file.append(bytes);
        this.bytesMax = Math.max(this.bytesMax, file.length);
      },
      read: (offset, length) => file.read(offset, length),
      [Symbol.asyncDispose]: async () => {
        if (open) this.openCount--;
        open = false;
      },
    };
  }
}

const schema = testSchema({
  clustering: [{ name: 'c', type: scalar('int') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});
const row = (value: string) => ({
  cells: { v: { micros: 1_700_000_000_000_000, value: text(value) } },
});
const longKey = Buffer.alloc(700, 0x61);

/** 60 small partitions, one of 400 KiB, one whose key is cut. */
function records(): TestRecords {
  const made = new TestRecords(schema);
  for (let p = 0; p < 60; p++) for (let c = 0; c < 3; c++) made.row(int(p), [int(c)], row(`${p}`));
  for (let c = 0; c < 400; c++) made.row(int(1000), [int(c)], row('x'.repeat(1024)));
  made.partitionKey(longKey);
  made.row(longKey, [int(1)], row('long'));
  return made;
}

async function* streamOf(made: TestRecords, perBlock: number): BlockStream {
  yield* made.blocks(perBlock);
}

const textOf = ({ key, value }: { key: Uint8Array; value: Uint8Array }): string =>
  `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`;

const texts = (blocks: Iterable<RecordBlock>): string[] =>
  [...blocks].flatMap((block) => batchOf(block).map(textOf));

function space(
  memoryBytesMax: number,
  spill = new CountingSpill(),
): SortSpace & { spill: CountingSpill } {
  return { memoryBytesMax, spill, signal: new AbortController().signal };
}

const byRandom: PartitionSort<undefined> = {
  placeOf: (raw) => Buffer.concat([randomPartitioner.placeOfKey(raw), raw]),
  groupOf: () => undefined,
};
const byRecords: PartitionSort<undefined> = {
  placeOf: (_, prefix) => prefix.slice(),
  groupOf: () => undefined,
};

test('partitions go into another order and come back, in memory or far beyond it', async () => {
  const wanted = texts(records().blocks());
  for (const memory of [64 * 1024, 64 * 1024 * 1024]) {
    const options = space(memory);
    const there: RecordBlock[] = [];
    for await (const { block } of sortPartitions(streamOf(records(), 50), byRandom, options)) {
      there.push(block);
    }
    assert.equal(options.spill.bytesMax > 0, memory < 400 * 1024);
    assert.equal(options.spill.openCount, 0);
    assert.notDeepEqual(texts(there), wanted);
    // The order of the ring, and each partition in its own.
    const places: Buffer[] = [];
    for (const block of there) {
      for (const { key } of batchOf(block)) {
        const raw = partitionKeyOf(key) ?? longKey;
        places.push(Buffer.from(randomPartitioner.placeOfKey(raw)));
      }
    }
    assert.deepEqual(places, places.toSorted(Buffer.compare));
    const again = async function* (): BlockStream {
      yield* there;
    };
    const back: RecordBlock[] = [];
    const more = space(memory);
    for await (const { block } of sortPartitions(again(), byRecords, more)) back.push(block);
    assert.deepEqual(texts(back), wanted);
  }
});

test('blocks hold one group each, and partitions without a place are left out', async () => {
  const sort: PartitionSort<number> = {
    placeOf: (raw, prefix) => (raw.length > 4 ? undefined : prefix.slice()),
    groupOf: (place) => (place[0] as number) & 0xc0,
  };
  const counts = new Map<number, number>();
  for await (const { group, block } of sortPartitions(
    streamOf(records(), 50),
    sort,
    space(1 << 16),
  )) {
    for (const { key } of batchOf(block)) assert.equal((key[0] as number) & 0xc0, group);
    counts.set(group, (counts.get(group) ?? 0) + block.count);
  }
  assert.equal(counts.size, 4);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(total, 60 * 3 + 400);
});

test('scratch space is given back when the stream is left, fails or is cancelled', async () => {
  const left = space(1 << 16);
  for await (const _ of sortPartitions(streamOf(records(), 50), byRandom, left)) break;
  assert.equal(left.spill.openCount, 0);

  const failing = async function* (): BlockStream {
    yield* records().blocks(50);
    throw new Error('the source broke');
  };
  const failed = space(1 << 16);
  await assert.rejects(
    Array.fromAsync(sortPartitions(failing(), byRandom, failed)),
    /source broke/,
  );
  assert.ok(failed.spill.bytesMax > 0);
  assert.equal(failed.spill.openCount, 0);

  const controller = new AbortController();
  const cancelled = { ...space(1 << 16), signal: controller.signal };
  await assert.rejects(async () => {
    for await (const _ of sortPartitions(streamOf(records(), 50), byRandom, cancelled)) {
      controller.abort(new Error('cancelled'));
    }
  }, /cancelled/);
  assert.equal(cancelled.spill.openCount, 0);
});
