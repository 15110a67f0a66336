// Ranges, split points, and files that are damaged or of others. What records say is held by
// read-golden.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodrError } from '../../../base/error.ts';
import { type KeyRange, rangeHolds } from '../../../model/key-range.ts';
import { batchOf } from '../../../model/record-block.ts';
import { type Changes, goldenFiles } from './golden-files.fixture.ts';
import { openSstable } from './open-sstable.ts';

const never = new AbortController().signal;
const codecs = [
  'codec_deflate',
  'codec_lz4',
  'codec_none',
  'codec_raw',
  'codec_snappy',
  'codec_zstd',
];

async function readAll(table: string, changes: Changes = {}, range: KeyRange = {}) {
  const sstable = await openSstable(goldenFiles('nb', table, changes));
  const records: { key: Uint8Array; value: Uint8Array }[] = [];
  for await (const block of sstable.records(range, never)) records.push(...batchOf(block));
  return records;
}

const bytesOf = async (table: string, component: string): Promise<Uint8Array> => {
  const file = await goldenFiles('nb', table).open(component);
  return Uint8Array.from(await file.read(0, file.size));
};

const damagedIn =
  (component: string) =>
  (error: CodrError): boolean =>
    error.code === 'file-damaged' && (error.object?.endsWith(component) ?? false);

for (const table of ['ranges', 'indexed_partition', 'ordering', 'statics']) {
  test(`any range of ${table} gives the records whose keys it holds`, async () => {
    const all = await readAll(table);
    for (const from of [undefined, ...all]) {
      for (const to of [undefined, ...all.slice(0, 30)]) {
        const range = { ...(from && { from: from.key }), ...(to && { to: to.key }) };
        const expected = all.filter(({ key }) => rangeHolds(range, key));
        assert.deepEqual(await readAll(table, {}, range), expected);
      }
    }
  });
}

for (const table of codecs) {
  test(`every flipped bit in Data.db of ${table} is found`, async () => {
    const bytes = await bytesOf(table, 'Data.db');
    for (let i = 0; i < bytes.length; i += 3) {
      const flipped = Uint8Array.from(bytes);
      flipped[i] = (flipped[i] as number) ^ (1 << (i & 7));
      await assert.rejects(readAll(table, { 'Data.db': flipped }), damagedIn('Data.db'));
    }
  });

  test(`Data.db of ${table} that ends early is found wherever it ends`, async () => {
    const bytes = await bytesOf(table, 'Data.db');
    for (let length = 0; length < bytes.length; length += 5) {
      const cut = { 'Data.db': bytes.subarray(0, length) };
      await assert.rejects(readAll(table, cut), damagedIn('Data.db'));
    }
  });
}

test('every flipped bit in Statistics.db that the reader needs is found', async () => {
  const bytes = await bytesOf('simple', 'Statistics.db');
  for (let i = 0; i < bytes.length; i += 7) {
    const flipped = Uint8Array.from(bytes);
    flipped[i] = (flipped[i] as number) ^ 0x10;
    await assert.rejects(
      readAll('simple', { 'Statistics.db': flipped }),
      damagedIn('Statistics.db'),
    );
  }
});

test('no flipped bit in CompressionInfo.db gives other records', async () => {
  const bytes = await bytesOf('codec_lz4', 'CompressionInfo.db');
  const all = await readAll('codec_lz4');
  let found = 0;
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    const read = await readAll('codec_lz4', { 'CompressionInfo.db': flipped }).catch(
      (error: CodrError) => error,
    );
    if (read instanceof Error) {
      assert.match((read as CodrError).code ?? read.message, /^(file-damaged|source-unfit)$/);
      found++;
    } else assert.deepEqual(read, all);
  }
  assert.ok(found > bytes.length, `${found} of ${8 * bytes.length}`);
});

test('missing files are named', async () => {
  for (const component of ['Data.db', 'Statistics.db']) {
    await assert.rejects(readAll('simple', { [component]: undefined }), damagedIn(component));
  }
});

test('a file that is read as a whole has the digest of its Data.db, or is damaged', async () => {
  const all = await readAll('simple');
  await assert.rejects(
    readAll('simple', { 'Digest.crc32': Buffer.from('1') }),
    damagedIn('Data.db'),
  );
  assert.deepEqual(await readAll('simple', { 'Digest.crc32': undefined }), all);
  // What stands behind the last chunk counts too.
  const longer = Buffer.concat([await bytesOf('simple', 'Data.db'), Buffer.from([0])]);
  const info = await bytesOf('simple', 'CompressionInfo.db');
  const odd = { 'Data.db': longer, 'CompressionInfo.db': info };
  await assert.rejects(readAll('simple', odd), damagedIn('Data.db'));
});

test('an unknown version, compressor or type is refused by name', async () => {
  const info = await bytesOf('simple', 'CompressionInfo.db');
  const other = Buffer.from(Buffer.from(info).toString('latin1').replace('LZ4C', 'LZ5C'), 'latin1');
  await assert.rejects(readAll('simple', { 'CompressionInfo.db': other }), /LZ5Compressor/);
  const version = { ...goldenFiles('nb', 'simple'), version: 'me' };
  await assert.rejects(openSstable(version), { code: 'source-unfit', message: /version me/ });
});

test('an index entry that points elsewhere is found when it is used', async () => {
  const all = await readAll('simple');
  const index = await bytesOf('simple', 'Index.db');
  // The first entry: two bytes of length, a key of four bytes, then the position, which is 0.
  index[6] = 1;
  const range = { from: (all[1] as { key: Uint8Array }).key };
  await assert.rejects(readAll('simple', { 'Index.db': index }, range), (error: CodrError) => {
    return error.code === 'file-damaged';
  });
});

test('reading stops with the reason of its signal', async () => {
  const sstable = await openSstable(goldenFiles('nb', 'simple'));
  const stopped = AbortSignal.abort(new Error('enough'));
  const first = sstable.records({}, stopped)[Symbol.asyncIterator]();
  await assert.rejects(first.next(), /enough/);
});
