import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { MemorySpill } from '../../base/spill.ts';
import type { ChangeBatch, SourceSession } from '../../connector/connector.ts';
import type { FollowOptions } from '../../connector/follow-options.ts';
import { MemoryConnector } from '../../connector/memory/memory-connector.ts';
import { MemoryDatabases } from '../../connector/memory/memory-database.ts';
import { streamId } from '../../model/id.ts';
import { everything } from '../../model/namespace.ts';
import type { Position } from '../../model/time.ts';
import { InlineSealer } from '../../repository/frame/sealer.ts';
import { createRepository } from '../../repository/keys/repository-config.ts';
import type { StreamRecord } from '../../repository/lineage/records.ts';
import { Repository } from '../../repository/repository.ts';
import { change } from '../../repository/runs/run-fixture.ts';
import { cutParameterSet } from '../../repository/tree/cut-parameters.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import { hex } from '../history/history-fixture.ts';
import { epochKey } from '../history/source-history.ts';
import type { SourceContext } from '../source-context.ts';
import { closeEpoch } from './epoch.ts';
import { Follower } from './follower.ts';

const stream = streamId('s');
const at = (time: number): Position => ({ time: BigInt(time), term: 1n });
const forever = new AbortController().signal;
const claim = { check: () => {}, release: async () => {} };

/** A batch through `time`, with one change at each of `changes`. */
function batch(
  time: number,
  changes: readonly number[],
  part: Partial<ChangeBatch> = {},
): ChangeBatch {
  return {
    changes: changes.map((n) => change({ time: BigInt(n), stream, position: at(n) })),
    catalog: [],
    resume: at(time),
    through: at(time),
    settled: BigInt(time),
    unknown: [],
    bytes: 0,
    ...part,
  };
}

/** A source whose history begins at 10, and a clock that the test moves. */
async function open() {
  let nowMs = 0;
  const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: async () => {} };
  const store = new MemoryObjectStore();
  const random = new SeededRandom(1);
  const spill = new MemorySpill();
  const opened = await createRepository(store, undefined, { random, cut: cutParameterSet });
  const sealer = new InlineSealer({ idKey: opened.unlocked.keys.id, level: 1 });
  const memoryBytesMax = 1 << 20;
  const repository = await Repository.open(
    { store, clock, random, spill, sealer, writer: 'test', memoryBytesMax },
    opened,
  );
  const lineage = await repository.openLineage('source-1');
  await lineage.commit((draft): undefined => {
    draft.set(epochKey(0), { catalogFrom: hex(10), exactFrom: hex(10) });
    draft.set('stream/s', { resume: `${hex(10)}.1`, through: `${hex(10)}.1`, settled: hex(10) });
  });
  const limits = { workers: 1, segmentBytes: 1000, tickBytesMax: 1000, memoryBytesMax };
  const context = {
    name: 'source',
    world: { clock, random, log: silentLogger, spill, limits },
    repository,
    lineage,
    connector: new MemoryConnector(new MemoryDatabases()),
    config: async () => ({ kind: 'memory', uri: 'memory:source' }),
    scope: everything,
  } as unknown as SourceContext;
  const ticks: number[] = [];
  const follower = (follow = false): Follower =>
    new Follower(context, {
      stream,
      epoch: 0,
      rpoMs: 5000,
      follow,
      idleMs: 60_000,
      claim,
      catalog: [],
      onTick: ({ through }) => ticks.push(Number(through)),
    });
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  const stored = (): StreamRecord | undefined => lineage.state.get<StreamRecord>('stream/s');
  return { lineage, ticks, follower, advance, stored };
}

/** A batch, or something to do, which may give one. */
type Step = ChangeBatch | (() => unknown);

/** Gives `steps` in turn, then stops the follower. */
async function follow(
  follower: Follower,
  steps: readonly Step[],
  watermark: SourceSession['watermark'] = async () => 0n,
): Promise<FollowOptions | undefined> {
  let asked: FollowOptions | undefined;
  const stop = new AbortController();
  const session = {
    async *follow(_stream: string, options: FollowOptions) {
      asked = options;
      for (const step of steps) {
        const given = typeof step === 'function' ? (step() as ChangeBatch | undefined) : step;
        if (given) yield given;
      }
      stop.abort();
      stop.signal.throwIfAborted();
    },
    watermark,
  } as unknown as SourceSession;
  await follower.run(session, stop.signal);
  return asked;
}

