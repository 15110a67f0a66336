import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { currentProcess, describeProcess, isAlive } from './process-identity.ts';

test('a running process is alive', async () => {
  assert.equal(await isAlive(await currentProcess()), 'alive');
});

test('an ended process is dead', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const self = await currentProcess();
  assert.equal(await isAlive({ ...self, pid: child.pid as number }), 'dead');
});

test('a process that got the number of an older one is not that one', async () => {
  const self = await currentProcess();
  assert.equal(await isAlive({ ...self, startTicks: '1' }), 'dead');
});

test('whoever ran before the last start of this host is dead', async () => {
  const self = await currentProcess();
  assert.equal(await isAlive({ ...self, bootId: 'another' }), 'dead');
});

test('nothing is known of other hosts and other containers', async () => {
  const self = await currentProcess();
  assert.equal(await isAlive({ ...self, host: 'elsewhere' }), 'unknown');
  assert.equal(await isAlive({ ...self, pidSpace: 'pid:[1]' }), 'unknown');
});

test('without start times a process lives while a signal reaches it', async () => {
  const self = await currentProcess();
  assert.equal(await isAlive({ ...self, startTicks: '' }), 'alive');
  assert.equal(await isAlive({ ...self, startTicks: '', pid: 2 ** 22 + 1 }), 'dead');
});

test('a process is called by its host and number', () => {
  const identity = { host: 'h1', bootId: '', pidSpace: '', pid: 4711, startTicks: '' };
  assert.equal(describeProcess(identity), 'h1, process 4711');
});
