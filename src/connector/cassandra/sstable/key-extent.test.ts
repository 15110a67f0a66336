import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { wholeRange } from '../../../model/key-range.ts';
import { type BlockStream, batchOf } from '../../../model/record-block.ts';
import { partitionEnd, rawPartitionKey } from '../key/record-key.ts';
import { goldenFiles } from './golden-files.fixture.ts';
import { keyExtent, notBefore } from './key-extent.ts';
import { openSstable } from './open-sstable.ts';

const signal = new AbortController().signal;

/** The first and the last prefix that the records themselves have. */
async function readExtent(records: BlockStream): Promise<(string | undefined)[]> {
  const prefixes: string[] = [];
  for await (const block of records) {
    for (const { key } of batchOf(block)) {
      prefixes.push(Buffer.from(key.subarray(0, partitionEnd(key, 0, key.length))).toString('hex'));
    }
  }
  return [prefixes[0], prefixes.at(-1)];
}

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex');

/** As `nb` has it: the first and the last key behind samples of the index. */
function summaryOf(first: Uint8Array, last: Uint8Array): Buffer {
  const samples = Buffer.from('of any length, and of no use here');
  const head = Buffer.alloc(24);
  head.writeInt32BE(128, 0);
  head.writeInt32BE(1, 4);
  head.writeBigInt64BE(BigInt(samples.length), 8);
  const keys = [first, last].flatMap((key) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(key.length);
    return [length, key];
  });
  return Buffer.concat([head, samples, ...keys]);
}

test('of nb, Index.db says where the partitions begin, and Summary.db where they end', async () => {
  const records = (await openSstable(goldenFiles('nb', 'simple'))).records(wholeRange, signal);
  const [first, last] = await readExtent(records);
  const key = rawPartitionKey(Buffer.from(last as string, 'hex')) as Uint8Array;
  const changes = { 'Summary.db': summaryOf(Buffer.from('no key'), key) };
  const extent = await keyExtent(goldenFiles('nb', 'simple', changes));
  assert.deepEqual([hex(extent.first), hex(extent.last)], [first, last]);
  assert.notEqual(first, last);
});

for (const format of ['oa', 'da'] as const) {
  test(`of ${format}, Statistics.db says where the partitions begin and end`, async () => {
    const files = goldenFiles(format, 'simple');
    const { first, last } = await keyExtent(files);
    const records = (await openSstable(files)).records(wholeRange, signal);
    assert.deepEqual([hex(first), hex(last)], await readExtent(records));
    assert.notEqual(hex(first), hex(last));
  });
}

test('what small components do not say is not known', async () => {
  const bare = { 'Index.db': undefined, 'Summary.db': undefined };
  assert.deepEqual(await keyExtent(goldenFiles('nb', 'simple', bare)), {});
  const broken = { 'Index.db': Buffer.from([0]), 'Summary.db': Buffer.alloc(30, 0xff) };
  assert.deepEqual(await keyExtent(goldenFiles('nb', 'simple', broken)), {});
  const cut = { 'Summary.db': summaryOf(Buffer.from('a'), Buffer.from('bc')).subarray(0, -1) };
  assert.equal((await keyExtent(goldenFiles('nb', 'simple', cut))).last, undefined);
});

test('records before the first key that was said are damage', async () => {
  const files = goldenFiles('da', 'simple');
  const { last } = await keyExtent(files);
  const records = (await openSstable(files)).records(wholeRange, signal);
  const checked = notBefore(records, last as Uint8Array, files);
  await assert.rejects(readExtent(checked), (error) => isCodrError(error, 'file-damaged'));
});