test('a tick waits for the recovery point objective, then takes all that was heard', async () => {
  const { follower, ticks, advance, lineage } = await open();
  await follow(follower(), [
    batch(11, [11]),
    () => advance(4999),
    batch(12, [12]),
    () => advance(1),
    batch(13, []),
  ]);
  assert.deepEqual(ticks, [13]);
  assert.equal(lineage.state.keys('run').length, 1);
});

test('more changes than memory allows force a tick', async () => {
  const { follower, ticks } = await open();
  await follow(follower(), [batch(20, [11, 12, 13, 14, 15, 16]), batch(21, [21])]);
  assert.deepEqual(ticks, [20, 21], 'and the rest is committed at the end');
});

test('an idle stream commits its place once a minute and makes no run', async () => {
  const { follower, ticks, advance, lineage } = await open();
  const idle = [
    batch(11, []),
    () => advance(59_999),
    batch(12, []),
    () => advance(1),
    batch(13, []),
  ];
  await follow(follower(), idle);
  assert.deepEqual(ticks, [13]);
  assert.deepEqual(lineage.state.keys('run'), []);
});

test('who goes on following commits within the objective whatever moves the log', async () => {
  const { follower, ticks, advance } = await open();
  const noops = [
    () => advance(4999),
    batch(11, []),
    () => advance(1),
    batch(12, []),
    batch(13, []),
  ];
  await follow(follower(true), noops);
  assert.deepEqual(ticks, [12, 13], 'the last one by the end');
});

test('a stream that stands still commits nothing before its writer has to show that it lives', async () => {
  const { follower, ticks, advance } = await open();
  const still = batch(10, []);
  await follow(follower(true), [() => advance(59_999), still, () => advance(1), still]);
  assert.deepEqual(ticks, [10]);
});

test('a quiet source is asked for an entry before a commit is due, and the commit reaches it', async () => {
  const { follower, ticks, advance } = await open();
  let [second, written] = [10, 10];
  const pass = (): ChangeBatch => {
    advance(1000);
    second++;
    return batch(written, []);
  };
  const note = async (): Promise<bigint> => {
    written = second;
    return BigInt(written);
  };
  await follow(follower(true), new Array<Step>(16).fill(pass), note);
  assert.deepEqual(ticks, [14, 19, 24, 24], 'asked after 4 s, committed after 5 s, and at the end');
});

test('following goes on where the last commit ended, from the oldest open transaction', async () => {
  const { follower, stored } = await open();
  await follow(follower(), [batch(20, [20], { resume: at(15), settled: 14n })]);
  assert.deepEqual(stored(), { resume: `${hex(15)}.1`, through: `${hex(20)}.1`, settled: hex(14) });
  const asked = await follow(follower(), []);
  assert.deepEqual([asked?.resume, asked?.through], [at(15), at(20)]);
});

test('what was settled stays settled when a follower has to find its place again', async () => {
  const { follower, stored } = await open();
  await follow(follower(), [batch(20, [20])]);
  await follow(follower(), [batch(20, [], { settled: 12n })]);
  assert.equal(stored()?.settled, hex(20));
});

test('a follower that another has overtaken commits nothing', async () => {
  const { follower, lineage } = await open();
  const late = follower();
  await follow(follower(), [batch(20, [20])]);
  const seq = lineage.seq;
  await assert.rejects(follow(late, [batch(15, [15])]), (error) =>
    isCodrError(error, 'lease-lost'),
  );
  assert.equal(lineage.seq, seq);
});

test('an epoch that a check has closed meanwhile takes no more commits: the next one follows', async () => {
  const { follower, lineage } = await open();
  const one = follower();
  await follow(one, [batch(20, [20])]);
  await lineage.commit((draft): undefined => {
    closeEpoch(draft, 'a run is lost');
  });
  await assert.rejects(follow(one, [batch(30, [30])]), (error) => isCodrError(error, 'gap'));
});

test('whoever waits for a time is woken by the commit that settles it', async () => {
  const { follower } = await open();
  const one = follower();
  const reached = one.reached(20n, forever);
  await follow(one, [batch(19, [19]), batch(20, [])]);
  await reached;
  await one.reached(20n, forever);
});

test('a log that ends by itself is an error, not an end', async () => {
  const { follower } = await open();
  const session = { async *follow() {} } as unknown as SourceSession;
  await assert.rejects(follower().run(session, forever), /told to stop/);
});
