// What the writer promises without a server: vints, column subsets, caps, refusals, files without compression.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { isCodrError } from '../../../base/error.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { OutBytes, vintLength } from './write-bytes.ts';
import { WrittenColumns } from './write-columns.ts';
import {
  bigint,
  int,
  MemorySink,
  scalar,
  TestRecords,
  type TestRow,
  testSchema,
  text,
} from './write-records.fixture.ts';
import { SstableWriter } from './write-sstable.ts';

const base = 1_700_000_000_000_000;
const simple = testSchema({
  clustering: [{ name: 'c', type: scalar('bigint') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});

async function written(records: TestRecords, schema: TableSchema, compression: 'lz4' | 'none') {
  const sink = new MemorySink();
  const writer = new SstableWriter({ schema, keyspace: 'k', compression }, sink);
  for (const block of records.blocks(7)) await writer.write(block);
  return { sink, result: await writer.finish() };
}

/** Reads a vint as the format describes it. */
function readVint(bytes: Buffer, at = 0): bigint {
  const first = bytes[at] as number;
  const more = Math.clz32(~(first << 24));
  let value = more >= 8 ? 0n : BigInt(first & (0xff >> (more + 1)));
  for (let i = 1; i <= Math.min(more, 8); i++)
    value = value * 256n + BigInt(bytes[at + i] as number);
  return value;
}

test('a vint of any 64 bits reads back and is as short as can be', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(63), (wide, shift) => {
      const value = wide >> BigInt(shift);
      const out = new OutBytes(16);
      out.vint64(Number(value >> 32n), Number(value & 0xffff_ffffn));
      assert.equal(readVint(out.taken()), value);
      const bits = value.toString(2).length;
      assert.equal(out.length, bits > 56 ? 9 : Math.ceil(bits / 7));
      if (value <= Number.MAX_SAFE_INTEGER) assert.equal(vintLength(Number(value)), out.length);
    }),
  );
});

test('columns that a row lacks are bits up to 63 columns and numbers from 64 on', () => {
  const subset = (total: number, present: number[]) => {
    const names = Array.from({ length: total }, (_, i) => `c${String(i).padStart(3, '0')}`);
    const columns = new WrittenColumns(
      names.map((name) => ({ name, type: scalar('int') })),
      'k.t',
    );
    columns.present.set(present);
    columns.presentCount = present.length;
    const out = new OutBytes(4);
    columns.subset(out);
    return out.taken().toString('hex');
  };
  assert.equal(subset(3, [1]), '05');
  assert.equal(subset(63, []), 'ff7fffffffffffffff');
  assert.equal(subset(33, [0]), 'f1fffffffe');
  assert.equal(subset(64, [2, 63]), '3e023f');
  // 62 of 64 are there: the two missing ones are listed.
  const most = Array.from({ length: 64 }, (_, i) => i).filter((i) => i !== 5 && i !== 60);
  assert.equal(subset(64, most), '02053c');
});

test('without compression Data.db is raw, with a CRC per 64 KiB and a digest', async () => {
  const records = new TestRecords(simple);
  for (let i = 0; i < 3000; i++) {
    const v = { micros: base, value: text(`value ${i} `.repeat(5)) };
    records.row(int(i), [bigint(i)], { micros: base, cells: { v } });
  }
  const { sink, result } = await written(records, simple, 'none');
  const data = sink.bytes('Data.db');
  const crcs = sink.bytes('CRC.db');
  assert.equal(crcs.readInt32BE(0), 65_536);
  assert.equal(crcs.length, 4 + 4 * Math.ceil(data.length / 65_536));
  assert.equal(crcs.readUInt32BE(8), crc32(data.subarray(65_536, 131_072)));
  assert.equal(sink.bytes('Digest.crc32').toString(), String(crc32(data)));
  assert.equal(result.bytes, data.length);
  assert.equal(result.partitions, 3000);
  assert.deepEqual(sink.bytes('TOC.txt').toString().trim().split('\n'), result.components);
  const order = ['Data.db', 'Index.db', 'CRC.db', 'Digest.crc32', 'Statistics.db', 'TOC.txt'];
  assert.deepEqual(result.components, order);
});

test('expiry after 2038 is cut to the last second that the format holds, and counted', async () => {
  const records = new TestRecords(simple);
  const far = 3_000_000_000;
  const cell = { micros: base + 1, value: text('x'), ttl: 900_000_000, expiry: far };
  records.row(int(1), [bigint(1)], {
    micros: base,
    ttl: 900_000_000,
    expiry: far,
    cells: { v: cell },
  });
  const near = { ...cell, expiry: 2_147_483_646 };
  records.row(int(1), [bigint(2)], { micros: base, cells: { v: near } });
  const { result } = await written(records, simple, 'lz4');
  assert.equal(result.cappedExpiries, 2);
});

