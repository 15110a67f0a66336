import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import { type LeafId, leafId, packId } from '../../model/id.ts';
import { type LeafExchange, LeafQuestions, type OwnKnowledge } from './leaf-questions.ts';
import type { PackRef } from './pack-format.ts';

const pack: PackRef = { id: packId('1'.repeat(64)), kind: 'd', bytes: 1, leaves: 2 };
const ids = [1, 2, 3].map((n) => leafId(new Uint8Array(32).fill(n)));
const other: PackRef = { ...pack, id: packId('2'.repeat(64)) };
const isCommitted = (): boolean => true;
type Answers = Awaited<ReturnType<LeafExchange['ask']>>;

/** Gives the answers one by one, the last one for ever; keeps how many ids were asked for. */
function exchangeOf(...answers: Answers[]): LeafExchange & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    ask: async (open) => {
      asked.push(open.length);
      return (answers.length > 1 ? answers.shift() : answers[0]) as Answers;
    },
    where: async (some) => some.map(() => undefined),
    committed: () => {},
  };
}

/** A process that has those of `held` in its index, accepts `pack` alone, and counts what it is asked and waits. */
class Own implements OwnKnowledge {
  waits = 0;
  readonly lookedUp: string[] = [];
  readonly #held: ReadonlySet<LeafId>;

  constructor(...held: LeafId[]) {
    this.#held = new Set(held);
  }

  readonly heard: PackRef[] = [];

  async hear(packs: readonly PackRef[]): Promise<void> {
    this.heard.push(...packs);
  }

  accepts = (one: PackRef): boolean => this.heard.includes(one) && one === pack;

  async lookUp(some: readonly LeafId[], how: string): Promise<Map<LeafId, PackRef>> {
    this.lookedUp.push(`${how} ${some.map(([first]) => first).join()}`);
    return new Map(some.filter((id) => this.#held.has(id)).map((id) => [id, pack]));
  }

  async wait(waiting: () => Promise<void>): Promise<void> {
    this.waits++;
    await waiting();
  }
}

const known = (found: ReadonlyMap<LeafId, PackRef>): number[] =>
  [...found.keys()].map((id) => id[0] as number);

test('what nobody is storing is answered at once', async () => {
  const exchange = exchangeOf([undefined, pack, undefined]);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  const own = new Own();
  assert.deepEqual(known(await questions.ask(ids, own)), [2]);
  assert.deepEqual([exchange.asked, own.waits], [[3], 0]);
});

test('while an older one stores part of it all that is open is asked for again', async () => {
  const exchange = exchangeOf([pack, 'storing', undefined], ['storing', 'storing'], [pack, pack]);
  const clock = new ManualClock({ jumps: true });
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  assert.deepEqual(known(await questions.ask(ids, new Own())), [1, 2, 3]);
  assert.deepEqual(exchange.asked, [3, 2, 2]);
});

test('patience ends, for the whole session: then it is stored here', async () => {
  const exchange = exchangeOf(['storing', 'storing', 'storing']);
  const clock = new ManualClock({ jumps: true });
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  const own = new Own();
  assert.equal((await questions.ask(ids, own)).size, 0);
  assert.equal(own.waits, 4);
  assert.equal((await questions.ask(ids, own)).size, 0);
  assert.equal(own.waits, 4, 'it has none left');
});

test('who waits stops when told to', async () => {
  const exchange = exchangeOf(['storing', 'storing', 'storing']);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  const stop = new AbortController();
  questions.stopWith(stop.signal);
  const asked = questions.ask(ids, new Own());
  await clock.advance(100);
  const reason = new Error('cancelled');
  stop.abort(reason);
  await assert.rejects(asked, (error) => error === reason);
});

test('what nobody answers for is looked up in the whole index, and what they do not know where it is cheap', async () => {
  const [a, b, c] = ids as [LeafId, LeafId, LeafId];
  const exchange = exchangeOf(['unanswered', undefined, 'unanswered']);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  const own = new Own(a, b);
  assert.deepEqual(known(await questions.ask([a, b, c], own)), [2, 1]);
  assert.deepEqual(own.lookedUp, ['filtered 2', 'whole 1,3']);
});

test('nobody waits for what this process has stored itself', async () => {
  const exchange = exchangeOf(['storing', 'storing', 'storing']);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  const own = new Own(...ids);
  assert.deepEqual(known(await questions.ask(ids, own)), [1, 2, 3]);
  assert.equal(own.waits, 0);
});

test('a pack that is condemned here is not relied on, whoever says that it is committed', async () => {
  const exchange = exchangeOf([other, pack, other]);
  const clock = new ManualClock();
  const questions = new LeafQuestions({ exchange, clock, patienceMs: 1000, isCommitted }, 1);
  const own = new Own(ids[2] as LeafId);
  assert.deepEqual(known(await questions.ask(ids, own)), [2, 3]);
});
