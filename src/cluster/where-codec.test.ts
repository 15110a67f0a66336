import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/harness/seed.ts';
import { fromHex, toHex } from '../base/bytes.ts';
import { isCodrError } from '../base/error.ts';
import { packId } from '../model/id.ts';
import type { KnownPack } from './fingerprint-codec.ts';
import { decodeWhere, encodeWhere, type LeafPlace } from './where-codec.ts';

const epoch = { clusterId: 'e7', revision: 300 };
const pack: KnownPack = { id: packId('0f'.repeat(32)), kind: 't', bytes: 1000, leaves: 5 };

test('an answer about places and a refusal are these bytes', () => {
  const places = [undefined, { pack, leaf: 70_000 }, { pack, leaf: 1 }];
  const golden = {
    answer: `03026537ac0201${'0f'.repeat(32)}01e8070500000000000000020070110100020001000000`,
    refusal: '02026537ac02',
  };
  assert.equal(toHex(encodeWhere({ epoch, places, moved: false })), golden.answer);
  assert.equal(toHex(encodeWhere({ epoch, moved: true })), golden.refusal);
  assert.deepEqual(decodeWhere(fromHex(golden.answer), 3), { epoch, places, moved: false });
  assert.deepEqual(decodeWhere(fromHex(golden.refusal), 3), { epoch, moved: false });
});

const packs = fc.uniqueArray(
  fc.record(
    {
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => packId(toHex(bytes))),
      kind: fc.constantFrom('d' as const, 't' as const),
      bytes: fc.nat(),
      leaves: fc.nat(),
    },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 6, selector: ({ id }) => id },
);

test('whatever is said of places comes out as it went in, and no shorter or longer bytes do', () => {
  const picks = fc.array(fc.option(fc.tuple(fc.nat(), fc.nat(2 ** 32 - 1)), { nil: undefined }));
  const property = fc.property(packs, picks, fc.boolean(), (some, all, moved) => {
    const places = all.map((one): LeafPlace | undefined =>
      one ? { pack: some[one[0] % some.length] as KnownPack, leaf: one[1] } : undefined,
    );
    const bytes = encodeWhere({ epoch, places, moved });
    assert.deepEqual(decodeWhere(bytes, places.length), { epoch, places, moved });
    const refused = (given: Uint8Array, count: number): void =>
      assert.throws(
        () => decodeWhere(given, count),
        (error) => isCodrError(error, 'format-unknown'),
      );
    refused(bytes, places.length + 1);
    refused(bytes.subarray(0, bytes.length - 1), places.length);
    refused(Buffer.concat([bytes, Buffer.of(0)]), places.length);
  });
  fc.assert(property, { seed: testSeed(31), numRuns: 200 });
});
