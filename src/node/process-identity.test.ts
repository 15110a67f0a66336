import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
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

test('whoever ran before the last start of this machine is dead', async () => {
  const self = { ...(await currentProcess()), machineId: 'one' };
  assert.equal(await isAlive({ ...self, bootId: 'another' }, self), 'dead');
});

test('nothing is known of another machine with the same host name', async () => {
  const self = { ...(await currentProcess()), machineId: 'one' };
  const elsewhere = { bootId: 'another', pid: 2 ** 22 + 1 };
  assert.equal(await isAlive({ ...self, ...elsewhere, machineId: 'two' }, self), 'unknown');
  const nameless = { ...self, machineId: '' };
  assert.equal(await isAlive({ ...nameless, ...elsewhere }, nameless), 'unknown');
  // Where the system tells neither boot nor machine, an equal host name alone proves nothing.
  const bare = { ...nameless, bootId: '', pidSpace: '', startTicks: '' };
  assert.equal(await isAlive({ ...bare, pid: 2 ** 22 + 1 }, bare), 'unknown');
});

test('a container that says no machine still knows the ended processes of its own kernel', async () => {
  const self = { ...(await currentProcess()), machineId: '' };
  assert.equal(await isAlive({ ...self, pid: 2 ** 22 + 1 }, self), 'dead');
  assert.equal(await isAlive(self, self), 'alive');
});

test('the id of the machine is not stored as the system has it', async () => {
  const { machineId } = await currentProcess();
  const text = await readFile('/etc/machine-id', 'utf8').catch(() => 'none');
  assert.notEqual(machineId, text.trim());
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
  const identity = {
    host: 'h1',
    machineId: '',
    bootId: '',
    pidSpace: '',
    pid: 4711,
    startTicks: '',
  };
  assert.equal(describeProcess(identity), 'h1, process 4711');
});
