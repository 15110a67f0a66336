import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BlockStream, batchOf, blockOf } from '../../../model/record-block.ts';
import { withinRanges } from './within-ranges.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('only records of the ranges pass, over the bounds of blocks, and the input is left at the last range', async () => {
  let blocks = 0;
  const input = async function* (): BlockStream {
    for (const keys of ['ab', 'cde', 'fg', 'hi', 'jk']) {
      blocks++;
      yield blockOf([...keys].map((key) => ({ key: bytes(key), value: bytes(key.toUpperCase()) })));
    }
  };
  const ranges = [
    { to: bytes('b') },
    { from: bytes('d'), to: bytes('e1') },
    { from: bytes('g'), to: bytes('h') },
  ];
  const passed: string[] = [];
  for await (const block of withinRanges(input(), ranges)) {
    passed.push(
      ...batchOf(block).map(({ key, value }) => `${Buffer.from(key)}${Buffer.from(value)}`),
    );
  }
  assert.deepEqual(passed, ['aA', 'dD', 'eE', 'gG']);
  assert.equal(blocks, 4);
});
