// Clusterings of several components: nulls, empty values, bounds round the rows they enclose.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { clusteringEnds } from '../record/record-layout.ts';
import type { CassandraType, ScalarName } from '../type/cassandra-type.ts';
import { ByteSink } from './byte-sink.ts';
import { type ClusteringCodec, clusteringCodec } from './clustering-codec.ts';

const scalar = (name: ScalarName): CassandraType => ({ kind: 'scalar', name });
const reversed = (type: CassandraType): CassandraType => ({ kind: 'reversed', type });
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const none = Buffer.alloc(0);

type Components = readonly (Buffer | null)[];

function laidOut(components: Components): { bytes: Buffer; ranges: Int32Array } {
  const ranges = new Int32Array(2 * components.length);
  let at = 0;
  components.forEach((each, i) => {
    ranges[2 * i] = each === null ? -1 : at;
    at += each?.length ?? 0;
    ranges[2 * i + 1] = each === null ? -1 : at;
  });
  return { bytes: Buffer.concat(components.filter((each) => each !== null)), ranges };
}

function row(codec: ClusteringCodec, components: Components): Buffer {
  const { bytes, ranges } = laidOut(components);
  const target = Buffer.alloc(codec.lengthMax(bytes.length));
  return target.subarray(0, codec.encodeRow(bytes, ranges, target, 0));
}

function bound(codec: ClusteringCodec, prefix: Components, end: 'before' | 'after'): Buffer {
  const { bytes, ranges } = laidOut(prefix);
  const target = Buffer.alloc(codec.lengthMax(bytes.length));
  const at = { count: prefix.length, end: clusteringEnds[end] };
  return target.subarray(0, codec.encodeBound(bytes, ranges, at, target, 0));
}

test('a table without clustering columns has rows of the end alone', () => {
  assert.deepEqual(row(clusteringCodec([]), []), Buffer.of(0x38));
});

test('rows have the bytes of the layout', () => {
  const types = [scalar('int'), reversed(scalar('int')), scalar('text')];
  const codec = clusteringCodec(types);
  const hex = (components: Components) => row(codec, components).toString('hex');
  assert.equal(hex([int(1), int(1), Buffer.from('a')]), `40${'80000001'}407ffffffe40${'6100'}38`);
  assert.equal(hex([none, none, none]), '3f41400038');
  assert.equal(hex([null, null, null]), '3e423e38');
});

test('null sorts before empty, empty before values, and the other way round where descending', () => {
  const ascending: Components = [null, none, int(-5), int(7)];
  for (const [type, order] of [
    [scalar('int'), ascending],
    [reversed(scalar('int')), [...ascending].reverse()],
  ] as const) {
    const codec = clusteringCodec([type]);
    const keys = order.map((each) => row(codec, [each]));
    assert.deepEqual([...keys].sort(Buffer.compare), keys);
  }
});

const component = fc.option(fc.oneof(fc.integer({ min: -2, max: 2 }).map(int), fc.constant(none)), {
  freq: 4,
});

test('a bound lies before or after exactly the rows that begin with its prefix', () => {
  const codecs = [
    [scalar('int'), scalar('int')],
    [reversed(scalar('int')), scalar('int')],
    [scalar('int'), reversed(scalar('int'))],
  ].map(clusteringCodec);
  const prefixes = fc.array(component, { maxLength: 2 });
  fc.assert(
    fc.property(
      fc.nat(2),
      prefixes,
      fc.tuple(component, component),
      (which, prefix, components) => {
        const codec = codecs[which] as ClusteringCodec;
        const key = row(codec, components);
        const start = bound(codec, prefix, 'before');
        const end = bound(codec, prefix, 'after');
        const isInside = Buffer.compare(start, key) < 0 && Buffer.compare(key, end) < 0;
        const begins = prefix.every((each, i) => {
          const other = components[i] ?? null;
          return each === null || other === null ? each === other : each.equals(other);
        });
        assert.equal(isInside, begins);
      },
    ),
    { numRuns: sampled(3000) },
  );
});

test('decoding gives back components, nulls and the count of a bound', () => {
  const types = [scalar('int'), reversed(scalar('text')), scalar('blob'), reversed(scalar('uuid'))];
  const codec = clusteringCodec(types);
  const sink = new ByteSink(1);
  const ranges = new Int32Array(8);
  const texts = fc.option(fc.uint8Array({ maxLength: 5 }).map((each) => Buffer.from(each)));
  const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((each) => Buffer.from(each));
  fc.assert(
    fc.property(fc.tuple(component, texts, texts, uuid), fc.nat(4), (all, count) => {
      const prefix = all.slice(0, count);
      const key = Buffer.concat([Buffer.of(1, 2), bound(codec, prefix, 'after')]);
      sink.length = 0;
      assert.equal(codec.decode(key, 2, key.length, sink, ranges), count);
      prefix.forEach((each, i) => {
        const [start, end] = [ranges[2 * i] as number, ranges[2 * i + 1] as number];
        const back = start < 0 ? null : Buffer.from(sink.bytes.subarray(start, end));
        assert.deepEqual(back, each);
      });
    }),
    { numRuns: sampled(2000) },
  );
});

test('clusterings are lossless only when all components are', () => {
  assert.equal(clusteringCodec([scalar('int'), reversed(scalar('text'))]).lossless, true);
  assert.equal(clusteringCodec([scalar('int'), reversed(scalar('decimal'))]).lossless, false);
});
