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

test('bash completes the values of enumerations, and leaves other values to its own default', async () => {
  const { stdout } = await runFake(['completion', 'bash']);
  assert.deepEqual(offers(stdout, ['codr', 'restore', 'shop', '--ttl', '']), [
    'keep',
    'hold',
    'rebase',
    'freeze',
  ]);
  assert.deepEqual(offers(stdout, ['codr', '--log-level', 'si']), ['silent']);
  assert.deepEqual(offers(stdout, ['codr', 'completion', 'z']), ['zsh']);
  assert.deepEqual(offers(stdout, ['codr', '--repo', 'back']), []);
  assert.deepEqual(offers(stdout, ['codr', '--repo', 'check', 'back']), ['backup']);
  assert.deepEqual(offers(stdout, ['codr', 'help', 'back']), ['backup']);
});

const hasZsh = spawnSync('zsh', ['--version']).status === 0;

/** What zsh is given to choose from after each line, the last word of which is being typed. */
function zshOffers(script: string, lines: readonly (readonly string[])[]): string[][] {
  const asked = lines.map((words) => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    return `words=(${quoted}) CURRENT=${words.length}; _codr; print -r -- ---`;
  });
  const ask = `
autoload -Uz compinit && compinit -u -D
eval "$(cat)"
[[ $_comps[codr] == _codr ]] || exit 3
compadd() { [[ "$1 $2 $3" == '-a -- offers' ]] || exit 4; print -l -- $offers }
_files() { print files }
${asked.join('\n')}
[[ -n $PATH ]] || exit 5`;
  const options = { encoding: 'utf8', input: script } as const;
  const { status, stdout, stderr } = spawnSync('zsh', ['-f', '-c', ask], options);
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('---\n').map((offered) => offered.split('\n').filter(Boolean));
}

test('zsh loads its script and is offered commands, options and values', {
  skip: !hasZsh && 'there is no zsh on this machine',
}, async () => {
  const { stdout } = await runFake(['completion', 'zsh']);
  const [commands, sources, flags, values, repo, after] = zshOffers(stdout, [
    ['codr', 'back'],
    ['codr', 'source', ''],
    ['codr', 'backup', 'shop', '--fo'],
    ['codr', 'restore', 'shop', '--ttl', ''],
    ['codr', '--repo', ''],
    ['codr', '--repo', 'check', ''],
  ]);
  assert.ok(commands?.includes('backup'));
  assert.ok(sources?.includes('rebase'));
  assert.deepEqual([flags?.includes('--follow'), flags?.includes('--drop')], [true, false]);
  assert.deepEqual(values, ['keep', 'hold', 'rebase', 'freeze']);
  assert.deepEqual(repo, ['files']);
  assert.ok(after?.includes('backup'));
});

test('fish gets a script too, with values; other shells are refused', async () => {
  const fish = await runFake(['completion', 'fish']);
  const other = await runFake(['completion', 'csh']);
  const backup = "complete -c codr -n '__fish_seen_subcommand_from backup'";
  assert.ok(fish.stdout.includes(`${backup} -l follow\n`));
  assert.ok(fish.stdout.includes(`${backup} -l repo -rF\n`));
  assert.match(fish.stdout, /from restore' -l ttl -x -a 'keep hold rebase freeze'\n/);
  assert.match(fish.stdout, /from completion' -a zsh\n/);
  assert.equal(other.exitCode, 2);
});
