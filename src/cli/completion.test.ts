import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { runFake } from './fake-world.ts';

/** What bash offers after `words`, the last of which is being typed. */
function offers(script: string, words: readonly string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _codr; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `${script}\n${ask}`], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter(Boolean);
}

test('bash completes commands, commands of a group, and options', async () => {
  const { stdout } = await runFake(['completion', 'bash']);
  assert.deepEqual(offers(stdout, ['codr', 'back']), ['backup']);
  assert.deepEqual(offers(stdout, ['codr', 'source', 're']), ['rebase', 'remove']);
  assert.deepEqual(offers(stdout, ['codr', 'backup', 'shop', '--fo']), ['--follow']);
  assert.deepEqual(offers(stdout, ['codr', 'source', 'add', '--inc']), ['--include']);
});

test('zsh and fish get scripts too, other shells are refused', async () => {
  const zsh = await runFake(['completion', 'zsh']);
  const fish = await runFake(['completion', 'fish']);
  const other = await runFake(['completion', 'csh']);
  assert.match(zsh.stdout, /bashcompinit/);
  assert.match(fish.stdout, /complete -c codr -n '__fish_seen_subcommand_from backup' -l follow/);
  assert.equal(other.exitCode, 2);
});
