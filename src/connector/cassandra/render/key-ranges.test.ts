// Which keys a condition means: of keys that the codecs write for rows, those within its ranges are exactly the rows
// that the condition, read as a predicate over plain numbers, holds for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareBytes } from '../../../base/bytes.ts';
import { type KeyRange, rangeHolds } from '../../../model/key-range.ts';
import { clusteringCodec } from '../key/clustering-codec.ts';
import {
  partitionPrefixBytesMax,
  tokenMax,
  tokenMin,
  tokenPrefix,
  writePartitionPrefix,
} from '../key/record-key.ts';
import { keyKinds } from '../record/record-layout.ts';
import type { Column, TableSchema } from '../schema/table-schema.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { parseKey, parseQuery, parseTokenRange } from './key-ranges.ts';

const int: CassandraType = { kind: 'scalar', name: 'int' };
const text: CassandraType = { kind: 'scalar', name: 'text' };
const descending: CassandraType = { kind: 'reversed', type: int };

function schemaOf(partitionKey: readonly Column[], clustering: readonly Column[]): TableSchema {
  return {
    ...{ keyspace: 'ks', table: 't', id: '', partitionKey, clustering },
    statics: [{ name: 's', type: int }],
    regulars: [{ name: 'v', type: int }],
    ...{ dropped: [], isCounter: false, flags: ['compound'], compaction: {}, compression: {} },
    ...{ gcGraceSeconds: 864_000, defaultTtlSeconds: 0 },
  };
}

const columns = (...names: string[]): Column[] => names.map((name) => ({ name, type: int }));
const one = schemaOf(columns('k'), columns('c', 'd'));
const reversed = schemaOf(columns('k'), [{ name: 'c', type: descending }]);

const i32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

function prefixOf(raw: Uint8Array): Uint8Array {
  const target = new Uint8Array(partitionPrefixBytesMax);
  return target.subarray(0, writePartitionPrefix(raw, 0, raw.length, target, 0));
}

/** The key of the row of these integers. */
function rowKey(schema: TableSchema, k: number, ...clustering: number[]): Uint8Array {
  const codec = clusteringCodec(schema.clustering.map(({ type }) => type));
  const values = Buffer.concat(clustering.map(i32));
  const ranges = Int32Array.from(clustering.flatMap((_, i) => [4 * i, 4 * i + 4]));
  const target = new Uint8Array(codec.lengthMax(values.length));
  const row = target.subarray(0, codec.encodeRow(values, ranges, target, 0));
  return Buffer.concat([prefixOf(i32(k)), Buffer.of(keyKinds.clustering), row]);
}

const staticKey = (k: number): Uint8Array =>
  Buffer.concat([prefixOf(i32(k)), Buffer.of(keyKinds.static)]);

const holds = (ranges: readonly KeyRange[], key: Uint8Array): boolean =>
  ranges.some((range) => rangeHolds(range, key));

const small = [-2, -1, 0, 1, 2, 3];

test('a condition means exactly the rows that it holds for, and the static rows of their partitions', () => {
  type Row = { k: number; c: number; d: number };
  const conditions: [string, (row: Row) => boolean][] = [
    ['k = 1', ({ k }) => k === 1],
    ['k IN (2, -1, 2)', ({ k }) => k === 2 || k === -1],
    ['k = 1 AND c = 2', ({ k, c }) => k === 1 && c === 2],
    ['k = 1 and c >= 0 and c < 2', ({ k, c }) => k === 1 && c >= 0 && c < 2],
    ['c > 0 AND c <= 2 AND k = 1', ({ k, c }) => k === 1 && c > 0 && c <= 2],
    [
      'k IN (0, 1) AND c IN (3, 1) AND d > -1',
      ({ k, c, d }) => (k === 0 || k === 1) && (c === 1 || c === 3) && d > -1,
    ],
    ['k = 1 AND c = 1 AND d = -2', ({ k, c, d }) => k === 1 && c === 1 && d === -2],
    ['k = 1 AND c > 2 AND c < 1', () => false],
  ];
  for (const [condition, wanted] of conditions) {
    const ranges = parseQuery(one, condition);
    for (const k of small) {
      for (const c of small) {
        for (const d of small) {
          const isHeld = holds(ranges, rowKey(one, k, c, d));
          assert.equal(isHeld, wanted({ k, c, d }), `${condition}: ${k} ${c} ${d}`);
        }
      }
    }
  }
  const ranges = parseQuery(one, 'k = 1 AND c > 1');
  assert.deepEqual([holds(ranges, staticKey(1)), holds(ranges, staticKey(2))], [true, false]);
});

test('the rows of a descending column are found by the order of its values, not of its keys', () => {
  for (const operator of ['<', '<=', '>', '>=', '=']) {
    const ranges = parseQuery(reversed, `k = 1 AND c ${operator} 1`);
    const found = small.filter((c) => holds(ranges, rowKey(reversed, 1, c)));
    const wanted = {
      '<': [-2, -1, 0],
      '<=': [-2, -1, 0, 1],
      '>': [2, 3],
      '>=': [1, 2, 3],
      '=': [1],
    }[operator];
    assert.deepEqual(found, wanted, operator);
  }
});

test('ranges ascend and are disjoint, whatever the order of the values', () => {
  const ranges = parseQuery(one, 'k IN (3, 1, 2) AND c IN (5, 4, 5)');
  assert.equal(ranges.length, 3 * 3);
  ranges.slice(1).forEach(({ from }, i) => {
    assert.ok(compareBytes(ranges[i]?.to as Uint8Array, from as Uint8Array) <= 0);
  });
});

