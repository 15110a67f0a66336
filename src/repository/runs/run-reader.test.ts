import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { compareBytes } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import { SeededRandom } from '../../base/random.ts';
import { type Change, changeKinds, compareChanges } from '../../model/change.ts';
import { datasetId } from '../../model/id.ts';
import { rangeHolds } from '../../model/key-range.ts';
import { lastTime } from '../../model/time.ts';
import { batchesOf, change, gather, PackBlocks, randomChange } from './run-fixture.ts';
import { clearsOf, datasetsIn, readRun, readWholeRun } from './run-reader.ts';
import { type BlockSource, InlineBlockSource, type RunRef } from './run-ref.ts';
import { sortChanges, writeRun } from './run-writer.ts';

interface Written {
  readonly ref: RunRef;
  readonly source: BlockSource;
  readonly packs: PackBlocks;
}

async function written(changes: readonly Change[], inlineBytesMax?: number): Promise<Written> {
  const packs = new PackBlocks();
  const run = await writeRun(batchesOf(changes), packs, {
    tier: 0,
    ...(inlineBytesMax !== undefined && { inlineBytesMax }),
  });
  assert.ok(run);
  return { ref: run.ref, packs, source: run.inline ? new InlineBlockSource(run.inline) : packs };
}

/** About 1.2 MiB of changes of three datasets over some ten blocks. */
function manyChanges(count: number): Change[] {
  const random = new SeededRandom(5);
  return sortChanges(
    Array.from({ length: count }, () => ({
      ...randomChange(random),
      key: random.bytes(9),
      value: random.bytes(80),
    })),
  ).map((each) => (each.kind === changeKinds.clear ? { ...each, kind: changeKinds.put } : each));
}

test('a run of many blocks comes back whole, inline and from packs', async () => {
  const changes = manyChanges(12_000);
  for (const inlineBytesMax of [0, 4 * 1024 * 1024]) {
    const { ref, source } = await written(changes, inlineBytesMax);
    assert.equal('offset' in ref.root, inlineBytesMax > 0);
    assert.equal(ref.levels, 1);
    assert.deepEqual(await gather(readWholeRun(source, ref)), changes);
  }
});

test('equal changes give a run of the same id, wherever its blocks lie', async () => {
  const changes = manyChanges(3_000);
  const [inline, packed] = [await written(changes), await written(changes, 0)];
  assert.equal(inline.ref.id, packed.ref.id);
  assert.notEqual(inline.ref.id, (await written(changes.slice(1))).ref.id);
});

test('any range and time window gives what a plain filter gives', async () => {
  const changes = manyChanges(8_000);
  const { ref, source } = await written(changes, 0);
  const random = new SeededRandom(8);
  for (let round = 0; round < 40; round++) {
    const bounds = [random.bytes(2), random.bytes(1)].sort(compareBytes);
    const range = {
      ...(random.below(3) > 0 && { from: bounds[0] as Uint8Array }),
      ...(random.below(3) > 0 && { to: bounds[1] as Uint8Array }),
    };
    const dataset = datasetId(`d${random.below(4)}`);
    const times = [BigInt(random.below(3)) << 32n, (BigInt(random.below(3)) << 32n) + 20n];
    const [afterTime, untilTime] = times as [bigint, bigint];
    const expected = changes.filter(
      (each) =>
        each.dataset === dataset &&
        rangeHolds(range, each.key) &&
        each.time > afterTime &&
        each.time <= untilTime,
    );
    const found = await gather(readRun(source, ref, { dataset, range, afterTime, untilTime }));
    assert.deepEqual(found, expected, `round ${round}`);
  }
});

test('a narrow range costs the index and two data blocks at most', async () => {
  const { ref, packs } = await written(manyChanges(12_000), 0);
  const range = { from: Buffer.from([100]), to: Buffer.from([101]) };
  await gather(readRun(packs, ref, { dataset: datasetId('d1'), range, untilTime: lastTime }));
  assert.ok(packs.reads.length >= 2 && packs.reads.length <= 3, `${packs.reads.length} reads`);
});

test('a run whose changes are all later than the time asked for is not read', async () => {
  const { ref, packs } = await written([change({ time: 10n })], 0);
  const query = { dataset: datasetId('d1'), range: {} };
  assert.equal((await gather(readRun(packs, ref, { ...query, untilTime: 9n }))).length, 0);
  assert.equal(
    (await gather(readRun(packs, ref, { ...query, afterTime: 10n, untilTime: lastTime }))).length,
    0,
  );
  assert.equal(packs.reads.length, 0);
  assert.equal((await gather(readRun(packs, ref, { ...query, untilTime: 10n }))).length, 1);
});

test('changes of one key that fill several blocks are all found', async () => {
  const value = new Uint8Array(40_000);
  const one = Array.from({ length: 20 }, (_, i) =>
    change({ name: 'k', time: BigInt(i + 1), value }),
  );
  const { ref, source } = await written([change({ name: 'j' }), ...one, change({ name: 'l' })], 0);
  const range = { from: Buffer.from('k'), to: Buffer.from('l') };
  const query = { dataset: datasetId('d1'), range, untilTime: lastTime };
  assert.equal((await gather(readRun(source, ref, query))).length, 20);
});

test('clears are found apart from the changes of keys', async () => {
  const clear = change({
    key: new Uint8Array(0),
    kind: changeKinds.clear,
    value: new Uint8Array(0),
    time: 4n,
  });
  const { ref, source } = await written([clear, change({ time: 5n })]);
  const dataset = datasetId('d1');
  const keyed = await gather(readRun(source, ref, { dataset, range: {}, untilTime: lastTime }));
  assert.deepEqual(
    keyed.map((each) => each.time),
    [5n],
  );
  assert.deepEqual(
    (await clearsOf(source, ref, { dataset, untilTime: 4n })).map((each) => each.time),
    [4n],
  );
  assert.deepEqual(await clearsOf(source, ref, { dataset, untilTime: 3n }), []);
});

