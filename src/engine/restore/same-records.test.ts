// What must be given back is compared with what is, however the two are cut into batches.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../test/harness/seed.ts';
import { toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import { batchOf, blockOf } from '../../model/record-block.ts';
import { sameRecords } from './same-records.ts';

const records = fc
  .uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 4 }), { selector: toHex, maxLength: 30 })
  .chain((keys) =>
    fc
      .array(fc.uint8Array({ maxLength: 5 }), { minLength: keys.length, maxLength: keys.length })
      .map((values) =>
        keys
          .sort(Buffer.compare)
          .map((key, i): DataRecord => ({ key, value: values[i] as Uint8Array })),
      ),
  );
const size = fc.integer({ min: 1, max: 7 });

/** As arrays and as blocks; now and then a batch without records. */
async function* stream(all: readonly DataRecord[], perBatch: number): RecordStream {
  for (let i = 0; i < all.length; i += perBatch) {
    const some = all.slice(i, i + perBatch);
    if (i % 3 === 0) yield [];
    yield i % 2 === 0 ? some : batchOf(blockOf(some));
  }
}

const lines = (all: readonly DataRecord[]): string[] =>
  all.map(({ key, value }) => `${toHex(key)} ${toHex(value)}`);

async function passed(expected: RecordStream, actual: RecordStream): Promise<string[]> {
  const found: DataRecord[] = [];
  for await (const batch of sameRecords(expected, actual, 'shop.orders')) found.push(...batch);
  return lines(found);
}

test('what is the same is passed on, whatever batches it lies in', async () => {
  await fc.assert(
    fc.asyncProperty(records, size, size, async (all, a, b) => {
      assert.deepEqual(await passed(stream(all, a), stream(all, b)), lines(all));
    }),
    { numRuns: sampled(200) },
  );
});

test('a record that is missing, besides or another is named by its key, and its batch is not passed on', async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.nat(), size, size, fc.nat(2), async (all, at, a, b, kind) => {
      fc.pre(all.length > 0);
      const index = at % all.length;
      const { key, value } = all[index] as DataRecord;
      const without = all.toSpliced(index, 1);
      const [wanted, given, what] = (
        [
          [all, without, 'is not there'],
          [without, all, 'should not be there'],
          [all, all.with(index, { key, value: Buffer.from([...value, 0]) }), 'is another'],
        ] as const
      )[kind] as [DataRecord[], DataRecord[], string];
      let count = 0;
      const running = (async () => {
        for await (const batch of sameRecords(stream(wanted, a), stream(given, b), 'shop.orders')) {
          count += batch.length;
        }
      })();
      await assert.rejects(running, (error) => {
        assert.ok(isCodrError(error, 'proof-failed'));
        assert.match(error.message, new RegExp(`^shop.orders: .* ${toHex(key)} ${what}$`));
        return true;
      });
      assert.ok(count <= index);
    }),
    { numRuns: sampled(200) },
  );
});

test('an error of one side is told, and the other side is left', async () => {
  for (const side of [0, 1]) {
    let left = 0;
    const whole = async function* (): RecordStream {
      try {
        for (let i = 0; ; i++) yield [{ key: Buffer.from([1, i]), value: Buffer.of(1) }];
      } finally {
        left++;
      }
    };
    const broken = async function* (): RecordStream {
      yield [{ key: Buffer.from([1, 0]), value: Buffer.of(1) }];
      throw new Error('it breaks');
    };
    const [expected, actual] = side === 0 ? [broken(), whole()] : [whole(), broken()];
    await assert.rejects(passed(expected, actual), /it breaks/);
    assert.equal(left, 1);
  }
});
