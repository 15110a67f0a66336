import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { silentLogger } from '../base/log.ts';
import type { RecordBatch, RecordStream } from '../model/record.ts';
import { SourcePace } from './source-pace.ts';

const never = new AbortController().signal;

/** Reads batches that take 100 ms each; `pressure` by the second. Gives the ms that each batch took. */
async function read(count: number, pressure: (second: number) => Promise<string | undefined>) {
  const clock = new ManualClock({ jumps: true });
  const said: string[] = [];
  const tell = (level: string) => (_: unknown, text: string) => said.push(`${level}: ${text}`);
  const log = { ...silentLogger, info: tell('info'), warn: tell('warn') };
  const pace = new SourcePace({ name: 'shop', clock, log });
  const batches = async function* (): RecordStream {
    for (let i = 0; i < count; i++) {
      await clock.sleep(100);
      yield [] as RecordBatch;
    }
  };
  const session = { pressure: () => pressure(Math.floor(clock.monotonic() / 1000)) };
  pace.asks(session, never);
  const tookMs: number[] = [];
  const notes: (string | undefined)[] = [];
  let fromMs = 0;
  for await (const _ of pace.paced(batches(), never)) {
    await new Promise((turn) => setImmediate(turn));
    tookMs.push(clock.monotonic() - fromMs);
    notes.push(pace.note);
    fromMs = clock.monotonic();
  }
  return { tookMs, notes, said, pace };
}

test('a source without pressure is read at full speed', async () => {
  const { tookMs, said } = await read(50, async () => undefined);
  assert.ok(tookMs.every((ms) => ms === 100));
  assert.deepEqual(said, []);
});

test('under pressure reading slows to a sixteenth, and is back at full speed when it has ended', async () => {
  const busy = async (second: number) =>
    second >= 2 && second < 12 ? '40 operations wait' : undefined;
  const { tookMs, notes, said, pace } = await read(300, busy);
  assert.equal(Math.max(...tookMs), 1600);
  assert.ok(notes.includes('slowed to 50 %: 40 operations wait'));
  assert.ok(notes.includes('slowed to 6 %: 40 operations wait'));
  assert.equal(tookMs.at(-1), 100);
  assert.equal(pace.share, 1);
  assert.equal(pace.note, undefined);
  assert.deepEqual(said, [
    'warn: the source is under pressure: read slower',
    'info: read at full speed again',
  ]);
});

test('the speed grows slowly after pressure, so that it is not there again at once', async () => {
  const { notes } = await read(300, async (second) => (second === 2 ? 'busy' : undefined));
  const shares = [...new Set(notes)].filter((note) => note !== undefined);
  assert.deepEqual(shares, [
    ...['slowed to 50 %: busy', 'slowed to 56 %: busy', 'slowed to 63 %: busy'],
    ...['slowed to 69 %: busy', 'slowed to 75 %: busy', 'slowed to 81 %: busy'],
    ...['slowed to 88 %: busy', 'slowed to 94 %: busy'],
  ]);
});

test('a source that cannot say how it is, or fails to, is read as it is', async () => {
  const { tookMs } = await read(50, async () => {
    throw new Error('not now');
  });
  assert.ok(tookMs.every((ms) => ms === 100));
});

test('who is told a share of the time keeps to it, though nobody is asked from there', async () => {
  const clock = new ManualClock({ jumps: true });
  const pace = new SourcePace({ name: 'shop', clock, log: silentLogger });
  const batches = async function* (): RecordStream {
    for (let i = 0; i < 5; i++) {
      await clock.sleep(100);
      yield [] as RecordBatch;
    }
  };
  for await (const _ of pace.paced(batches(), never, 1 / 4));
  assert.equal(clock.monotonic(), 5 * 400);
  assert.equal(pace.note, undefined, 'it is not this process that slows');
});
