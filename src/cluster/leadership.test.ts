import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { CodrError, isCodrError } from '../base/error.ts';
import type { Coordinator, Lease } from '../coordination/coordinator.ts';
import { MemoryCoordinator } from '../coordination/memory/memory-coordinator.ts';
import { isOlder } from './epoch.ts';
import { type CampaignOptions, campaign, type Term } from './leadership.ts';
import { withLeases } from './task-runner.fixture.ts';

const ttlMs = 10_000;

interface World {
  readonly clock: ManualClock;
  readonly coordinator: MemoryCoordinator;
}

function world(): World {
  const clock = new ManualClock();
  return { clock, coordinator: new MemoryCoordinator(clock, 'life') };
}

/** A peer with its terms so far; `leave` ends its campaign. */
function peer(
  { clock, coordinator }: World,
  name: string,
  changes: Partial<CampaignOptions> & { through?: Coordinator } = {},
) {
  const stop = new AbortController();
  const terms: Term[] = [];
  const options = { name, ttlMs, clock, signal: stop.signal, ...changes };
  const run = (async () => {
    for await (const term of campaign(changes.through ?? coordinator, options)) {
      terms.push(term);
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
    }
  })();
  return {
    terms,
    run,
    async leave() {
      stop.abort();
      await run;
    },
  };
}

const put = (value: string) => [{ put: 'plan', value }];

test('of two peers one leads; the other does when the first leaves, in a later epoch', async () => {
  const both = world();
  const [a, b] = [peer(both, 'a'), peer(both, 'b')];
  await both.clock.advance(0);
  assert.equal(a.terms.length, 1);
  assert.equal(b.terms.length, 0);
  assert.equal((await both.coordinator.get('coordinator'))?.value, 'a');
  await a.leave();
  await both.clock.advance(0);
  assert.equal(b.terms.length, 1);
  const [first, second] = [a.terms[0]?.epoch, b.terms[0]?.epoch] as const;
  assert.equal(first?.clusterId, 'life');
  assert.ok(first && second && isOlder(first, second));
  await b.leave();
  assert.equal(await both.coordinator.get('coordinator'), undefined);
});

test('a leader that is cut off stops a margin before its time is over, when it is another leads', async () => {
  const both = world();
  const { seen, leases } = withLeases(both.coordinator);
  // Its process does nothing any more: the lease is not given back.
  const stuck = campaign(seen, {
    name: 'a',
    ttlMs,
    clock: both.clock,
    signal: new AbortController().signal,
  });
  const term = (await stuck.next()).value as Term;
  const b = peer(both, 'b');
  const silenced = both.coordinator.silence(leases[0] as Lease);
  await both.clock.advance(7_999);
  assert.equal(term.signal.aborted, false);
  await both.clock.advance(1);
  assert.ok(isCodrError(term.signal.reason, 'lease-lost'));
  await both.clock.advance(1_999);
  assert.equal(b.terms.length, 0);
  await both.clock.advance(1);
  assert.equal(b.terms.length, 1);
  await silenced;
  await b.leave();
});

test('what a leader of the past writes is refused, and it learns that it leads no more', async () => {
  const both = world();
  const { seen, leases } = withLeases(both.coordinator);
  // Its lease is gone, but it has not been told: a paused machine.
  const deaf = Object.create(seen, {
    lease: {
      value: async () => ({ ...(await seen.lease(ttlMs)), lost: new AbortController().signal }),
    },
  }) as Coordinator;
  const a = peer(both, 'a', { through: deaf });
  await both.clock.advance(0);
  const old = a.terms[0] as Term;
  assert.ok((await old.transact([], put('of a'))).done);
  both.coordinator.expire(leases[0] as Lease);
  const b = peer(both, 'b');
  await both.clock.advance(0);
  assert.ok((await (b.terms[0] as Term).transact([], put('of b'))).done);
  assert.equal(old.signal.aborted, false, 'a believes that it leads');
  await assert.rejects(
    () => old.transact([], put('of a again')),
    (error) => isCodrError(error, 'lease-lost'),
  );
  assert.equal(old.signal.aborted, true);
  assert.equal((await both.coordinator.get('plan'))?.value, 'of b');
  await Promise.all([a.leave(), b.leave()]);
});

test('a guard of the caller that fails ends no term', async () => {
  const one = world();
  const a = peer(one, 'a');
  await one.clock.advance(0);
  const term = a.terms[0] as Term;
  const guard = { key: 'plan', modifyRevision: 77 };
  assert.deepEqual(await term.transact([guard], put('x')), { done: false });
  assert.equal(term.signal.aborted, false);
  await a.leave();
});

test('keys under the lease of a term vanish with it', async () => {
  const one = world();
  const a = peer(one, 'a');
  await one.clock.advance(0);
  const { lease, transact } = a.terms[0] as Term;
  await transact.call(a.terms[0], [], [{ put: 'mine', value: '', lease }]);
  await a.leave();
  assert.equal(await one.coordinator.get('mine'), undefined);
});

test('roles are led apart', async () => {
  const both = world();
  const [a, b] = [peer(both, 'a', { role: 'commit/x' }), peer(both, 'b', { role: 'commit/y' })];
  await both.clock.advance(0);
  assert.equal(a.terms.length + b.terms.length, 2);
  await Promise.all([a.leave(), b.leave()]);
});

test('a transaction in doubt ends the term, and the campaign goes on', async () => {
  const one = world();
  const doubt = new CodrError('transaction-in-doubt', 'no answer');
  let silent = false;
  const flaky = Object.create(one.coordinator, {
    transact: {
      value: async (...all: Parameters<Coordinator['transact']>) => {
        const outcome = await one.coordinator.transact(...all);
        if (silent) throw doubt;
        return outcome;
      },
    },
  }) as Coordinator;
  for (const name of ['get', 'list', 'watch', 'lease'] as const) {
    Object.assign(flaky, { [name]: one.coordinator[name].bind(one.coordinator) });
  }
  const a = peer(one, 'a', { through: flaky });
  await one.clock.advance(0);
  silent = true;
  const term = a.terms[0] as Term;
  await assert.rejects(
    () => term.transact([], put('x')),
    (error) => error === doubt,
  );
  silent = false;
  assert.ok(isCodrError(term.signal.reason, 'lease-lost'));
  assert.equal(term.signal.reason.cause, doubt);
  await one.clock.advance(0);
  assert.equal(a.terms.length, 2);
  await a.leave();
});

test('a campaign tries again while nobody answers, and ends with an error when the store was replaced', async () => {
  const one = world();
  let answer: 'coordinator-unreachable' | 'coordinator-replaced' = 'coordinator-unreachable';
  let asked = 0;
  const down = Object.create(one.coordinator, {
    clusterId: { value: 'life' },
    watch: { value: one.coordinator.watch.bind(one.coordinator) },
    get: {
      value: async () => {
        asked++;
        throw new CodrError(answer, 'no');
      },
    },
  }) as Coordinator;
  const a = peer(one, 'a', { through: down });
  const ended = assert.rejects(a.run, (error) => isCodrError(error, 'coordinator-replaced'));
  await one.clock.advance(5_000);
  assert.equal(asked, 11);
  answer = 'coordinator-replaced';
  await one.clock.advance(500);
  await ended;
});
