import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodrError, isCodrError } from '../base/error.ts';
import { silentLogger } from '../base/log.ts';
import { alone, type SharedWork, type WorkContext, WorkPool, type Workplace } from './work-pool.ts';

const never = new AbortController().signal;

/** Pieces end when the test says so. */
class Bench {
  readonly begun: string[] = [];
  readonly #ends: (() => void)[] = [];
  nowMs = 0;

  place(name: string, run?: Workplace['run']): Workplace {
    const wait: Workplace['run'] = async ({ input }) => {
      this.begun.push(`${name} ${input}`);
      await new Promise<void>((end) => this.#ends.push(end));
      return `${name} did ${input}`;
    };
    return { name, slots: 1, run: run ?? wait };
  }

  pool(...places: Workplace[]): WorkPool {
    const clock = { monotonic: () => this.nowMs, sleep: async () => {} };
    return new WorkPool({ slots: 1, places: () => places, clock, log: silentLogger });
  }

  piece(input: string, told?: (records: number) => void): SharedWork<string> {
    return {
      order: () => ({ kind: 'test', input }),
      here: async (context) =>
        (await this.place('here').run({ kind: 'test', input }, context)) as string,
      decode: (result) => String(result),
      progress: (records) => told?.(records),
    };
  }

  async end(): Promise<void> {
    this.#ends.shift()?.();
    await new Promise((turn) => setImmediate(turn));
  }
}

test('this process works first, then the others, and who comes later waits for a free place', async () => {
  const bench = new Bench();
  const pool = bench.pool(bench.place('a'), bench.place('b'));
  assert.equal(pool.slots, 3);
  const all = ['1', '2', '3', '4'].map((one) => pool.run(bench.piece(one), never));
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(bench.begun, ['here 1', 'a 2', 'b 3']);
  await bench.end();
  assert.equal(bench.begun.at(-1), 'here 4');
  for (let i = 0; i < 3; i++) await bench.end();
  assert.deepEqual(await Promise.all(all), ['here did 1', 'a did 2', 'b did 3', 'here did 4']);
});

test('work of a peer that is lost is done elsewhere, and the peer is left alone for a while', async () => {
  const bench = new Bench();
  let tries = 0;
  const lost = bench.place('lost', async (_, { progress }) => {
    tries++;
    progress(5, 50);
    throw new CodrError('peer-lost', 'gone');
  });
  const told: number[] = [];
  const pool = bench.pool(lost);
  const busy = pool.run(bench.piece('busy'), never);
  const moved = pool.run(
    {
      ...bench.piece('moved', (records) => told.push(records)),
      here: async ({ progress }: WorkContext) => {
        progress(3, 30);
        progress(4, 40);
        return 'here after all';
      },
    },
    never,
  );
  await new Promise((turn) => setImmediate(turn));
  await bench.end();
  assert.equal(await moved, 'here after all');
  await busy;
  // What was told before the loss is not told again: 5, then what goes beyond it.
  assert.deepEqual(told, [5, 2]);
  assert.equal(pool.slots, 1);
  bench.nowMs = 60_000;
  assert.equal(pool.slots, 2);
  assert.equal(tries, 1);
});

test('an error of the work itself is thrown and not tried elsewhere', async () => {
  const bench = new Bench();
  const fails = bench.place('fails', async () => {
    throw new CodrError('snapshot-too-old', 'too old');
  });
  const pool = bench.pool(fails);
  const busy = pool.run(bench.piece('busy'), never);
  await assert.rejects(
    () => pool.run(bench.piece('x'), never),
    (error) => isCodrError(error, 'snapshot-too-old'),
  );
  await bench.end();
  await busy;
});

test('who waits for a place leaves when the signal is aborted', async () => {
  const bench = new Bench();
  const pool = bench.pool();
  const busy = pool.run(bench.piece('busy'), never);
  const stop = new AbortController();
  const waiting = pool.run(bench.piece('late'), stop.signal);
  stop.abort(new Error('no longer wanted'));
  await assert.rejects(() => waiting, /no longer wanted/);
  await bench.end();
  await busy;
});

test('a process without peers does as much at a time as it has slots', async () => {
  const bench = new Bench();
  const sharing = alone(2);
  const all = ['1', '2', '3'].map((one) => sharing.run(bench.piece(one), never));
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(bench.begun, ['here 1', 'here 2']);
  for (let i = 0; i < 3; i++) await bench.end();
  await Promise.all(all);
});