test('the key of several columns is one partition: each value behind its length', () => {
  const composite = schemaOf(
    [
      { name: 'a', type: int },
      { name: 'b', type: text },
    ],
    [],
  );
  const raw = Buffer.concat([
    Buffer.of(0, 4),
    i32(7),
    Buffer.of(0),
    Buffer.of(0, 2),
    Buffer.from("x'"),
    Buffer.of(0),
  ]);
  const row = Buffer.concat([prefixOf(raw), Buffer.of(keyKinds.clustering, 0x38)]);
  for (const key of ["b = 'x''' AND a = 7", '{"b": "x\'", "a": 7}']) {
    const { ranges, isOne } = parseKey(composite, key);
    assert.equal(isOne, true);
    assert.ok(rangeHolds(ranges.at(-1) as KeyRange, row), key);
  }
});

test('a whole primary key names one row, which the last range holds alone; a part of one names many', () => {
  const { ranges, isOne } = parseKey(one, '{"k": 1, "c": 2, "d": 3}');
  assert.equal(isOne, true);
  assert.equal(rangeHolds(ranges.at(-1) as KeyRange, rowKey(one, 1, 2, 3)), true);
  assert.equal(rangeHolds(ranges.at(-1) as KeyRange, staticKey(1)), false);
  assert.equal(holds(ranges, staticKey(1)), true);
  assert.deepEqual(
    ['k = 1', 'k = 1 AND c = 2', 'k = 1 AND c = 2 AND d IN (1, 2)'].map(
      (key) => parseKey(one, key).isOne,
    ),
    [false, false, false],
  );
});

test('what cannot be asked for is said with its table and column', () => {
  const faults: [string, RegExp][] = [
    ['v = 1', /^ks\.t: column "v" is not of the primary key: only "k", "c", "d"/],
    ['x = 1', /there is no column "x"; the primary key has "k", "c", "d"/],
    ['c = 1', /column "k" of the partition key must be given/],
    ['k > 1', /column "k" of the partition key takes = and IN, not >/],
    ['k = 1 AND d = 1', /column "d" cannot be asked for where "c" is not given/],
    ['k = 1 AND c > 1 AND d = 1', /column "d" cannot be asked for where "c" takes a range/],
    ['k = 1 AND k = 2', /column "k" is given twice/],
    ['k = 1 AND c > 1 AND c >= 2', /column "c" is given twice/],
    ["k = 'x'", /column "k": 'x' is no int/],
    ['k = 2147483648', /column "k": 2147483648 is no int/],
    ['k = null', /column "k": null is no value of a key/],
    ['k = 1 OR k = 2', /AND, or the end expected, not OR/],
    ['k != 1', /=, <, <=, >, >= or IN expected, not !=/],
    ['k = ', /a value expected, not the end/],
    ['(c, d) > (1, 2)', /relations of several columns at once/],
    ['k = 1 %', /"%" is no CQL/],
  ];
  for (const [condition, message] of faults) {
    assert.throws(() => parseQuery(one, condition), { code: 'usage', message }, condition);
  }
  assert.throws(() => parseKey(one, '{"k":'), { code: 'usage', message: /is no JSON object/ });
  const list = Array.from({ length: 101 }, (_, i) => i).join();
  assert.throws(() => parseQuery(one, `k IN (${list}) AND c IN (${list})`), { code: 'usage' });
});

test('a day that its month does not have is refused, and not taken for a later one', () => {
  for (const name of ['date', 'timestamp'] as const) {
    const keyed = schemaOf([{ name: 'k', type: { kind: 'scalar', name } }], []);
    assert.equal(parseQuery(keyed, "k = '2028-02-29'").length, 2);
    for (const day of ['2026-02-29', '2026-04-31', '2026-02']) {
      const refused = { code: 'usage', message: new RegExp(`'${day}' is no ${name}`) };
      assert.throws(() => parseQuery(keyed, `k = '${day}'`), refused);
    }
  }
});

test('a name in quotes keeps its letters, one without is small', () => {
  const quoted = schemaOf([{ name: 'My "k"', type: int }], []);
  assert.equal(parseQuery(quoted, '"My ""k""" = 1').length, 2);
  assert.equal(parseQuery(one, 'K = 1').length, 1);
});

test('a token range holds what comes after FROM, up to TO, and goes round the end of the ring', () => {
  const tokens = [tokenMin, -6n, -5n, 0n, 7n, 8n, tokenMax];
  const held = (range: string): bigint[] => {
    const ranges = parseTokenRange(range);
    return tokens.filter((token) =>
      holds(ranges, Buffer.concat([tokenPrefix(token), Buffer.of(7)])),
    );
  };
  assert.deepEqual(held('-5..7'), [0n, 7n]);
  assert.deepEqual(held('7..-5'), [tokenMin, -6n, -5n, 8n, tokenMax]);
  assert.deepEqual(held(`${tokenMin}..0`), [-6n, -5n, 0n]);
  assert.deepEqual(held(`${tokenMax}..-6`), [tokenMin, -6n]);
  assert.deepEqual(held('7..7'), tokens);
  for (const range of ['1', '1..x', `${tokenMax + 1n}..0`, '0-5']) {
    assert.throws(() => parseTokenRange(range), { code: 'usage' }, range);
  }
});
