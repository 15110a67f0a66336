// What golden files are too small for: rows over many chunks, long partition keys, ranges by the
// index, parts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeyRange } from '../../../model/key-range.ts';
import type { DataRecord, RecordBatch } from '../../../model/record.ts';
import { batchOf, blockOf } from '../../../model/record-block.ts';
import { partitionEnd } from '../key/record-key.ts';
import { keyKinds } from '../record/record-layout.ts';
import { memoryFile } from './memory-file.fixture.ts';
import { type OpenSstable, openSstable } from './open-sstable.ts';
import {
  bigint,
  MemorySink,
  scalar,
  TestRecords,
  testSchema,
  text,
} from './write-records.fixture.ts';
import { type SstableComponent, SstableWriter } from './write-sstable.ts';

const never = new AbortController().signal;
const schema = testSchema({
  partitionKey: [{ name: 'p', type: scalar('text') }],
  clustering: [{ name: 'c', type: scalar('bigint') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});
const longKey = text('long \0 key '.repeat(300));

/** 3 MB of rows in 40 partitions, one of 2 MB alone, one with a long key. */
function manyRecords(): RecordBatch {
  const records = new TestRecords(schema);
  const row = (key: Uint8Array, c: number, length: number): void => {
    const value = Buffer.alloc(length, `${c} and some text`);
    records.row(key, [bigint(c)], { micros: 10 + c, cells: { v: { micros: 10 + c, value } } });
  };
  for (let p = 0; p < 40; p++) for (let c = 0; c < 25; c++) row(text(`key ${p}`), c, 1000);
  row(text('large'), 1, 2_000_000);
  row(text('large'), 2, 30);
  row(longKey, 1, 30);
  const all = [...records.blocks()].flatMap((block) => batchOf(block).records);
  const found = all.findIndex(({ key }) => key.length > 600);
  const { key } = all[found] as { key: Uint8Array };
  const prefix = key.subarray(0, partitionEnd(key, 0, key.length));
  const carrier = Buffer.concat([prefix, Buffer.from([keyKinds.partitionKey])]);
  return all.toSpliced(found, 0, { key: carrier, value: longKey });
}

async function written(batch: RecordBatch, compression: 'lz4' | 'none'): Promise<OpenSstable> {
  const sink = new MemorySink();
  const writer = new SstableWriter({ schema, keyspace: 'k', compression }, sink);
  await writer.write(blockOf(batch));
  await writer.finish();
  const names: readonly string[] = sink.names;
  return openSstable({
    version: 'nb',
    format: 'big',
    name: 'large',
    has: (component) => names.includes(component),
    open: async (component) => memoryFile(sink.bytes(component as SstableComponent)),
  });
}

async function read(sstable: OpenSstable, range: KeyRange): Promise<string[]> {
  const lines: string[] = [];
  for await (const block of sstable.records(range, never)) lines.push(...batchOf(block).map(line));
  return lines;
}

const line = ({ key, value }: DataRecord): string =>
  `${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('latin1')}`;

for (const compression of ['lz4', 'none'] as const) {
  test(`rows of 2 MB and long keys come back as written (${compression})`, async () => {
    const batch = manyRecords();
    const sstable = await written(batch, compression);
    assert.deepEqual(await read(sstable, {}), batch.map(line));
  });

  test(`parts of a file hold together what the whole holds (${compression})`, async () => {
    const batch = manyRecords();
    const sstable = await written(batch, compression);
    const points = await sstable.splitPoints(4);
    assert.ok(points.length >= 2, `${points.length} points`);
    const parts: string[][] = [];
    for (let i = 0; i <= points.length; i++) {
      const [from, to] = [points[i - 1], points[i]];
      parts.push(await read(sstable, { ...(from && { from }), ...(to && { to }) }));
    }
    assert.ok(parts.every((part) => part.length > 0));
    assert.deepEqual(parts.flat(), batch.map(line));
  });
}
