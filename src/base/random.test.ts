import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from './random.ts';

/** xorshift128+ as it is written down, in bigints. */
function* numbersOf(seed: number): Generator<bigint> {
  let state = BigInt.asUintN(64, BigInt(seed));
  const next = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  let [a, b] = [next(), next() || 1n];
  for (;;) {
    const x = BigInt.asUintN(64, a ^ (a << 23n));
    const y = b;
    [a, b] = [y, x ^ y ^ (x >> 17n) ^ (y >> 26n)];
    yield BigInt.asUintN(64, b + y);
  }
}

test('numbers below any bound are the remainders of the numbers of 64 bits', () => {
  const bounds = [1, 2, 3, 97, 256, 1000, 2 ** 15 - 1, 2 ** 15, 2 ** 15 + 1, 2 ** 32, 2 ** 53 - 1];
  for (const seed of [0, 1, 7, -3, 99_999, Number.MAX_SAFE_INTEGER]) {
    const random = new SeededRandom(seed);
    const numbers = numbersOf(seed);
    for (let i = 0; i < 2000; i++) {
      const bound = bounds[i % bounds.length] as number;
      const expected = Number((numbers.next().value as bigint) % BigInt(bound));
      assert.equal(random.below(bound), expected, `number ${i} of seed ${seed} below ${bound}`);
    }
  }
});

test('bytes are the numbers below 256', () => {
  const other = new SeededRandom(5);
  const expected = Buffer.from(Array.from({ length: 100 }, () => other.below(256)));
  assert.deepEqual(new SeededRandom(5).bytes(100), expected);
});
