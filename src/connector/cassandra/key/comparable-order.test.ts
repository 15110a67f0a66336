// Forms against the independent comparators of order-cases.fixture.ts, for random pairs of each type.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CassandraType } from '../type/cassandra-type.ts';
import { ByteSink } from './byte-sink.ts';
import { type ClusteringCodec, clusteringCodec } from './clustering-codec.ts';
import { comparableCodec } from './comparable.ts';
import { orderCases } from './order-cases.fixture.ts';

const runs = 600;

function clusteringOf(codec: ClusteringCodec, value: Buffer): Buffer {
  const target = Buffer.alloc(codec.lengthMax(value.length));
  const end = codec.encodeRow(value, Int32Array.of(0, value.length), target, 0);
  assert.ok(end <= target.length, 'a form is within its bound');
  return target.subarray(0, end);
}

function formOf(type: CassandraType, value: Buffer): Buffer {
  const codec = comparableCodec(type);
  const target = Buffer.alloc(codec.lengthMax(value.length) + 1);
  return target.subarray(0, codec.encode(value, 0, value.length, target, 0));
}

for (const { cql, type, values, compare } of orderCases) {
  test(`${cql}: clusterings sort, ascending and descending, as CQL compares the values`, () => {
    const ascending = clusteringCodec([type]);
    const descending = clusteringCodec([{ kind: 'reversed', type }]);
    fc.assert(
      fc.property(values, values, (a, b) => {
        const expected = compare(a, b);
        const up = Buffer.compare(clusteringOf(ascending, a), clusteringOf(ascending, b));
        assert.equal(up, expected, `${a.toString('hex')} and ${b.toString('hex')}`);
        const down = Buffer.compare(clusteringOf(descending, a), clusteringOf(descending, b));
        assert.equal(down, expected === 0 ? 0 : -expected);
      }),
      { numRuns: runs },
    );
  });

  test(`${cql}: decoding gives back the value, or an equal one when it is not lossless`, () => {
    for (const each of [type, { kind: 'reversed', type } as const]) {
      const codec = clusteringCodec([each]);
      const sink = new ByteSink(4);
      const ranges = new Int32Array(2);
      fc.assert(
        fc.property(values, (value) => {
          const key = clusteringOf(codec, value);
          sink.length = 0;
          assert.equal(codec.decode(key, 0, key.length, sink, ranges), 1);
          const back = Buffer.from(sink.bytes.subarray(ranges[0], ranges[1]));
          if (codec.lossless) assert.deepEqual(back, value);
          else assert.equal(compare(back, value), 0, `${value.toString('hex')}`);
          assert.deepEqual(clusteringOf(codec, back), key);
        }),
        { numRuns: runs },
      );
    }
  });

  test(`${cql}: no form is another's beginning when a separator follows it`, () => {
    for (const each of [type, { kind: 'reversed', type } as const]) {
      fc.assert(
        fc.property(values, values, fc.integer({ min: 0x20, max: 0x60 }), (a, b, separator) => {
          fc.pre(a.length > 0 && b.length > 0 && compare(a, b) !== 0);
          const first = Buffer.concat([formOf(each, a), Buffer.of(separator)]);
          assert.notDeepEqual(formOf(each, b).subarray(0, first.length), first);
        }),
        { numRuns: runs },
      );
    }
  });
}
