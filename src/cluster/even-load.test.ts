import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { silentLogger } from '../base/log.ts';
import { EvenLoad } from './even-load.ts';
import { WorkPool, type Workplace } from './work-pool.ts';

test('who has worked a twentieth more than the mean of the others, a slot, is ahead', () => {
  const load = new EvenLoad({ monotonic: () => 0 });
  const [a, b] = [{ slots: 1 }, { slots: 2 }];
  load.begin(1000);
  assert.equal(load.isAhead({ cpuMs: 1500, slots: 1 }, [a, b]), false, 'nobody has told yet');
  load.told(a, 70_000, 1000);
  load.told(b, 500, 1000);
  load.told(a, 70_400, 1200);
  load.told(b, 900, 1200);
  // 400 a slot of the one, 200 of the other.
  assert.equal(load.isAhead({ cpuMs: 1315, slots: 1 }, [a, b]), false);
  assert.equal(load.isAhead({ cpuMs: 1316, slots: 1 }, [a, b]), true);
  assert.equal(load.isAhead({ cpuMs: 1630, slots: 2 }, [a, b]), false);
});

test('what was worked before a long pause counts no more', () => {
  let now = 0;
  const load = new EvenLoad({ monotonic: () => now });
  const other = { slots: 1 };
  const look = (cpuMs: number): boolean => load.isAhead({ cpuMs, slots: 1 }, [other]);
  load.begin(0);
  load.told(other, 0, 0);
  load.end();
  now = 5000;
  load.begin(300);
  load.told(other, 100, 300);
  assert.equal(look(300), true);
  load.end();
  now = 60_000;
  load.begin(300);
  load.told(other, 100, 300);
  load.told(other, 150, 300);
  assert.equal(look(310), false);
});

test('a place that comes later, or begins anew, makes up for nothing that was worked before', () => {
  const load = new EvenLoad({ monotonic: () => 0 });
  const [old, fresh] = [{ slots: 1 }, { slots: 1 }];
  load.begin(0);
  load.told(old, 0, 0);
  load.told(old, 36_000, 36_000);
  load.told(fresh, 10, 36_000);
  load.told(fresh, 110, 36_000);
  load.told(old, 36_100, 36_000);
  assert.equal(load.isAhead({ cpuMs: 36_105, slots: 1 }, [old, fresh]), false);
  assert.equal(load.isAhead({ cpuMs: 36_106, slots: 1 }, [old, fresh]), true);
});

test('who is ahead goes on all the same when the others take nothing for a while', async () => {
  const clock = new ManualClock();
  const stands: Workplace = {
    ...{ name: 'stands', slots: 1 },
    run: (_, { worked: tell }) => {
      tell?.(0);
      return new Promise(() => {});
    },
  };
  let cpu = 0;
  const pool = new WorkPool({
    ...{ slots: 1, places: () => [stands], log: silentLogger, cpuMs: () => cpu, clock },
  });
  const done: number[] = [];
  const piece = (i: number) => ({
    order: () => ({ kind: 'test', input: i }),
    here: async () => {
      cpu += 100;
      done.push(i);
    },
    decode: () => {},
    progress: () => {},
  });
  for (let i = 0; i < 5; i++) void pool.run(piece(i), new AbortController().signal);
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(
    done,
    [0, 2],
    'of the others one is with who stands still, the rest is held back',
  );
  await clock.advance(4999);
  assert.deepEqual(done, [0, 2]);
  await clock.advance(1);
  assert.deepEqual(done, [0, 2, 3, 4]);
});

/** What is waited for longer than a turn never comes. */
const shortSleep = (ms: number): Promise<void> =>
  ms === 0 ? Promise.resolve() : new Promise(() => {});

interface Shares {
  readonly others: number;
  /** Of this process, for what it does beside its pieces, each time it is asked for one. */
  readonly besides: number;
}

/** All pieces cost the same. Gives what each place has worked, this process first. */
async function worked({ others, besides }: Shares, pieces: number): Promise<number[]> {
  const cpu = new Array<number>(others + 1).fill(0);
  const running: (() => void)[] = [];
  const runOn = async (i: number): Promise<void> => {
    await new Promise<void>((end) => running.push(end));
    cpu[i] = (cpu[i] as number) + 100;
  };
  const places = Array.from({ length: others }, (_, i): Workplace => {
    const run: Workplace['run'] = async (_order, { worked: tell }) => {
      tell?.(cpu[i + 1] as number);
      await runOn(i + 1);
      tell?.(cpu[i + 1] as number);
    };
    return { name: `p${i + 1}`, slots: 1, run };
  });
  const pool = new WorkPool({
    ...{ slots: 1, places: () => places, log: silentLogger, cpuMs: () => cpu[0] as number },
    clock: { monotonic: () => 0, sleep: shortSleep },
  });
  const one = async (i: number): Promise<void> => {
    const order = (): { kind: string; input: number } => {
      cpu[0] = (cpu[0] as number) + besides;
      return { kind: 'test', input: i };
    };
    const work = { order, here: () => runOn(0), decode: () => {}, progress: () => {} };
    await pool.run(work, new AbortController().signal);
  };
  const all = Promise.all(Array.from({ length: pieces }, (_, i) => one(i)));
  let hasEnded = false;
  void all.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    await new Promise((turn) => setImmediate(turn));
    running.shift()?.();
  }
  return cpu;
}

test('a process that has more to do than its pieces takes fewer of them, until all have worked the same', async () => {
  const cpu = await worked({ others: 3, besides: 10 }, 100);
  const mean = cpu.reduce((sum, one) => sum + one, 0) / cpu.length;
  for (const one of cpu) assert.ok(Math.abs(one - mean) <= 150, `${one} of ${mean}`);
  const [own = 0] = await worked({ others: 3, besides: 100 }, 100);
  assert.ok(
    own >= 10_000,
    'what it has to do besides is more than its share, so it takes no piece',
  );
  assert.ok(own <= 10_200, `${own}`);
});

test('a process alone takes all, whatever else it does', async () => {
  assert.deepEqual(await worked({ others: 0, besides: 1000 }, 10), [1000]);
});
