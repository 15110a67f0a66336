import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLinkLimit } from './link-limit.ts';

test('a limit is a size or a part', () => {
  assert.deepEqual(parseLinkLimit('20GiB'), { bytes: 20 * 2 ** 30 });
  assert.deepEqual(parseLinkLimit('1.5 MiB'), { bytes: 1.5 * 2 ** 20 });
  assert.deepEqual(parseLinkLimit('25%'), { share: 0.25 });
  for (const text of ['', '20', '20GB', '-1GiB', '101%', 'x']) {
    assert.equal(parseLinkLimit(text), undefined, text);
  }
});
