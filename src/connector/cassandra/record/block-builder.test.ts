import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../../../../test/harness/seed.ts';
import { batchOf, type RecordBlock } from '../../../model/record-block.ts';
import { BlockBuilder } from './block-builder.ts';

/** What is done with the next record of a source. */
interface Step {
  readonly does: 'copy' | 'add' | 'skip' | 'take';
  readonly valueBytes: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom('copy', 'copy', 'copy', 'copy', 'copy', 'add', 'skip', 'take'),
  // Runs that are long enough to be given as they lie, and others.
  valueBytes: fc.constantFrom(0, 1, 300, 20_000, 70_000, 150_000, 300_000),
});
/** Records of one source lie side by side, at any place of larger memory. */
const sources = fc.array(
  fc.record({ before: fc.nat(50), steps: fc.array(step, { maxLength: 12 }) }),
  { maxLength: 6 },
);

function build(from: readonly { before: number; steps: readonly Step[] }[], givesViews: boolean) {
  const builder = new BlockBuilder({ givesViews });
  const blocks: RecordBlock[] = [];
  const memory: { readonly bytes: Buffer; readonly copy: Buffer }[] = [];
  const wanted: string[] = [];
  let number = 0;
  const take = (): void => {
    if (builder.count > 0) blocks.push(builder.take());
  };
  for (const { before, steps } of from) {
    const size = steps.reduce((sum, { valueBytes }) => sum + 4 + valueBytes, before + 10);
    const bytes = Buffer.alloc(size);
    let at = before;
    const places = steps.map(({ valueBytes }) => {
      bytes.writeUInt32BE(++number, at);
      bytes.fill(number, at + 4, at + 4 + valueBytes);
      const place = { start: at, middle: at + 4, end: at + 4 + valueBytes };
      at = place.end;
      return place;
    });
    memory.push({ bytes, copy: Buffer.from(bytes) });
    steps.forEach(({ does }, i) => {
      const { start, middle, end } = places[i] as (typeof places)[number];
      const key = bytes.toString('hex', start, middle);
      if (does === 'copy') {
        builder.copy(bytes, start, middle, end);
        wanted.push(key + bytes.toString('hex', middle, end));
      } else if (does === 'add') {
        builder.add(bytes, start, middle, Buffer.from('another value'), 7);
        wanted.push(key + Buffer.from('another').toString('hex'));
      }
      if (does === 'take' || builder.full) take();
    });
  }
  take();
  return { blocks, memory, wanted };
}

const linesOf = (blocks: readonly RecordBlock[]): string[] =>
  blocks.flatMap((block) =>
    batchOf(block).map(({ key, value }) => Buffer.concat([key, value]).toString('hex')),
  );

test('blocks hold what was put in, whether they are views or not, and change nothing', () => {
  let views = 0;
  fc.assert(
    fc.property(sources, fc.boolean(), (from, givesViews) => {
      const { blocks, memory, wanted } = build(from, givesViews);
      // All at the end: no block is written over by a later one.
      assert.deepEqual(linesOf(blocks), wanted);
      for (const { bytes, copy } of memory) assert.ok(bytes.equals(copy));
      const given = new Set<unknown>(memory.map(({ bytes }) => bytes.buffer));
      views += blocks.filter(({ bytes }) => given.has(bytes.buffer)).length;
    }),
    { numRuns: sampled(150) },
  );
  assert.ok(views > 0, 'some are views');
});

test('blocks that are no views can be given away, each with its bounds', () => {
  fc.assert(
    fc.property(sources, (from) => {
      const { blocks, memory, wanted } = build(from, false);
      const moved = blocks.map((block) => {
        const buffers = [block.bytes.buffer, block.bounds.buffer] as ArrayBuffer[];
        return structuredClone(block, { transfer: buffers });
      });
      assert.deepEqual(linesOf(moved), wanted);
      for (const { bytes, copy } of memory) assert.ok(bytes.equals(copy));
    }),
    { numRuns: sampled(100) },
  );
});
