import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BSON } from 'mongodb';
import { sampled } from '../../../../test/harness/seed.ts';
import { compareBytes } from '../../../base/bytes.ts';
import {
  type Change,
  type ChangeKind,
  changeKinds,
  compareChanges,
} from '../../../model/change.ts';
import { datasetId, streamId } from '../../../model/id.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import { rangeHolds } from '../../../model/key-range.ts';
import type { DataRecord, RecordBatch } from '../../../model/record.ts';
import type { FoldInput } from '../../connector.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { cappedValue } from '../oplog/effects.ts';
import { foldRange } from './fold-range.ts';

const document = (id: number, x: unknown): Uint8Array => BSON.serialize({ _id: id, x });
const key = (id: number): Uint8Array => keyOfDocument(document(id, 0));
const record = (id: number, x: unknown): DataRecord => ({ key: key(id), value: document(id, x) });
const setX = (x: unknown): Uint8Array => BSON.serialize({ $v: 2, diff: { u: { x } } });

function change(
  id: number,
  time: number,
  kind: ChangeKind,
  value: Uint8Array = new Uint8Array(0),
): Change {
  const position = { time: BigInt(time), term: 1n };
  const order = { time: BigInt(time), stream: streamId('rs'), position, index: 0 };
  return { ...order, dataset: datasetId('d'), key: key(id), kind, value };
}

async function* once<T>(items: readonly T[], size = 3): AsyncGenerator<readonly T[]> {
  for (let i = 0; i < items.length; i += size) yield items.slice(i, i + size);
}

async function fold(
  base: readonly DataRecord[],
  changes: readonly Change[],
  options: Partial<FoldInput> = {},
): Promise<DataRecord[]> {
  const out: DataRecord[] = [];
  const input = {
    ...{ range: {}, base: once(base), baseAfter: [], exactFrom: 0n, at: 100n, clears: [] },
    changes: once([...changes].sort(compareChanges), 2),
  };
  for await (const batch of foldRange({ ...input, ...options })) out.push(...batch);
  return out;
}

const values = (records: DataRecord[]): unknown[] =>
  records.map(({ value }) => BSON.deserialize(value).x);

test('records without changes pass as they are, in the very batches', async () => {
  const batch = [record(1, 'a'), record(2, 'b')];
  const seen: RecordBatch[] = [];
  async function* base(): AsyncGenerator<readonly DataRecord[]> {
    yield batch;
  }
  const changes = once([change(5, 5, changeKinds.put, document(5, 'e'))]);
  const rest = { range: {}, baseAfter: [], exactFrom: 0n, at: 9n, clears: [] };
  const folded = foldRange({ ...rest, base: base(), changes });
  for await (const given of folded) seen.push(given);
  assert.equal(seen[0], batch);
  assert.deepEqual(values([...(seen[1] ?? [])]), ['e']);
});

test('changes at or before the time that the base was read at are in it already', async () => {
  const changes = [
    change(1, 5, changeKinds.patch, setX('new')),
    change(2, 5, changeKinds.put, document(2, 'old')),
  ];
  const baseAfter = [
    { from: new Uint8Array(0), after: 4n },
    { from: key(2), after: 6n },
  ];
  assert.deepEqual(values(await fold([record(1, 'a')], changes, { baseAfter })), ['new']);
});

test('changes after the wanted time do not count', async () => {
  const changes = [
    change(1, 5, changeKinds.delete),
    change(1, 7, changeKinds.put, document(1, 'b')),
  ];
  assert.deepEqual(await fold([record(1, 'a')], changes, { at: 6n }), []);
  assert.deepEqual(values(await fold([record(1, 'a')], changes, { at: 7n })), ['b']);
});

test('a change of a record that is not there is an error only after the first exact time', async () => {
  const changes = [change(1, 5, changeKinds.patch, setX('b'))];
  assert.deepEqual(await fold([], changes, { exactFrom: 5n }), []);
  await assert.rejects(fold([], changes, { exactFrom: 4n }), {
    code: 'object-damaged',
    message:
      'the change of record 1e0480010200 of dataset d at 0:5 (1970-01-01T00:00:00.000Z) changes a record that does not exist',
  });
});

test('a difference that does not fit is an error only after the first exact time', async () => {
  const nested = BSON.serialize({ $v: 2, diff: { sx: { u: { y: 1 } } } });
  const changes = [change(1, 5, changeKinds.patch, nested)];
  assert.deepEqual(values(await fold([record(1, 'a')], changes, { exactFrom: 5n })), [null]);
  await assert.rejects(fold([record(1, 'a')], changes, { exactFrom: 4n }), /cannot be applied/);
});

test('a clear removes what is older, from base and changes, and nothing newer', async () => {
  const clear = { ...change(0, 5, changeKinds.clear), key: new Uint8Array(0) };
  const changes = [
    change(2, 4, changeKinds.put, document(2, 'b')),
    change(3, 6, changeKinds.put, document(3, 'c')),
  ];
  assert.deepEqual(values(await fold([record(1, 'a')], changes, { clears: [clear] })), ['c']);
  const baseAfter = [{ from: new Uint8Array(0), after: 5n }];
  const after = await fold([record(1, 'a')], changes, { clears: [clear], baseAfter });
  assert.deepEqual(values(after), ['a', 'c']);
});

test("an update of a capped collection's record keeps its order number", async () => {
  const base = [{ key: key(1), value: cappedValue(7n, document(1, 'a')) }];
  const patched = await fold(base, [change(1, 5, changeKinds.patch, cappedValue(0n, setX('b')))]);
  assert.deepEqual(patched[0]?.value, cappedValue(7n, document(1, 'b')));
  const replaced = await fold(base, [
    change(1, 5, changeKinds.put, cappedValue(0n, document(1, 'c'))),
  ]);
  assert.deepEqual(replaced[0]?.value, cappedValue(7n, document(1, 'c')));
});

test('splitting a range anywhere changes no byte', async () => {
  const step = fc.record({
    id: fc.integer({ min: 0, max: 20 }),
    kind: fc.constantFrom(changeKinds.put, changeKinds.delete, changeKinds.patch),
    x: fc.string(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step), fc.integer({ min: 0, max: 21 }), async (steps, bound) => {
      const base = Array.from({ length: 10 }, (_, i) => record(i * 2, 'base'));
      base.sort((a, b) => compareBytes(a.key, b.key));
      const changes = steps.map(({ id, kind, x }, i) =>
        change(id, i + 1, kind, kind === changeKinds.put ? document(id, x) : setX(x)),
      );
      const part = (range: KeyRange): Promise<DataRecord[]> =>
        fold(
          base.filter((item) => rangeHolds(range, item.key)),
          changes.filter((item) => rangeHolds(range, item.key)),
          { exactFrom: 1000n },
        );
      const parts = [...(await part({ to: key(bound) })), ...(await part({ from: key(bound) }))];
      assert.deepEqual(parts, await part({}));
    }),
    { numRuns: sampled(200) },
  );
});