test('a change larger than a block travels in a block of its own', async () => {
  const value = Buffer.alloc(700_000, 3);
  const changes = [change({ name: 'a' }), change({ name: 'b', value }), change({ name: 'c' })];
  const { ref, source } = await written(changes, 0);
  assert.deepEqual(await gather(readWholeRun(source, ref)), changes);
});

test('a run with long keys gets a second level of index', async () => {
  const keys = Array.from({ length: 900 }, (_, i) => {
    const key = Buffer.alloc(1056, 1);
    key.writeUInt32BE(i, 0);
    return key;
  });
  const changes = keys.map((key) => change({ key, value: new Uint8Array(100_000) }));
  const { ref, packs } = await written(changes, 0);
  assert.equal(ref.levels, 2);
  const from = keys[500] as Uint8Array;
  const range = { from, to: keys[502] as Uint8Array };
  const found = await gather(
    readRun(packs, ref, { dataset: datasetId('d1'), range, untilTime: lastTime }),
  );
  assert.equal(found.length, 2);
  assert.ok(packs.reads.length <= 6, `${packs.reads.length} reads`);
});

test('second copies are dropped when a run is sorted and when it is written', async () => {
  const copy = () => change({ name: 'x', time: 3n });
  assert.equal(sortChanges([copy(), change({ name: 'a' }), copy()]).length, 2);
  const { ref } = await written([copy(), copy(), change({ name: 'y', time: 3n })]);
  assert.equal(ref.records, 2);
});

test('changes out of order are refused when a run is written', async () => {
  const wrong = [change({ name: 'b' }), change({ name: 'a' })];
  assert.ok(compareChanges(wrong[0] as Change, wrong[1] as Change) > 0);
  await assert.rejects(written(wrong), /changes of a run ascend/);
});

test('no changes give no run', async () => {
  assert.equal(await writeRun(batchesOf([]), new PackBlocks(), { tier: 0 }), undefined);
});

test('a failing sink fails the run, also while its blocks wait for their pack', async () => {
  const failing = {
    ready: async () => {},
    flush: async () => {},
    addBlock: () => Promise.reject(new Error('full')),
  };
  await assert.rejects(
    writeRun(batchesOf(manyChanges(4_000)), failing, { tier: 0, inlineBytesMax: 0 }),
    /full/,
  );
});

test('a damaged block is reported with the id of its run', async () => {
  const { ref } = await written([change({})]);
  const source = new InlineBlockSource(new Uint8Array(500).fill(255).fill(1, 0, 1));
  await assert.rejects(
    gather(readWholeRun(source, ref)),
    (error) => isCodrError(error, 'object-damaged') && error.message.includes(ref.id),
  );
});

test('a block that is valid but not the one that the run names is damage, in packs and inline', async () => {
  for (const count of [1, 3_000]) {
    for (const inlineBytesMax of [0, 4 * 1024 * 1024]) {
      const run = await written(manyChanges(count), inlineBytesMax);
      const others = manyChanges(count).map((each) => ({ ...each, time: each.time + 1n }));
      const other = await written(sortChanges(others), inlineBytesMax);
      await assert.rejects(
        gather(readWholeRun(other.source, run.ref)),
        (error) => isCodrError(error, 'object-damaged') && error.message.includes(run.ref.id),
      );
    }
  }
});

test('a data block that is swapped below its true index is damage', async () => {
  const { ref, source } = await written(manyChanges(3_000), 0);
  const swapped: BlockSource = {
    async read(refs) {
      const raws = await source.read(refs);
      return isDeepStrictEqual(refs, [ref.root]) ? raws : [...raws.slice(1), ...raws.slice(0, 1)];
    },
  };
  await assert.rejects(gather(readWholeRun(swapped, ref)), /not the one that the run names/);
});

test('which datasets have changed in a time is what a plain filter gives, clears included', async () => {
  const random = new SeededRandom(21);
  for (const count of [3, 40, 9_000]) {
    const changes = sortChanges(Array.from({ length: count }, () => randomChange(random)));
    const { ref, source } = await written(changes, 0);
    for (let round = 0; round < 20; round++) {
      const untilTime = (BigInt(random.below(3)) << 32n) + BigInt(random.below(50));
      const wanted = ['d0', 'd1', 'd2', 'd3'].map((name) => {
        const afterTime = (BigInt(random.below(3)) << 32n) + BigInt(random.below(50));
        return { dataset: datasetId(name), afterTime };
      });
      const expected = wanted
        .filter(({ dataset, afterTime }) =>
          changes.some(
            (each) => each.dataset === dataset && each.time > afterTime && each.time <= untilTime,
          ),
        )
        .map(({ dataset }) => dataset);
      const found = await datasetsIn(source, ref, wanted, untilTime);
      assert.deepEqual([...found].sort(), expected);
    }
  }
});

test('a thousand datasets of one block are found by reading it once', async () => {
  const names = Array.from({ length: 1000 }, (_, i) => datasetId(`d${i}`));
  const changes = sortChanges(names.map((dataset) => change({ dataset, time: 5n })));
  const { ref, source, packs } = await written(changes, 0);
  const before = packs.reads.length;
  const wanted = names.map((dataset) => ({ dataset, afterTime: 4n }));
  assert.equal((await datasetsIn(source, ref, wanted, 9n)).size, 1000);
  assert.ok(packs.reads.length - before <= 2);
});
