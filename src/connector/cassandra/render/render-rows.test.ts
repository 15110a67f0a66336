// How rows are shown: against what sstabledump says of the golden SSTables, and value by value. A key that is shown
// must be found again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenNames, goldenSstable } from '../../../../test/harness/golden-sstable.ts';
import { fromHex } from '../../../base/bytes.ts';
import { rangeHolds } from '../../../model/key-range.ts';
import type { DataRecord } from '../../../model/record.ts';
import { batchOf } from '../../../model/record-block.ts';
import { clusteringCodec } from '../key/clustering-codec.ts';
import { clusteringEnds } from '../record/record-layout.ts';
import type { Column, TableSchema } from '../schema/table-schema.ts';
import { goldenFiles } from '../sstable/golden-files.fixture.ts';
import { openSstable } from '../sstable/open-sstable.ts';
import type { CassandraType, ScalarName } from '../type/cassandra-type.ts';
import { encodeValue } from './encode-value.ts';
import { parseKey } from './key-ranges.ts';
import { jsonLiteral } from './literal.ts';
import { renderKey, renderRows } from './render-rows.ts';
import { valueJson } from './value-json.ts';

interface Golden {
  readonly schema: TableSchema;
  readonly records: readonly DataRecord[];
}

/** The columns as the file's header has them; names of key columns are in the schema beside it. */
async function golden(table: string): Promise<Golden> {
  const sstable = await openSstable(goldenFiles('nb', table));
  const { header } = sstable;
  const rows = goldenSstable('nb', table).schema().columns;
  const keysOf = (kind: string, types: readonly CassandraType[]): Column[] =>
    rows
      .filter((row) => row.kind === kind)
      .sort((a, b) => Number(a.position) - Number(b.position))
      .map((row, i) => ({ name: String(row.column_name), type: types[i] as CassandraType }));
  const { keyType } = header;
  const components = keyType.kind === 'composite' ? keyType.components : [keyType];
  const schema: TableSchema = {
    ...{ keyspace: 'golden', table, id: '' },
    partitionKey: keysOf('partition_key', components),
    clustering: keysOf('clustering', header.clustering),
    statics: header.statics.map(({ name, type }) => ({ name, type })),
    regulars: header.regulars.map(({ name, type }) => ({ name, type })),
    ...{ dropped: [], isCounter: false, flags: [], compaction: {}, compression: {} },
    ...{ gcGraceSeconds: 0, defaultTtlSeconds: 0 },
  };
  const records: DataRecord[] = [];
  for await (const block of sstable.records({}, new AbortController().signal)) {
    records.push(...batchOf(block));
  }
  return { schema, records };
}

test('every row of every golden table is JSON, with the columns of its schema', async () => {
  let rows = 0;
  for (const table of goldenNames('nb')) {
    const { schema, records } = await golden(table);
    const names = [schema.partitionKey, schema.clustering, schema.statics, schema.regulars];
    for (const text of renderRows(schema, records)) {
      const row = JSON.parse(text) as object;
      assert.deepEqual(
        Object.keys(row).sort(),
        names
          .flat()
          .map(({ name }) => name)
          .sort(),
        table,
      );
      rows++;
    }
  }
  assert.ok(rows > 200, `${rows} rows`);
});

test('the key of a golden row, as it is shown, finds that row alone', async () => {
  let shown = 0;
  for (const table of goldenNames('nb')) {
    const { schema, records } = await golden(table);
    for (const record of records) {
      if (record.key.at(-1) !== clusteringEnds.row) continue;
      const text = renderKey(schema, record);
      // Of a key that is cut the row itself does not hold the whole.
      if (text.startsWith('{"partition": "0x')) continue;
      const { ranges, isOne } = parseKey(schema, text);
      const last = ranges.at(-1);
      assert.ok(isOne && last && rangeHolds(last, record.key), `${table}: ${text}`);
      const held = records.filter(({ key }) => rangeHolds(last, key));
      // A range deletion may begin or end at the very row.
      assert.deepEqual(
        held.filter(({ key }) => key.at(-1) === clusteringEnds.row),
        [record],
        `${table}: ${text}`,
      );
      shown++;
    }
  }
  assert.ok(shown > 200, `${shown} keys`);
});

