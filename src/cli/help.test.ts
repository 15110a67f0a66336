import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFake } from './fake-world.ts';

test('help of a command that is none is wrong usage, which names it and the nearest one', async () => {
  for (const words of [
    ['help', 'bakcup'],
    ['bakcup', '--help'],
    ['help', 'source', 'bakcup'],
    ['source', 'help', 'bakcup'],
    ['source', 'bakcup', '--help'],
  ]) {
    const run = await runFake(words);
    assert.equal(run.exitCode, 2, words.join(' '));
    assert.match(run.stderr, /^error: unknown command 'bakcup'\n/, words.join(' '));
    assert.equal(run.stdout, '');
    const json = await runFake([...words, '--json']);
    assert.equal(json.stderr, '');
    assert.match(JSON.parse(json.stdout).error.message, /^unknown command 'bakcup'/);
  }
  assert.match((await runFake(['help', 'bakcup'])).stderr, /Did you mean backup\?/);
});

test('help is given for the program, a group and a command, before or after its name', async () => {
  for (const [words, usage] of [
    ['help', 'codr [options] [command]'],
    ['--help', 'codr [options] [command]'],
    ['help source', 'codr source [options] [command]'],
    ['source --help', 'codr source [options] [command]'],
    ['help source add', 'codr source add [options] <NAME> [URI]'],
    ['source help add', 'codr source add [options] <NAME> [URI]'],
    ['help backup --json', 'codr backup [options] <SOURCE>'],
  ] as const) {
    const run = await runFake(words.split(' '));
    assert.equal(run.exitCode, 0, words);
    assert.ok(run.stdout.startsWith(`Usage: ${usage}\n`), words);
  }
});

test('without a command, --json says so in words of its own', async () => {
  for (const words of [['--json'], ['source', '--json']]) {
    const run = await runFake(words);
    assert.equal(run.exitCode, 2);
    assert.equal(JSON.parse(run.stdout).error.message, 'no command was given');
  }
});

test('a command line that is wrong says whose help tells what is right', async () => {
  for (const [words, help] of [
    ['bakcup', 'codr --help'],
    ['backup', 'codr backup --help'],
    ['source add shop uri more', 'codr source add --help'],
    ['restore shop --tto x', 'codr restore --help'],
  ] as const) {
    const run = await runFake(words.split(' '));
    assert.equal(run.exitCode, 2, words);
    assert.ok(run.stderr.endsWith(`\nsee \`${help}\`\n`), run.stderr);
  }
});
