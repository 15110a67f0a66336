import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { CodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { type WorkOrder, WorkPool, type Workplace } from '../../cluster/work-pool.ts';
import { CheckFixture } from '../../repository/check/check-fixture.ts';
import type { Repository } from '../../repository/repository.ts';
import { FaultyObjectStore } from '../../storage/faulty-object-store.ts';
import { Workers } from '../work/workers.ts';
import { packsKind, sharedLookers } from './pack-order.ts';

const clock = new ManualClock({ jumps: true });
const fixture = new CheckFixture();
const all = { readDataPercent: 100 };
/** As the other peer sees it. */
const store = new FaultyObjectStore(fixture.store, { clock, random: new SeededRandom(1) });
let peer: Repository;
before(async () => {
  await fixture.build();
  peer = await fixture.open(store);
});

type Answer = Record<string, unknown>;

/** A check whose packs go to another peer as text, if it answers; `meets`: what comes of an order there. */
async function shared(
  options: Parameters<CheckFixture['check']>[0],
  meets: (answer: () => Promise<Answer>, count: number) => Promise<Answer> = (answer) => answer(),
) {
  const workers = new Workers({
    clock,
    openSource: async () => assert.fail('no source is needed'),
    openRepository: async () => peer,
  });
  let orders = 0;
  let lost = 0;
  const place: Workplace = {
    name: 'n2',
    slots: 2,
    async run(order, context) {
      const heard = JSON.parse(JSON.stringify(order)) as WorkOrder;
      assert.equal(heard.kind, packsKind);
      const answer = async () => (await workers.run(heard, context)) as Answer;
      return JSON.parse(JSON.stringify(await meets(answer, ++orders)));
    },
  };
  const log = { ...silentLogger, warn: () => void lost++ };
  const pool = new WorkPool({ slots: 1, places: () => [place], clock, log });
  const outcome = await fixture.check(options, sharedLookers(pool));
  return { outcome, orders, lost, here: pool.doneHere };
}

test('packs are looked at by peers, and the answer is that of one process', async () => {
  const single = await fixture.check(all);
  const { outcome, orders, lost } = await shared(all);
  assert.deepEqual(outcome, single);
  assert.ok(orders > 0 && lost === 0);
  const sizes = await Promise.all(
    (await fixture.names('packs/')).map((name) => fixture.size(name)),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(outcome.bytesRead >= bytes, `${outcome.bytesRead} of ${bytes} bytes are counted`);
});

test('damage that came after a peer had read the pack is found by it, and told as one process tells it', async () => {
  for (const name of await fixture.names('packs/')) {
    const flip = (bytes: Buffer): Uint8Array => {
      bytes[bytes.length - 40] = (bytes[bytes.length - 40] as number) ^ 1;
      return bytes;
    };
    await fixture.withDamage(name, flip, async () => {
      const { outcome } = await shared({});
      assert.deepEqual(outcome, await fixture.check());
      assert.ok(outcome.problems.some(({ object }) => object === name));
    });
  }
});

const refused: readonly (readonly [what: string, wrong: (answer: Answer) => unknown])[] = [
  ['of packs that were not asked for', (answer) => ({ ...answer, packs: ['ab'] })],
  ['of fewer packs', ({ packs, ...rest }) => ({ ...rest, packs: (packs as string[]).slice(1) })],
  ['of a peer that read nothing', (answer) => ({ ...answer, bytesRead: 0 })],
  [
    'with a doubt about no pack',
    (answer) => ({ ...answer, doubts: [{ number: 99, problem: 'x' }] }),
  ],
  ['with a doubt without words', (answer) => ({ ...answer, doubts: [{ number: 0 }] })],
  ['that is none', () => null],
];

for (const [what, wrong] of refused) {
  test(`an answer ${what} is refused, and the packs are looked at elsewhere`, async () => {
    const meets = async (answer: () => Promise<Answer>) => wrong(await answer()) as Answer;
    const { outcome, orders, lost, here } = await shared(all, meets);
    assert.deepEqual(outcome, await fixture.check(all));
    assert.ok(orders > 0 && lost === orders && here > orders);
  });
}

test('a peer that is lost, or cannot read the store, costs a try', async () => {
  const gone = async () => {
    throw new CodrError('peer-lost', 'gone');
  };
  const { outcome, lost, here } = await shared(all, gone);
  assert.deepEqual(outcome, await fixture.check(all));
  assert.ok(lost > 0 && here > lost);
  store.crash();
  const unmounted = await shared(all).finally(() => store.revive());
  assert.deepEqual(unmounted.outcome, outcome);
  assert.ok(unmounted.lost > 0);
});

test('what a peer alone holds to be damaged is told, and nothing is given up for it', async () => {
  const { outcome } = await shared(all, async (answer) => {
    const doubts = [{ number: 0, problem: 'it is missing' }];
    return { ...(await answer()), doubts };
  });
  const [problem] = outcome.problems;
  assert.match(problem?.problem ?? '', /^another peer says: it is missing; from here it is whole$/);
  assert.match(problem?.remedy ?? '', /mounts of the peers/);
  assert.deepEqual(outcome.losses.packs, []);
});
