import assert from 'node:assert/strict';
import { test } from 'node:test';
import { datasetId } from '../../model/id.ts';
import { closeEpoch } from '../capture/epoch.ts';
import { committed, hex, historyState, want } from './history-fixture.ts';
import { addHole, endWant } from './ledger.ts';
import {
  baseAt,
  baseKey,
  epochAt,
  holesOf,
  notRestorable,
  restorableIntervals,
} from './source-history.ts';

const d = datasetId('d1');
const one = [{ catalogFrom: 10, exactFrom: 20 }];
const plain = (state: Parameters<typeof restorableIntervals>[0]): number[][] =>
  restorableIntervals(state).map(({ from, to }) => [Number(from), Number(to)]);

test('an epoch is restorable from its newest first copy to what is settled', () => {
  assert.deepEqual(plain(historyState(one, 50)), [[20, 50]]);
});

test('nothing is restorable while a dataset of the survey wants its copy', () => {
  const state = committed(historyState(one, 50), (draft) =>
    draft.set('want/d1', want({ from: hex(10), initial: true })),
  );
  assert.deepEqual(plain(state), []);
});

test('a want that ends moves the start of its epoch, never back', () => {
  const state = committed(historyState(one, 50), (draft) => {
    draft.set('want/d1', want({ from: hex(10), initial: true }));
    endWant(draft, d, 30n, 's');
    draft.set('want/d2', want({ from: hex(10), initial: true }));
    endWant(draft, datasetId('d2'), 25n, 's');
  });
  assert.deepEqual(plain(state), [[30, 50]]);
});

test('the hole before an epoch lasts until the epoch is exact, and moves with it', () => {
  const closed = { catalogFrom: 10, exactFrom: 10, closedAt: 20 };
  const state = committed(
    historyState([closed, { catalogFrom: 30, exactFrom: 30 }], 60),
    (draft) => {
      addHole(draft, { stream: 's', from: hex(20), to: hex(30), reason: 'the log has a gap' });
      addHole(draft, { stream: 's', dataset: d, from: hex(12), to: hex(30), reason: 'doubt' });
      for (const name of ['d1', 'd2']) {
        draft.set(`want/${name}`, want({ epoch: 1, from: hex(30), initial: true }));
      }
      endWant(draft, datasetId('d2'), 40n, 's');
      endWant(draft, d, 35n, 's');
    },
  );
  assert.deepEqual(
    holesOf(state).map(({ from, to }) => [Number(from), Number(to)]),
    [
      [20, 40],
      [12, 30],
    ],
  );
  assert.deepEqual(plain(state), [
    [10, 12],
    [40, 60],
  ]);
});

test('a dataset that entered later leaves a hole up to its copy, and its segments go', () => {
  const state = committed(historyState(one, 50), (draft) => {
    draft.set('want/d1', want({ from: hex(30) }));
    draft.set('segment/d1/', { after: hex(31) });
    endWant(draft, d, 40n, 's');
  });
  assert.deepEqual(plain(state), [
    [20, 29],
    [40, 50],
  ]);
  assert.deepEqual(state.keys('segment'), []);
});

test('a copy that is older than the entry leaves no hole', () => {
  const state = committed(historyState(one, 50), (draft) => {
    draft.set('want/d1', want({ from: hex(30) }));
    endWant(draft, d, 28n, 's');
  });
  assert.deepEqual(plain(state), [[20, 50]]);
});

test('while a dataset that entered waits for its copy, history ends before its entry', () => {
  const state = committed(historyState(one, 50), (draft) =>
    draft.set('want/d1', want({ from: hex(30) })),
  );
  assert.deepEqual(plain(state), [[20, 29]]);
});

test('an open hole ends history, a closed one splits it', () => {
  const state = historyState(one, 50);
  committed(state, (draft) =>
    addHole(draft, { stream: 's', from: hex(24), to: hex(27), reason: '' }),
  );
  assert.deepEqual(plain(state), [
    [20, 24],
    [27, 50],
  ]);
  committed(state, (draft) => addHole(draft, { stream: 's', from: hex(40), reason: '' }));
  assert.deepEqual(plain(state).at(-1), [27, 40]);
});

test('an epoch that closes before its first copies are done was never restorable', () => {
  const state = committed(historyState(one, 50), (draft) => {
    draft.set('want/d1', want({ from: hex(10), initial: true }));
    closeEpoch(draft, 'the log has a gap');
  });
  assert.deepEqual(plain(state), []);
  assert.deepEqual(state.keys('want'), []);
});

test('an epoch that closes while a dataset waits for its copy keeps the hole of that dataset', () => {
  const state = committed(historyState(one, 50), (draft) => {
    draft.set('want/d1', want({ from: hex(30) }));
    closeEpoch(draft, 'the log has a gap');
  });
  assert.deepEqual(plain(state), [[20, 29]]);
});

test('the last moment of a closed epoch belongs to it until the next is whole there', () => {
  const closed = { catalogFrom: 10, exactFrom: 10, closedAt: 30 };
  assert.equal(
    epochAt(historyState([closed, { catalogFrom: 30, exactFrom: 40 }], 50), 30n)?.number,
    0,
  );
  assert.equal(
    epochAt(historyState([closed, { catalogFrom: 30, exactFrom: 30 }], 50), 30n)?.number,
    1,
  );
  assert.equal(
    epochAt(historyState([closed, { catalogFrom: 35, exactFrom: 40 }], 50), 33n),
    undefined,
  );
  assert.equal(
    epochAt(historyState([closed, { catalogFrom: 35, exactFrom: 40 }], 50), 51n),
    undefined,
  );
});

test('the newest base copy of the epoch that is old enough is taken', () => {
  const base = (epoch: number, at: number): object => ({
    epoch,
    exactFrom: hex(at),
    steps: [],
    packs: '',
  });
  const state = committed(historyState(one, 50), (draft) => {
    for (const at of [20, 30]) draft.set(baseKey(d, BigInt(at)), base(0, at));
    draft.set(baseKey(d, 35n), base(1, 35));
  });
  assert.equal(baseAt(state, d, 0, 19n), undefined);
  assert.equal(baseAt(state, d, 0, 29n)?.exactFrom, hex(20));
  assert.equal(baseAt(state, d, 0, 40n)?.exactFrom, hex(30));
  assert.equal(baseAt(state, d, 0, 35n)?.epoch, 1, 'at just its own time a copy needs no changes');
});

test('a refusal names the nearest restorable moments on both sides', () => {
  const state = historyState(one, 50);
  committed(state, (draft) =>
    addHole(draft, { stream: 's', from: hex(24), to: hex(27), reason: '' }),
  );
  const error = notRestorable(state, 25n, String, 'there is a hole');
  assert.equal(error.code, 'time-not-restorable');
  assert.deepEqual(error.facts, { before: '24', after: '27' });
  assert.match(error.remedy ?? '', /before is 24, the nearest after is 27/);
});

test('a hole that ends out of turn leaves its number, not its place', () => {
  const state = historyState([{ catalogFrom: 10, exactFrom: 10 }], 100);
  const hole = (from: number) => ({ stream: 's', from: hex(from), to: hex(from + 5), reason: 'x' });
  committed(state, (draft) => {
    addHole(draft, hole(20));
    addHole(draft, hole(40));
    draft.set('hole/000000000', null);
    addHole(draft, hole(60));
  });
  assert.deepEqual(
    holesOf(state).map(({ from }) => Number(from)),
    [40, 60],
  );
});
