// Items that a target lends: other peers load and read back ranges of them, and what counts is what the lender adopts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Semaphore } from '../../base/async.ts';
import { compareBytes, toHex, view } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Sharing } from '../../cluster/work-pool.ts';
import type {
  FinishedItem,
  Keep,
  RangeTarget,
  RestoreTarget,
  TargetItem,
} from '../../connector/restore-target.ts';
import { type KeyRange, rangeHolds } from '../../model/key-range.ts';
import type { DataRecord, RecordStream } from '../../model/record.ts';
import { CutWorld } from '../capture/cut-world.fixture.ts';
import { ProgressMeter } from '../progress.ts';
import { OpenedRuns } from '../read/fold.ts';
import type { SourceContext } from '../source-context.ts';
import { Workers } from '../work/workers.ts';
import { ItemRestore } from './item-restore.ts';
import { referenceOf } from './range-order.ts';

const forever = new AbortController().signal;
const rows = 500;
const rowBytes = 24 * 1024;

/** What all targets of the test write into: records count only once they are adopted. */
class Place {
  readonly adopted: DataRecord[] = [];
  readonly watched: string[] = [];
  /** Which calls came of each target, in order. */
  readonly calls: string[][] = [];
  /** One target after the other. */
  open(): RestoreTarget {
    return new LendingTarget(this) as Partial<RestoreTarget> as RestoreTarget;
  }
}

class LendingTarget {
  identity = { id: 'one', version: '1', streams: [] };
  readonly sharesRanges = true;
  readonly #place: Place;
  readonly #calls: string[] = [];

