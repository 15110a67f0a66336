import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tee } from './tee.ts';

async function* count(to: number, fail = false): AsyncGenerator<number> {
  for (let i = 0; i < to; i++) yield i;
  if (fail) throw new Error('the source broke');
}

async function all(
  stream: AsyncIterable<number>,
  most = Number.POSITIVE_INFINITY,
): Promise<number[]> {
  const got: number[] = [];
  for await (const item of stream) if (got.push(item) >= most) break;
  return got;
}

test('both consumers get every item in order', async () => {
  const [a, b] = tee(count(20));
  const expected = Array.from({ length: 20 }, (_, i) => i);
  assert.deepEqual(await Promise.all([all(a), all(b)]), [expected, expected]);
});

test('an error of the source reaches both', async () => {
  const [a, b] = tee(count(3, true));
  const ends = await Promise.allSettled([all(a), all(b)]);
  for (const end of ends)
    assert.match(String((end as PromiseRejectedResult).reason), /source broke/);
});

test('when one stops early the other gets an error instead of waiting for ever', async () => {
  const [a, b] = tee(count(20));
  const [first, second] = await Promise.allSettled([all(a, 2), all(b)]);
  assert.equal(first.status, 'fulfilled');
  assert.match(String((second as PromiseRejectedResult).reason), /other consumer/);
});
