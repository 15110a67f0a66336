import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenText } from './golden-file.ts';

test('golden files are never written under CI', async () => {
  const wanted = await goldenText('frame.hex', 'another text', {});
  const env = { CI: 'true', UPDATE_GOLDEN: '1' };
  assert.equal(await goldenText('frame.hex', 'another text', env), wanted);
  assert.equal(await goldenText('frame.hex', 'another text', {}), wanted);
});
