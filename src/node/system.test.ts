import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../base/error.ts';
import { systemClock } from './system-clock.ts';
import { systemRandom } from './system-random.ts';
import { TemporarySpill } from './temporary-spill.ts';

test('scratch files give back what was appended, and leave nothing in the folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-spill-'));
  const spill = new TemporarySpill(join(folder, 'made', 'on-demand'));
  {
    await using first = await spill.open();
    await using second = await spill.open();
    await first.append(Buffer.from('one two'));
    await first.append(Buffer.from(' three'));
    await second.append(Buffer.from('other'));
    assert.equal(first.length, 13);
    assert.equal(Buffer.from(await first.read(4, 3)).toString(), 'two');
    assert.equal(Buffer.from(await first.read(8, 100)).toString(), 'three');
    assert.equal((await second.read(5, 1)).length, 0);
    assert.deepEqual(await readdir(join(folder, 'made', 'on-demand')), []);
  }
  await rm(folder, { recursive: true });
});

test('a folder that cannot be made is named', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-spill-'));
  const file = join(folder, 'file');
  await writeFile(file, '');
  await assert.rejects(new TemporarySpill(file).open(), (error) => {
    return isCodrError(error, 'failed') && error.object === file;
  });
  await rm(folder, { recursive: true });
});

test('a sleep ends with the reason of its signal', async () => {
  const stop = new AbortController();
  const sleep = systemClock.sleep(60_000, stop.signal);
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(sleep, (error) => error === reason);
});

test('random integers stay below their bound', () => {
  const seen = new Set(Array.from({ length: 200 }, () => systemRandom.below(3)));
  assert.deepEqual([...seen].sort(), [0, 1, 2]);
  assert.equal(systemRandom.bytes(5).length, 5);
});
