import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes } from './bytes.ts';
import { type SortRecord, sortRecords } from './external-sort.ts';
import { SeededRandom } from './random.ts';
import { MemorySpill, type Spill, type SpillFile } from './spill.ts';

/** Counts scratch files that are open and that ever were. */
class CountingSpill implements Spill {
  openCount = 0;
  opened = 0;
  readonly #spill = new MemorySpill();

  async open(): Promise<SpillFile> {
    const file = await this.#spill.open();
    this.openCount++;
    this.opened++;
    let disposed = false;
    return {
      get length() {
        return file.length;
      },
      append: (bytes) => file.append(bytes),
      read: (offset, length) => file.read(offset, length),
      [Symbol.asyncDispose]: async () => {
        if (!disposed) this.openCount--;
        disposed = true;
        await file[Symbol.asyncDispose]();
      },
    };
  }
}

function randomRecords(count: number): SortRecord[] {
  const random = new SeededRandom(3);
  return Array.from({ length: count }, (_, i) => ({
    key: random.bytes(1 + random.below(2)),
    value: Buffer.from(`${i}`.padStart(8)),
  }));
}

async function* inBatches(records: readonly SortRecord[]): AsyncGenerator<SortRecord[]> {
  for (let i = 0; i < records.length; i += 37) yield records.slice(i, i + 37);
}

async function gather(batches: AsyncIterable<readonly SortRecord[]>): Promise<string[]> {
  const all: string[] = [];
  for await (const batch of batches) {
    for (const { key, value } of batch) all.push(Buffer.concat([key, value]).toString('hex'));
  }
  return all;
}

const expected = (records: readonly SortRecord[]): string[] =>
  records
    .toSorted((a, b) => compareBytes(a.key, b.key))
    .map(({ key, value }) => Buffer.concat([key, value]).toString('hex'));

test('records that fit into memory are sorted without scratch space', async () => {
  const spill = new CountingSpill();
  const records = randomRecords(500);
  const sorted = await gather(sortRecords(inBatches(records), { memoryBytesMax: 1 << 20, spill }));
  assert.deepEqual(sorted, expected(records));
  assert.equal(spill.opened, 0);
});

test('records beyond memory are sorted through scratch space, equal keys in their old order', async () => {
  const spill = new CountingSpill();
  const records = randomRecords(3000);
  const sorted = await gather(sortRecords(inBatches(records), { memoryBytesMax: 30_000, spill }));
  assert.deepEqual(sorted, expected(records));
  assert.deepEqual([spill.opened, spill.openCount], [1, 0]);
});

test('more sorted runs than one merge reads are merged in passes', async () => {
  const spill = new CountingSpill();
  const records = randomRecords(4000);
  const sorted = await gather(sortRecords(inBatches(records), { memoryBytesMax: 1000, spill }));
  assert.deepEqual(sorted, expected(records));
  assert.ok(spill.opened >= 3, `${spill.opened} scratch files`);
  assert.equal(spill.openCount, 0);
});

test('a record larger than the memory limit is sorted all the same', async () => {
  const spill = new CountingSpill();
  const large = { key: Buffer.from('b'), value: Buffer.alloc(50_000, 7) };
  const records = [large, { key: Buffer.from('c'), value: large.value }, ...randomRecords(20)];
  const sorted = await gather(sortRecords(inBatches(records), { memoryBytesMax: 5000, spill }));
  assert.deepEqual(sorted, expected(records));
});

test('a sort that is left early gives its scratch space back', async () => {
  const spill = new CountingSpill();
  for await (const _ of sortRecords(inBatches(randomRecords(3000)), {
    memoryBytesMax: 5000,
    spill,
  }))
    break;
  assert.equal(spill.opened > 0, true);
  assert.equal(spill.openCount, 0);
});

test('scratch space that gives less back than was written is an error, not fewer records', async () => {
  const inner = new MemorySpill();
  const open = async (): Promise<SpillFile> => {
    const file = await inner.open();
    const read = (offset: number, length: number): Promise<Uint8Array> =>
      file.read(offset, length - 1);
    return Object.assign(Object.create(file), { read, append: file.append.bind(file) });
  };
  const options = { memoryBytesMax: 1000, spill: { open } };
  const sorting = gather(sortRecords(inBatches(randomRecords(100)), options));
  await assert.rejects(sorting, { code: 'failed' });
});

test('no records give no batch', async () => {
  const sorted = sortRecords(inBatches([]), { memoryBytesMax: 10, spill: new MemorySpill() });
  assert.deepEqual(await gather(sorted), []);
});
