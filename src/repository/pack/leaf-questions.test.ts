import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { type LeafId, leafId, packId } from '../../model/id.ts';
import { type LeafExchange, LeafQuestions } from './leaf-questions.ts';
import type { PackRef } from './pack-format.ts';

const pack: PackRef = { id: packId('1'.repeat(64)), kind: 'd', bytes: 1, leaves: 2 };
const ids = [1, 2, 3].map((n) => leafId(new Uint8Array(32).fill(n)));
type Answers = readonly (PackRef | 'storing' | undefined)[];

/** Gives the answers one by one, the last one for ever; keeps how many ids were asked for. */
function exchangeOf(...answers: Answers[]): LeafExchange & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    ask: async (open) => {
      asked.push(open.length);
      return (answers.length > 1 ? answers.shift() : answers[0]) as Answers;
    },
    committed: () => {},
  };
}

/** Counts the waits. */
function waiter(): { waits: number; wait: (one: () => Promise<void>) => Promise<void> } {
  const counted = {
    waits: 0,
    wait: async (one: () => Promise<void>): Promise<void> => {
      counted.waits++;
      await one();
    },
  };
  return counted;
}

const known = (found: Map<LeafId, PackRef>): number[] =>
  [...found.keys()].map((id) => id[0] as number);

test('what nobody is storing is answered at once', async () => {
  const exchange = exchangeOf([undefined, pack, undefined]);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000 }, 1);
  const counted = waiter();
  assert.deepEqual(known(await questions.ask(ids, counted.wait)), [2]);
  assert.deepEqual([exchange.asked, counted.waits], [[3], 0]);
});

test('while an older one stores part of it all that is open is asked for again', async () => {
  const exchange = exchangeOf([pack, 'storing', undefined], ['storing', 'storing'], [pack, pack]);
  const clock = new ManualClock({ jumps: true });
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000 }, 1);
  assert.deepEqual(known(await questions.ask(ids, waiter().wait)), [1, 2, 3]);
  assert.deepEqual(exchange.asked, [3, 2, 2]);
});

test('patience ends, for the whole session: then it is stored here', async () => {
  const exchange = exchangeOf(['storing', 'storing', 'storing']);
  const clock = new ManualClock({ jumps: true });
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000 }, 1);
  const counted = waiter();
  assert.equal((await questions.ask(ids, counted.wait)).size, 0);
  assert.equal(counted.waits, 4);
  assert.equal((await questions.ask(ids, counted.wait)).size, 0);
  assert.equal(counted.waits, 4, 'it has none left');
});

test('who waits stops when told to', async () => {
  const exchange = exchangeOf(['storing', 'storing', 'storing']);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000 }, 1);
  const stop = new AbortController();
  questions.stopWith(stop.signal);
  const asked = questions.ask(ids, waiter().wait);
  await clock.advance(100);
  const reason = new Error('cancelled');
  stop.abort(reason);
  await assert.rejects(asked, (error) => error === reason);
});
