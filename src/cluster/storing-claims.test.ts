import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.ts';
import { StoringClaims } from './storing-claims.ts';

test('the older of two sessions stores, whoever asked first', () => {
  const claims = new StoringClaims({ entriesMax: 64 });
  assert.equal(claims.claim(1, 2, 20, 0), false);
  assert.equal(claims.claim(1, 2, 30, 1), true);
  assert.equal(claims.claim(1, 3, 30, 1), false, 'another fingerprint');
  assert.equal(claims.claim(1, 2, 10, 2), false);
  assert.equal(claims.claim(1, 2, 20, 3), true);
});

test('a claim that is not asked for again ends', () => {
  const claims = new StoringClaims({ entriesMax: 64, ttlMs: 100 });
  claims.claim(1, 2, 10, 0);
  assert.equal(claims.claim(1, 2, 20, 99), true);
  claims.claim(1, 2, 10, 99);
  assert.equal(claims.claim(1, 2, 20, 150), true);
  assert.equal(claims.claim(1, 2, 20, 199), false);
  assert.equal(claims.claim(1, 2, 30, 200), true);
});

test('of more claims than there is room for the oldest are forgotten first', () => {
  const claims = new StoringClaims({ entriesMax: 1024 });
  const random = new SeededRandom(3);
  const words = Array.from({ length: 4000 }, () => [random.below(2 ** 32), random.below(2 ** 32)]);
  const claim = ([a, b]: readonly number[], session: number, now: number): boolean =>
    claims.claim(a as number, b as number, session, now);
  for (const [now, one] of words.entries()) claim(one, 1, now);
  const newest = words
    .slice(-300)
    .reverse()
    .filter((one) => claim(one, 2, 4000));
  assert.ok(newest.length > 250, `${newest.length} of the newest 300`);
  const oldest = words.slice(0, 2000).filter((one) => claim(one, 2, 4000));
  assert.ok(oldest.length < 100, `${oldest.length} of the oldest 2000`);
});
