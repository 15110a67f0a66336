import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { MemorySpill, type Spill, type SpillFile } from '../../../base/spill.ts';
import {
  type BlockStream,
  batchOf,
  blockOf,
  type RecordBlock,
} from '../../../model/record-block.ts';
import { partitionEnd } from '../key/record-key.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { encode, evaluate, factOf, linesOf, streamOf } from './merge-fixture.ts';
import { type InputExtent, mergeStaged } from './staged-merge.ts';

const signal = new AbortController().signal;
const options = { signal, clusteringCount: 2 };

/** Says how many scratch files there are. */
class CountingSpill implements Spill {
  opened = 0;
  held = 0;
  readonly #memory = new MemorySpill();

  async open(): Promise<SpillFile> {
    const file = await this.#memory.open();
    this.opened += 1;
    this.held += 1;
    return {
      get length() {
        return file.length;
      },
      append: (bytes) => file.append(bytes),
      read: (offset, length) => file.read(offset, length),
      [Symbol.asyncDispose]: async () => {
        this.held -= 1;
        await file[Symbol.asyncDispose]();
      },
    };
  }
}

interface Input extends InputExtent {
  readonly block: RecordBlock;
}

function inputOf(block: RecordBlock, knows: { readonly first: boolean; readonly last: boolean }) {
  const keys = batchOf(block).map(({ key }) => key.slice(0, partitionEnd(key, 0, key.length)));
  const [first, last] = [keys[0], keys.at(-1)];
  return {
    ...{ block, bytes: block.bytes.length },
    ...(knows.first && first && { first }),
    ...(knows.last && last && { last }),
  };
}

class World {
  readonly spill = new CountingSpill();
  /** Inputs that are open, and the most that ever were. */
  now = 0;
  most = 0;

  merged(inputs: readonly Input[]): BlockStream {
    const streams = inputs.map(({ block, first }) => {
      const blocks = this.#opened(block);
      return first ? { from: first, blocks } : blocks;
    });
    return mergeBlocks(streams, options);
  }

  staged(inputs: readonly Input[], openMax: number): BlockStream {
    const merged = (some: readonly Input[]): BlockStream => this.merged(some);
    return mergeStaged(inputs, { openMax, spill: this.spill, merged, ...options });
  }

  async *#opened(block: RecordBlock): BlockStream {
    this.now += 1;
    this.most = Math.max(this.most, this.now);
    try {
      yield* streamOf(block, 2);
    } finally {
      this.now -= 1;
    }
  }
}

test('a staged merge of any number of inputs is the merge, and never has more open', async () => {
  const one = fc.record({
    facts: fc.array(factOf(), { minLength: 1, maxLength: 8 }),
    knows: fc.record({ first: fc.boolean(), last: fc.boolean() }),
  });
  const many = fc.array(one, { minLength: 1, maxLength: 14 });
  await fc.assert(
    fc.asyncProperty(many, fc.integer({ min: 2, max: 6 }), async (list, openMax) => {
      const world = new World();
      const inputs = list.map(({ facts, knows }) => inputOf(encode(evaluate(facts)), knows));
      const streams = inputs.map(({ block }) => streamOf(block, 3));
      const whole = await linesOf(mergeBlocks(streams, options));
      assert.deepEqual(await linesOf(world.staged(inputs, openMax)), whole);
      assert.ok(world.most <= openMax, `${world.most} of ${openMax} were open`);
      assert.equal(world.now + world.spill.held, 0);
    }),
    { numRuns: sampled(600) },
  );
});

test('inputs that lie one behind another are opened one after another, without scratch space', async () => {
  const all = batchesByPartition();
  const world = new World();
  const inputs = all.map((block) => inputOf(block, { first: true, last: true }));
  assert.ok(inputs.length >= 3);
  await linesOf(world.staged(inputs, 2));
  assert.equal(world.spill.opened, 0);
  assert.ok(world.most <= 2, `${world.most} were open`);
});

test('a reader that leaves closes what is open and gives scratch space back', async () => {
  const world = new World();
  const [block] = batchesByPartition() as [RecordBlock];
  const inputs = Array.from({ length: 9 }, () => inputOf(block, { first: false, last: false }));
  for await (const { count } of world.staged(inputs, 3)) {
    assert.ok(count > 0);
    break;
  }
  assert.ok(world.spill.opened > 0);
  assert.equal(world.now + world.spill.held, 0);
});

/** Blocks of a partition each. */
function batchesByPartition(): RecordBlock[] {
  const facts = fc.sample(factOf(), { numRuns: 200, seed: 7 });
  const whole = batchOf(encode(evaluate(facts)));
  const parts = Map.groupBy(whole, ({ key }) =>
    Buffer.from(key.subarray(0, partitionEnd(key, 0, key.length))).toString('hex'),
  );
  return [...parts.values()].map(blockOf);
}
