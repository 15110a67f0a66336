import assert from 'node:assert/strict';
import { test } from 'node:test';
import { datasetId } from '../../model/id.ts';
import { change } from '../../repository/runs/run-fixture.ts';
import { groupsOf, mergeGroups } from './run-records.ts';

const at = (time: bigint, dataset: string) => change({ time, dataset: datasetId(dataset) });

test('changes of one time over several datasets are one group; equal groups are counted', () => {
  const changes = [at(1n, 'a'), at(1n, 'b'), at(2n, 'b'), at(2n, 'a'), at(3n, 'a'), at(3n, 'a')];
  assert.deepEqual(groupsOf(changes), [{ datasets: ['a', 'b'], count: 2 }]);
});

test('beyond 64 different groups the rarest are joined and none is lost', () => {
  const groups = Array.from({ length: 100 }, (_, i) => ({
    datasets: [datasetId(`x${i}`), datasetId(`y${i}`)],
    count: 1 + i,
  }));
  const merged = mergeGroups(groups);
  assert.equal(merged.length, 64);
  const sum = (all: readonly { readonly count: number }[]): number =>
    all.reduce((total, { count }) => total + count, 0);
  assert.equal(sum(merged), sum(groups));
});
