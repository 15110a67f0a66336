// The contract of every coordinator, as tests. `expire` ends a lease behind its holder's back, as a network
// or a pause does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokenPromiseError } from '../base/assert.ts';
import { isCodrError } from '../base/error.ts';
import type { Coordinator, Lease } from './coordinator.ts';

interface OpenedCoordinator {
  /** Empty. */
  readonly coordinator: Coordinator;
  /** Resolves when the lease's holder has been told and its keys are gone. */
  expire(lease: Lease): Promise<void>;
  dispose(): Promise<void>;
}

interface Opened extends OpenedCoordinator {
  readonly ttlMs: number;
}

type Check = (coordinator: Coordinator, opened: Opened) => Promise<void>;

/** Registers the suite under `name`; `open` gives each test an empty coordinator of its own. */
export function coordinatorConformance(
  name: string,
  open: () => Promise<OpenedCoordinator>,
  { ttlMs = 10_000 }: { ttlMs?: number } = {},
): void {
  for (const [sentence, check] of Object.entries({ ...transactions, ...leases, ...watches })) {
    test(`${name}: ${sentence}`, async () => {
      const opened = await open();
      try {
        await check(opened.coordinator, { ...opened, ttlMs });
      } finally {
        await opened.dispose();
      }
    });
  }
}

async function put(coordinator: Coordinator, key: string, value = 'v', lease?: Lease) {
  const outcome = await coordinator.transact([], [{ put: key, value, ...(lease && { lease }) }]);
  assert.ok(outcome.done);
  return outcome.revision;
}

async function keys(coordinator: Coordinator, prefix = ''): Promise<string[]> {
  return (await coordinator.list(prefix)).map((entry) => entry.key);
}

const transactions: Record<string, Check> = {
  'an entry tells the revisions that created and last changed it': async (coordinator) => {
    const created = await put(coordinator, 'k', 'one');
    const changed = await put(coordinator, 'k', 'two');
    assert.ok(changed > created && created > 0);
    assert.deepEqual(await coordinator.get('k'), {
      key: 'k',
      value: 'two',
      createRevision: created,
      modifyRevision: changed,
    });
    assert.equal(await coordinator.get('other'), undefined);
  },
  'a key that was deleted and put again has a later create revision': async (coordinator) => {
    const first = await put(coordinator, 'k');
    await coordinator.transact([], [{ delete: 'k' }]);
    assert.equal(await coordinator.get('k'), undefined);
    assert.ok((await put(coordinator, 'k')) > first);
  },
  'a list is ascending and holds the keys of the prefix only': async (coordinator) => {
    for (const key of ['t/b', 't/a', 't/a/1', 'u', 't']) await put(coordinator, key);
    assert.deepEqual(await keys(coordinator, 't/'), ['t/a', 't/a/1', 't/b']);
    assert.deepEqual(await keys(coordinator), ['t', 't/a', 't/a/1', 't/b', 'u']);
  },
  'nothing happens when one guard of several fails': async (coordinator) => {
    const revision = await put(coordinator, 'a', 'kept');
    const guards = [
      { key: 'a', modifyRevision: revision },
      { key: 'b', createRevision: revision },
    ];
    const outcome = await coordinator.transact(guards, [
      { put: 'a', value: 'lost' },
      { put: 'c', value: 'lost' },
    ]);
    assert.deepEqual(outcome, { done: false });
    assert.equal((await coordinator.get('a'))?.value, 'kept');
    assert.equal(await coordinator.get('c'), undefined);
  },
  'guards compare the create and the modify revision apart': async (coordinator) => {
    const created = await put(coordinator, 'k');
    const modified = await put(coordinator, 'k');
    const tryWith = async (guard: object) =>
      (await coordinator.transact([{ key: 'k', ...guard } as never], [])).done;
    assert.equal(await tryWith({ createRevision: created }), true);
    assert.equal(await tryWith({ createRevision: modified }), false);
    assert.equal(await tryWith({ modifyRevision: modified }), true);
    assert.equal(await tryWith({ modifyRevision: created }), false);
    assert.equal(await tryWith({ modifyRevision: 0 }), false);
  },
  'all operations of a transaction share its revision': async (coordinator) => {
    const outcome = await coordinator.transact(
      [],
      [{ put: 'a', value: '1' }, { put: 'b', value: '2' }, { delete: 'never there' }],
    );
    assert.ok(outcome.done);
    for (const key of ['a', 'b']) {
      assert.equal((await coordinator.get(key))?.createRevision, outcome.revision);
    }
  },
  'of many that create one key at once exactly one wins': async (coordinator) => {
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        coordinator.transact(
          [{ key: 'leader', createRevision: 0 }],
          [{ put: 'leader', value: `${i}` }],
        ),
      ),
    );
    const winners = outcomes.flatMap((outcome, i) => (outcome.done ? [`${i}`] : []));
    assert.equal(winners.length, 1);
    assert.equal((await coordinator.get('leader'))?.value, winners[0]);
  },
  'too many operations, too long values and a key named twice are refused': async (coordinator) => {
    const many = Array.from({ length: 121 }, (_, i) => ({ put: `${i}`, value: '' }));
    const long = [{ put: 'k', value: 'ä'.repeat(32 * 1024 + 1) }];
    const twice = [{ put: 'k', value: '' }, { delete: 'k' }];
    const much = many.slice(0, 17).map(({ put }) => ({ put, value: 'x'.repeat(64 * 1024) }));
    for (const operations of [many, long, twice, much]) {
      await assert.rejects(() => coordinator.transact([], operations), BrokenPromiseError);
    }
    const guards = many.slice(1).map(({ put }) => ({ key: put, createRevision: 0 }));
    assert.ok((await coordinator.transact(guards, many.slice(1))).done);
    await assert.rejects(
      () => coordinator.transact([...guards, { key: 'k', createRevision: 0 }], []),
      BrokenPromiseError,
    );
    await coordinator.transact([], much.slice(2));
    await coordinator.transact([], [{ put: 'k', value: 'x'.repeat(64 * 1024) }]);
  },
};

