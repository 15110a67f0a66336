import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../base/random.ts';
import { StoringClaims } from './storing-claims.ts';

const claimOf =
  (claims: StoringClaims, lives: (session: number) => boolean = () => true) =>
  (a: number, b: number, session: number, nowMs: number): boolean =>
    claims.claim(a, b, { session, nowMs }, lives);

test('the older of two sessions stores, whoever asked first', () => {
  const claim = claimOf(new StoringClaims({ entriesMax: 64 }));
  assert.equal(claim(1, 2, 20, 0), false);
  assert.equal(claim(1, 2, 30, 1), true);
  assert.equal(claim(1, 3, 30, 1), false, 'another fingerprint');
  assert.equal(claim(1, 2, 10, 2), false);
  assert.equal(claim(1, 2, 20, 3), true);
});

test('a claim that is not asked for again ends', () => {
  const claim = claimOf(new StoringClaims({ entriesMax: 64, ttlMs: 100 }));
  claim(1, 2, 10, 0);
  assert.equal(claim(1, 2, 20, 99), true);
  claim(1, 2, 10, 99);
  assert.equal(claim(1, 2, 20, 150), true);
  assert.equal(claim(1, 2, 20, 199), false);
  assert.equal(claim(1, 2, 30, 200), true);
});

test('what a peer that is gone was storing is free', () => {
  const claims = new StoringClaims({ entriesMax: 64 });
  claimOf(claims)(1, 2, 10, 0);
  assert.equal(claimOf(claims)(1, 2, 20, 1), true);
  assert.equal(claimOf(claims, (session) => session !== 10)(1, 2, 20, 2), false);
  assert.equal(claimOf(claims)(1, 2, 30, 3), true, 'now it is that of session 20');
});

test('of more claims than there is room for the oldest are forgotten first', () => {
  const claimOne = claimOf(new StoringClaims({ entriesMax: 1024 }));
  const random = new SeededRandom(3);
  const words = Array.from({ length: 4000 }, () => [random.below(2 ** 32), random.below(2 ** 32)]);
  const claim = ([a, b]: readonly number[], session: number, now: number): boolean =>
    claimOne(a as number, b as number, session, now);
  for (const [now, one] of words.entries()) claim(one, 1, now);
  const newest = words
    .slice(-300)
    .reverse()
    .filter((one) => claim(one, 2, 4000));
  assert.ok(newest.length > 250, `${newest.length} of the newest 300`);
  const oldest = words.slice(0, 2000).filter((one) => claim(one, 2, 4000));
  assert.ok(oldest.length < 100, `${oldest.length} of the oldest 2000`);
});