test('the index of a wide partition cuts the time of an open range deletion as the data does', async () => {
  const records = new TestRecords(simple);
  const far = { micros: base, seconds: 3_000_000_000 };
  records.marker(int(1), [bigint(0)], 'before', far);
  for (let c = 0; c < 40; c++) {
    const v = { micros: base + 1, value: text('x'.repeat(100)) };
    records.row(int(1), [bigint(c)], { micros: base + 1, cells: { v } });
  }
  records.marker(int(1), [bigint(40)], 'after');
  const sink = new MemorySink();
  const options = {
    schema: simple,
    keyspace: 'k',
    compression: 'lz4',
    indexBlockBytes: 512,
  } as const;
  const writer = new SstableWriter(options, sink);
  for (const block of records.blocks()) await writer.write(block);
  await writer.finish();
  const deletion = (seconds: number): Buffer => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt32BE(seconds, 0);
    bytes.writeBigInt64BE(BigInt(base), 4);
    return bytes;
  };
  const index = sink.bytes('Index.db');
  assert.ok(index.includes(deletion(0x7ffffffe)));
  assert.ok(!index.includes(deletion(far.seconds)));
});

test('a column that the table lacks is named', async () => {
  const records = new TestRecords(simple);
  records.row(int(1), [bigint(1)], { cells: { gone: { micros: base, value: text('x') } } });
  const failure = written(records, simple, 'lz4');
  await assert.rejects(
    failure,
    (error) => isCodrError(error, 'target-unfit') && error.object === 'gone',
  );
});

test('a value of a wrong length is refused, for it would make all that follows unreadable', async () => {
  const schema = testSchema({ regulars: [{ name: 'v', type: scalar('bigint') }] });
  const records = new TestRecords(schema);
  records.row(int(1), [], { cells: { v: { micros: base, value: int(1) } } });
  await assert.rejects(written(records, schema, 'lz4'), (error) =>
    isCodrError(error, 'source-unfit'),
  );
});

test('COMPACT STORAGE tables are refused by name', () => {
  const schema = { ...simple, flags: ['dense'] };
  assert.throws(
    () => new SstableWriter({ schema, keyspace: 'k', compression: 'lz4' }, new MemorySink()),
    (error) => isCodrError(error, 'target-unfit') && error.object === 'k.t',
  );
});

test('no records make no files', async () => {
  const { sink, result } = await written(new TestRecords(simple), simple, 'lz4');
  assert.deepEqual(sink.names, []);
  assert.deepEqual(result.components, []);
});

test('blocks of any size and rows larger than the window give the same files', async () => {
  const row = (i: number): TestRow => {
    const value = text(`${i}`.repeat(i % 50 === 0 ? 200_000 : 10));
    return { micros: base + i, cells: { v: { micros: base + i, value } } };
  };
  const files = await Promise.all(
    [1, 13, 1000].map(async (perBlock) => {
      const records = new TestRecords(simple);
      for (let i = 0; i < 200; i++) records.row(int(i % 3), [bigint(i)], row(i));
      const sink = new MemorySink();
      const writer = new SstableWriter({ schema: simple, keyspace: 'k', compression: 'lz4' }, sink);
      for (const block of records.blocks(perBlock)) await writer.write(block);
      await writer.finish();
      return sink.names.map((name) => sink.bytes(name).toString('hex'));
    }),
  );
  assert.ok(files.every((each) => each.every((bytes, i) => bytes === files[0]?.[i])));
});

test('blocks that files are written of stay as they are: the next node is written of them too', async () => {
  const schema = { ...simple, partitionKey: [{ name: 'p', type: scalar('text') }] };
  const records = new TestRecords(schema);
  for (let p = 0; p < 6; p++) {
    // Longer than a key of records may be: the first record of the partition has it whole.
    const key = text(`${p} of many `.repeat(300));
    records.partitionKey(key);
    records.row(key, [bigint(p)], { micros: base, cells: { v: { micros: base, value: key } } });
  }
  for (const plain of records.blocks()) {
    // As leaves are decoded and blocks are built.
    const block = { ...plain, bytes: Buffer.from(plain.bytes) };
    const data = async (): Promise<Buffer> => {
      const sink = new MemorySink();
      const writer = new SstableWriter({ schema, keyspace: 'k', compression: 'none' }, sink);
      await writer.write(block);
      await writer.finish();
      return sink.bytes('Data.db');
    };
    const first = await data();
    assert.ok(block.bytes.equals(plain.bytes));
    assert.ok((await data()).equals(first));
  }
});

test('an error of the sink comes out of the writer', async () => {
  const records = new TestRecords(simple);
  records.row(int(1), [bigint(1)], { micros: base, cells: {} });
  const sink = { write: () => Promise.reject(new Error('disk full')) };
  const writer = new SstableWriter({ schema: simple, keyspace: 'k', compression: 'lz4' }, sink);
  for (const block of records.blocks()) await writer.write(block);
  await assert.rejects(writer.finish(), /disk full/);
});