const leases: Record<string, Check> = {
  'the keys of a lease vanish when it is given back, and no others': async (
    coordinator,
    { ttlMs },
  ) => {
    await put(coordinator, 'free');
    const [one, two] = [await coordinator.lease(ttlMs), await coordinator.lease(ttlMs)];
    await put(coordinator, 'one', 'v', one);
    await put(coordinator, 'two', 'v', two);
    await one[Symbol.asyncDispose]();
    assert.deepEqual(await keys(coordinator), ['free', 'two']);
    assert.equal(one.lost.aborted, false, 'giving back is no loss');
    assert.equal(two.lost.aborted, false);
  },
  'a lease that ends tells its holder and takes its keys along': async (
    coordinator,
    { expire, ttlMs },
  ) => {
    const lease = await coordinator.lease(ttlMs);
    await put(coordinator, 'k', 'v', lease);
    await expire(lease);
    assert.equal(lease.lost.aborted, true);
    assert.ok(isCodrError(lease.lost.reason, 'lease-lost'));
    assert.equal(await coordinator.get('k'), undefined);
  },
  'nothing can be put under a lease that has ended': async (coordinator, { expire, ttlMs }) => {
    const lease = await coordinator.lease(ttlMs);
    await expire(lease);
    await assert.rejects(
      () =>
        coordinator.transact(
          [],
          [
            { put: 'a', value: 'v' },
            { put: 'k', value: 'v', lease },
          ],
        ),
      (error) => isCodrError(error, 'lease-lost'),
    );
    assert.deepEqual(await keys(coordinator), []);
    await lease[Symbol.asyncDispose]();
  },
  'a key put again without the lease, or under another, no longer ends with it': async (
    coordinator,
    { expire, ttlMs },
  ) => {
    const [one, two] = [await coordinator.lease(ttlMs), await coordinator.lease(ttlMs)];
    await put(coordinator, 'a', 'v', one);
    await put(coordinator, 'b', 'v', one);
    await put(coordinator, 'a');
    await put(coordinator, 'b', 'v', two);
    await expire(one);
    assert.deepEqual(await keys(coordinator), ['a', 'b']);
  },
};

const watches: Record<string, Check> = {
  'a watch tells of puts, deletes and ended leases under its prefix': async (
    coordinator,
    { expire, ttlMs },
  ) => {
    const stop = new AbortController();
    const steps = coordinator.watch('t/', stop.signal)[Symbol.asyncIterator]();
    const lease = await coordinator.lease(ttlMs);
    for (const change of [
      () => put(coordinator, 't/a', 'v', lease),
      () => put(coordinator, 't/b'),
      () => coordinator.transact([], [{ delete: 't/b' }]),
      () => expire(lease),
    ]) {
      const step = steps.next();
      await change();
      assert.equal((await step).done, false);
    }
    stop.abort();
    assert.equal((await steps.next()).done, true);
  },
  'what changes between the call of watch and its first step is told': async (coordinator) => {
    const stop = new AbortController();
    const watch = coordinator.watch('t/', stop.signal);
    await put(coordinator, 't/a');
    for await (const _ of watch) stop.abort();
    assert.ok(stop.signal.aborted);
  },
  'a watch ends quietly when its signal is aborted while it waits': async (coordinator) => {
    const stop = new AbortController();
    const step = coordinator.watch('t/', stop.signal)[Symbol.asyncIterator]().next();
    stop.abort();
    assert.equal((await step).done, true);
  },
};