test('cells have writetime, ttl and expiry; statics are told with each row', async () => {
  const { schema, records } = await golden('collections');
  const rows = renderRows(schema, records).map((text) => JSON.parse(text));
  const four = rows.find(({ p }) => p === 4);
  assert.deepEqual(Object.keys(four.v), ['value', 'writetime']);
  assert.equal(four.v.value, 1);
  const two = rows.find(({ p }) => p === 2);
  assert.deepEqual(two.m.value, { ttl: 4, y: 3 });
  assert.deepEqual([two.m.ttl[1], two.m.expires[1]], [null, null]);
  assert.match(two.m.expires[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const withStatics = await golden('statics');
  const shown = renderRows(withStatics.schema, withStatics.records).map((text) => JSON.parse(text));
  const [name] = withStatics.schema.statics.map((column) => column.name) as [string];
  assert.ok(shown.some((row) => row[name] !== null));
});

const scalar = (name: ScalarName): CassandraType => ({ kind: 'scalar', name });
const int = scalar('int');
const text = scalar('text');

test('each type is shown as SELECT JSON shows it, without losing a digit, and reads back', () => {
  const shown: [CassandraType, string, string][] = [
    [text, '22c3a9', '"\\"é"'],
    [scalar('ascii'), '61', '"a"'],
    [scalar('bigint'), '8000000000000000', '-9223372036854775808'],
    [scalar('blob'), '00ff', '"0x00ff"'],
    [scalar('boolean'), '01', 'true'],
    [scalar('date'), '80000001', '"1970-01-02"'],
    [scalar('date'), '00000000', '0'],
    [scalar('decimal'), '0000000264', '1.00'],
    [scalar('decimal'), 'fffffffd01', '1E+3'],
    [scalar('decimal'), '0000000aff', '-1E-10'],
    [scalar('double'), 'c000000000000000', '-2'],
    [scalar('double'), '7ff8000000000000', '"NaN"'],
    [scalar('float'), '3dcccccd', '0.1'],
    [scalar('inet'), '7f000001', '"127.0.0.1"'],
    [scalar('inet'), '20010db8000000000000000000000001', '"2001:db8:0:0:0:0:0:1"'],
    [int, 'ffffffff', '-1'],
    [scalar('smallint'), '7fff', '32767'],
    [scalar('tinyint'), '80', '-128'],
    [scalar('time'), '00004e94914effff', '"23:59:59.999999999"'],
    [scalar('timestamp'), '0000000000000001', '"1970-01-01 00:00:00.001Z"'],
    [scalar('timestamp'), '7fffffffffffffff', '9223372036854775807'],
    [scalar('uuid'), '00112233445566778899aabbccddeeff', '"00112233-4455-6677-8899-aabbccddeeff"'],
    [scalar('varint'), '00ffffffffffffffffff', '4722366482869645213695'],
    [int, '', '""'],
    [{ kind: 'list', element: int, frozen: true }, '00000001000000040000000a', '[10]'],
    [
      { kind: 'map', key: int, value: text, frozen: true },
      '000000010000000400000001000000016' + '1',
      '{"1": "a"}',
    ],
    [{ kind: 'tuple', fields: [int, text] }, '0000000400000001ffffffff', '[1, null]'],
    [
      {
        kind: 'udt',
        keyspace: 'ks',
        name: 'u',
        fields: [
          { name: 'a', type: int },
          { name: 'b', type: text },
        ],
        frozen: true,
      },
      'ffffffff0000000162',
      '{"a": null, "b": "b"}',
    ],
    [{ kind: 'vector', element: scalar('float'), dimension: 2 }, '3fc0000000000000', '[1.5, 0]'],
    [{ kind: 'vector', element: text, dimension: 2 }, '01610162', '["a", "b"]'],
  ];
  for (const [type, hex, json] of shown) {
    assert.equal(valueJson(type, fromHex(hex)), json);
    const again = encodeValue(type, jsonLiteral(json));
    assert.equal(again && Buffer.from(again).toString('hex'), hex, json);
  }
});

test('a counter is the sum of its shards, a duration its months, days and nanoseconds', () => {
  const shard = (count: string): string => `${'11'.repeat(16)}0000000000000001${count}`;
  const context = `000180 00${shard('0000000000000005')}${shard('fffffffffffffffe')}`;
  assert.equal(valueJson(scalar('counter'), fromHex(context.replaceAll(' ', ''))), '3');
  assert.equal(valueJson(scalar('duration'), fromHex('1a0406')), '"1y1mo2d3ns"');
  assert.equal(valueJson(scalar('duration'), fromHex('010203')), '"-1mo1d2ns"');
  assert.equal(valueJson(scalar('duration'), fromHex('000000')), '"0s"');
});

test('collections of keys are put into their order, and equal elements are one', () => {
  const set: CassandraType = { kind: 'set', element: int, frozen: true };
  const bytes = encodeValue(set, jsonLiteral('[3, -1, 3]'));
  assert.equal(valueJson(set, bytes), '[-1, 3]');
});

test('a clustering value is shown as it was written, though its key is that of all equal ones', () => {
  const decimal = scalar('decimal');
  const codec = clusteringCodec([decimal]);
  const value = fromHex('0000000264');
  const target = new Uint8Array(64);
  const end = codec.encodeRow(value, Int32Array.of(0, value.length), target, 0);
  const partition = [...fromHex('8000000000000000'), 0x61, 0, 0x40];
  const key = Uint8Array.from([...partition, ...target.subarray(0, end)]);
  const schema: TableSchema = {
    ...{ keyspace: 'ks', table: 't', id: '' },
    partitionKey: [{ name: 'k', type: text }],
    clustering: [{ name: 'c', type: decimal }],
    ...{ statics: [], regulars: [], dropped: [], isCounter: false, flags: [] },
    ...{ compaction: {}, compression: {}, gcGraceSeconds: 0, defaultTtlSeconds: 0 },
  };
  // Timestamp and originals: the length and one, the bytes.
  const row = fromHex('0906000000026400000000000003e8');
  assert.deepEqual(renderRows(schema, [{ key, value: row }]), ['{"k": "a", "c": 1.00}']);
});
