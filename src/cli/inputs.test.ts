import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFake } from './fake-world.ts';

test('a database alone is no pattern, and what was meant is told before the API is opened', async () => {
  for (const words of [
    'restore shop --to x --include shop',
    'verify shop --exclude shop',
    'source add shop mongodb://x/ --include shop',
  ]) {
    const run = await runFake(words.split(' '));
    assert.equal(run.exitCode, 2, words);
    assert.match(run.stderr, /"shop" is no db\.collection: write "shop\.\*"/);
    assert.equal(run.config, undefined, words);
  }
});
