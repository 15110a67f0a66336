// A deleted counter is a tombstone like any other: said to be a counter as well, its merge would count it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf } from '../../../model/record-block.ts';
import { memoryFile } from './memory-file.fixture.ts';
import { openSstable } from './open-sstable.ts';
import { MemorySink, scalar, TestRecords, testSchema, text } from './write-records.fixture.ts';
import { type SstableComponent, SstableWriter } from './write-sstable.ts';

const schema = {
  ...testSchema({
    partitionKey: [{ name: 'p', type: scalar('text') }],
    clustering: [{ name: 'c', type: scalar('text') }],
    regulars: [{ name: 'n', type: scalar('counter') }],
  }),
  isCounter: true,
};

test('the tombstone of a counter is read as a tombstone alone', async () => {
  const records = new TestRecords(schema);
  records.row(text('p'), [text('c')], { cells: { n: { micros: 7, expiry: 1_700_000_000 } } });
  const [block] = [...records.blocks()];
  assert.ok(block);
  const sink = new MemorySink();
  const writer = new SstableWriter({ schema, keyspace: 'k', compression: 'none' }, sink);
  await writer.write(block);
  await writer.finish();
  const names: readonly string[] = sink.names;
  const sstable = await openSstable({
    ...{ version: 'nb', format: 'big', name: 'counter' },
    has: (component) => names.includes(component),
    open: async (component) => memoryFile(sink.bytes(component as SstableComponent)),
  });
  const read: unknown[] = [];
  for await (const one of sstable.records({}, new AbortController().signal)) {
    read.push(...batchOf(one).map(({ value }) => Buffer.from(value)));
  }
  assert.deepEqual(
    read,
    batchOf(block).map(({ value }) => Buffer.from(value)),
  );
});