  constructor(place: Place) {
    this.#place = place;
    place.calls.push(this.#calls);
  }

  async create(): Promise<void> {
    this.#calls.push('create');
  }

  async plan(): Promise<never> {
    throw new Error('what is lent is not planned again');
  }

  serial = (): boolean => false;

  near = (): ReadonlyMap<string, number> => new Map([['n2', 1]]);

  loadRangesMax = (_: TargetItem, _bytes: number, apart: boolean): number => (apart ? 2 : 1);

  async load(_: TargetItem, records: RecordStream) {
    const all = await gathered(records);
    this.#place.adopted.push(...all);
    return { records: all.length, bytes: 0, changedByTarget: [] };
  }

  async lend(): Promise<unknown> {
    return { isFrozen: this.#calls.includes('freeze') };
  }

  borrow(_: TargetItem, lent: unknown): RangeTarget {
    const { isFrozen } = lent as { readonly isFrozen: boolean };
    return {
      load: async (_item, records) => {
        assert.ok(!isFrozen);
        const all = await gathered(records);
        const receipt = all.map(({ key, value }) => [toHex(key), toHex(value)]);
        return { records: all.length, bytes: 0, changedByTarget: [], receipt };
      },
      watch: (_item, expected, keep) => watching(expected, keep),
      readBack: (_item, range) => {
        assert.ok(isFrozen);
        return this.readBack(_item, range);
      },
    };
  }

  async adopt(_: TargetItem, receipt: unknown): Promise<void> {
    this.#calls.push('adopt');
    if (typeof receipt === 'string') this.#place.watched.push(...receipt.split(' '));
    else {
      for (const [key = '', value = ''] of receipt as string[][]) {
        const record = { key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') };
        this.#place.adopted.push(record);
      }
    }
  }

  async index(): Promise<void> {
    this.#calls.push('index');
  }

  async freeze() {
    this.#calls.push('freeze');
    return { nowMs: 0 };
  }

  async *readBack(_: TargetItem, range: KeyRange): RecordStream {
    const held = this.#place.adopted.filter(({ key }) => rangeHolds(range, key));
    yield held.sort((a, b) => compareBytes(a.key, b.key));
  }

  watch(_: TargetItem, expected: RecordStream): RecordStream {
    return watching(expected, (kept) => this.#place.watched.push(...String(kept).split(' ')));
  }

  async done(_: TargetItem, _finished: FinishedItem): Promise<void> {
    this.#calls.push('done');
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function gathered(records: RecordStream): Promise<DataRecord[]> {
  const all: DataRecord[] = [];
  for await (const batch of records) {
    for (const { key, value } of batch) all.push({ key: key.slice(), value: value.slice() });
  }
  return all;
}

async function* watching(expected: RecordStream, keep?: Keep): RecordStream {
  const keys: string[] = [];
  for await (const batch of expected) {
    keys.push(...batch.map(({ key }) => view(key).toString()));
    yield batch;
  }
  keep?.(keys.join(' '));
}

/** All work goes to another peer, as text; every third answer is lost. */
function elsewhere(slots: number, context: () => SourceContext) {
  const { clock } = context().world;
  const openRepository = async () => context().repository;
  const workers = new Workers({ clock, openSource: async () => context(), openRepository });
  /** `near`: to what of each kind of operation. */
  const counts = { orders: 0, lost: 0, near: new Map<string, string[]>() };
  const sharing: Sharing = {
    slots,
    run: async (work, signal) => {
      for (;;) {
        const order = JSON.parse(JSON.stringify(work.order()));
        const { kind } = order.input.operation;
        counts.near.set(kind, [...(work.facts?.near.keys() ?? [])]);
        const answer = await workers.run(order, { signal, progress: () => {} });
        counts.orders++;
        if (counts.orders % 3 !== 0) return await work.decode(JSON.parse(JSON.stringify(answer)));
        counts.lost++;
      }
    },
  };
  return { sharing, counts, workers };
}

/** Restores a table of some MiB, with or without other peers. */
async function restored(place: Place, slots: number) {
  const world = await CutWorld.open();
  world.database.create('shop.orders');
  const keys = Array.from({ length: rows }, (_, i) => `k${String(i).padStart(3, '0')}`);
  for (const key of keys)
    world.database.write('shop.orders', key, key.repeat(rowBytes / key.length));
  await world.cut();
  const plain = world.context;
  const own = { openTarget: async () => place.open(), expiry: () => undefined };
  const connector = { ...plain.connector, ...own };
  const { sharing, counts, workers } = elsewhere(slots, () => ({ ...plain, connector }));
  await using _ = workers;
  const context = { ...plain, connector, world: { ...plain.world, sharing } };
  const { at, datasets } = world.resolve('latest');
  const [dataset] = datasets;
  assert.ok(dataset);
  const target = place.open();
  const live = { nowMs: 0, ttl: 'keep', rebaseMs: 0, cutMs: 0 } as const;
  const shared = {
    ...{ context, target, at, live, parts: new Map(), counts: new Map(), verify: true },
    ...({ runs: new OpenedRuns(context), ttl: 'keep', slots: new Semaphore(slots) } as const),
    meter: new ProgressMeter(world.clock, undefined),
    ...referenceOf(context, target, {
      ...{ run: 'one', at, live, to: { kind: 'cuts', uri: 'cuts:to' } },
      target: {
        ...{ operation: 'o', moment: 'm', renames: [], defined: [], drop: false, ttl: 'keep' },
        ...{ scope: { include: [], exclude: [] }, usersAndRoles: false },
      } as const,
    }),
  };
  const item = { dataset, entry: dataset.entry, namespace: 'shop.orders' };
  return { outcome: await new ItemRestore(shared, item).run(forever), counts, keys };
}

test('ranges that are lent are loaded, watched and read back by others; an answer that is lost counts for nothing', async () => {
  const place = new Place();
  const { outcome, counts, keys } = await restored(place, 6);
  assert.equal(outcome.records, keys.length);
  assert.ok(outcome.proven && outcome.root !== '');
  assert.ok(counts.orders >= 4 && counts.lost >= 1, `${counts.orders} orders, ${counts.lost} lost`);
  assert.deepEqual(place.adopted.map(({ key }) => view(key).toString()).sort(), keys);
  assert.deepEqual(place.watched.sort(), keys);
  const near = Object.fromEntries(counts.near);
  assert.deepEqual(near, { load: ['n2'], prove: ['n2'] });
  const [own = [], ...others] = place.calls;
  assert.deepEqual(
    own.filter((call) => call !== 'adopt'),
    ['create', 'index', 'freeze', 'done'],
  );
  assert.ok(own.indexOf('adopt') < own.indexOf('index'));
  // Whoever borrows makes nothing, adopts nothing and writes no marker.
  assert.ok(others.length > 0);
  assert.deepEqual(others.flat(), []);
});

test('where nobody else is there, the load stays with the process that restores', async () => {
  const place = new Place();
  const { outcome, counts, keys } = await restored(place, 2);
  assert.equal(outcome.records, keys.length);
  assert.equal(place.calls[0]?.indexOf('index'), 1, 'nothing was adopted before it');
  // The proof goes wherever there is room.
  assert.ok(counts.orders > 0);
});

test('a receipt that does not hold is an error of the peer that gave it', async () => {
  const place = new Place();
  const open = place.open.bind(place);
  place.open = () => {
    const target = open();
    target.adopt = async () => {
      throw new CodrError('peer-lost', 'it is not here');
    };
    return target;
  };
  await assert.rejects(restored(place, 6), { code: 'peer-lost' });
});

test('a proof that fails is told to the target, so that the same command loads anew', async () => {
  const place = new Place();
  const open = place.open.bind(place);
  const told: string[] = [];
  place.open = () =>
    Object.assign(open(), {
      readBack: async function* (): RecordStream {},
      disproven: async ({ namespace }: TargetItem) => void told.push(namespace),
    });
  await assert.rejects(restored(place, 2), { code: 'proof-failed' });
  assert.deepEqual(told, ['shop.orders']);
});

test('a peer for which the target is another one, or not there, loads nothing', async () => {
  for (const fault of ['another', 'away']) {
    const place = new Place();
    const open = place.open.bind(place);
    place.open = () => {
      if (place.calls.length === 0) return open();
      if (fault === 'away') throw new CodrError('source-unreachable', 'nobody answers');
      return Object.assign(open(), { identity: { id: 'two', version: '1', streams: [] } });
    };
    await assert.rejects(restored(place, 6), { code: 'peer-lost' });
    assert.deepEqual(place.adopted, []);
  }
});
