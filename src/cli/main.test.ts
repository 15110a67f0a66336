import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
const full = '/dev/full';

test('an output that cannot be written is one line on stderr, and ends with 1', {
  skip: !existsSync(full) && `there is no ${full}`,
}, () => {
  const stdout = openSync(full, 'w');
  try {
    for (const words of [['--version'], ['help'], ['completion', 'bash']]) {
      const { status, stderr } = spawnSync(process.execPath, [program, ...words], {
        stdio: ['ignore', stdout, 'pipe'],
        encoding: 'utf8',
      });
      assert.equal(status, 1, words.join(' '));
      assert.match(stderr, /^error: the output cannot be written: ENOSPC: [^\n]*\n$/);
    }
  } finally {
    closeSync(stdout);
  }
});
