import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packId } from '../../model/id.ts';
import type { LineageLosses } from '../../repository/check/losses.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { Lineage } from '../../repository/lineage/lineage.ts';
import type { BaseRecord, RunRecord, WantRecord } from '../../repository/lineage/records.ts';
import type { LineageState } from '../../repository/lineage/state.ts';
import { committed, hex, historyState, want } from '../history/history-fixture.ts';
import { epochsOf, holesOf, restorableIntervals } from '../history/source-history.ts';
import { giveUp, noteLost } from './give-up.ts';

const dataset = 'd'.repeat(32);
const pack = packId('ab'.repeat(32));

function base(exactFrom: number, epoch = 0): BaseRecord {
  return { epoch, exactFrom: hex(exactFrom), steps: [], packs: '0' };
}

function run(minTime: number, maxTime: number, epoch = 0): RunRecord {
  const times = { minTime: hex(minTime), maxTime: hex(maxTime) };
  return { epoch, ref: '', tier: 0, ...times, groups: [], packs: '0' };
}

/** One epoch from 10 on, settled at 100, with base copies exact from `bases` and runs. */
function history(bases: readonly BaseRecord[], runs: readonly RunRecord[] = []): LineageState {
  return committed(historyState([{ catalogFrom: 10, exactFrom: 10 }], 100), (draft) => {
    for (const one of bases) draft.set(`base/${dataset}/${one.exactFrom}`, one);
    for (const [i, one] of runs.entries()) draft.set(`run/${i}`, one);
  });
}

async function given(
  state: LineageState,
  lost: Partial<LineageLosses>,
  leftAt?: number,
): Promise<LineageState> {
  const lineage = {
    name: 'one',
    commit: async (build: (draft: Draft) => undefined) => committed(state, build),
  } as unknown as Lineage;
  const nothing = new Set<string>();
  const none = { bases: nothing, deltas: nothing, runs: nothing, segments: nothing };
  await noteLost(lineage, [pack]);
  const left = leftAt === undefined ? undefined : BigInt(leftAt);
  await giveUp(lineage, { lineage: 'one', ...none, ...lost }, () => left);
  return state;
}

const spans = (state: LineageState): [number, number][] =>
  restorableIntervals(state).map(({ from, to }) => [Number(from), Number(to)]);

test('the newest base copy of a dataset is wanted anew, from the time that it was of', async () => {
  const state = await given(history([base(10), base(50)]), {
    bases: new Set([`${dataset}/${hex(50)}`]),
  });
  assert.deepEqual(state.get<WantRecord>(`want/${dataset}`)?.from, hex(50));
  assert.deepEqual(spans(state), [[10, 49]]);
  assert.equal(state.get(`base/${dataset}/${hex(50)}`), undefined);
  assert.ok(state.get(`lost/${pack}`));
});

test('an earlier base copy leaves a hole up to the next', async () => {
  const state = await given(history([base(10), base(50)]), {
    bases: new Set([`${dataset}/${hex(10)}`]),
  });
  assert.equal(state.get(`want/${dataset}`), undefined);
  assert.deepEqual(spans(state), [[50, 100]]);
});

test('both base copies lost leave nothing until the dataset is copied anew', async () => {
  const state = await given(history([base(10), base(50)]), {
    bases: new Set([`${dataset}/${hex(10)}`, `${dataset}/${hex(50)}`]),
  });
  assert.equal(state.get<WantRecord>(`want/${dataset}`)?.from, hex(10));
  assert.deepEqual(spans(state), []);
});

test('a lost run closes its epoch, with a hole from its first time on', async () => {
  const state = await given(history([base(10)], [run(30, 40)]), { runs: new Set(['0']) });
  assert.notEqual(epochsOf(state)[0]?.closedAt, undefined);
  assert.equal(state.get('run/0'), undefined);
  assert.deepEqual(spans(state), [[10, 29]]);
  assert.ok(holesOf(state).some(({ from, dataset: one }) => from === 29n && one === undefined));
});

test('of a dataset that went its times until then are a hole, and nothing is wanted', async () => {
  const lost = { bases: new Set([`${dataset}/${hex(10)}`]) };
  const state = await given(history([base(10)]), lost, 60);
  assert.equal(state.get(`want/${dataset}`), undefined);
  assert.deepEqual(spans(state), [[60, 100]]);
});

test('a want that an unknown entry made outlives that the entry is known', async () => {
  const before = committed(history([base(10)]), (draft) => {
    draft.set(`want/${dataset}`, { ...want({ from: hex(70) }), unknown: 'x', reason: 'x' });
  });
  const state = await given(before, { bases: new Set([`${dataset}/${hex(10)}`]) });
  const { from, unknown } = state.get<WantRecord>(`want/${dataset}`) ?? {};
  assert.deepEqual([from, unknown], [hex(10), undefined]);
});

test('where nothing is lost the packs alone are noted', async () => {
  const state = await given(history([base(10)]), {});
  assert.ok(state.get(`lost/${pack}`));
  assert.deepEqual(spans(state), [[10, 100]]);
});
