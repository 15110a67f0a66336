import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { NodetoolControl } from './nodetool-control.ts';

const call = { signal: new AbortController().signal };
/** A nodetool that is a script of the shell. */
const tool = (script: string) => new NodetoolControl('here', `sh -c '${script}'`);

test('nodetool gets the environment without what is set for CODR', async () => {
  process.env.CODR_PASSWORD = 'hidden';
  process.env.SHOWN_TO_NODETOOL = 'shown';
  try {
    const nodes = await tool('echo "UN $SHOWN_TO_NODETOOL$CODR_PASSWORD"').liveNodes(call);
    assert.deepEqual(nodes, ['shown']);
  } finally {
    delete process.env.CODR_PASSWORD;
    delete process.env.SHOWN_TO_NODETOOL;
  }
});

test('a login that JMX refuses is told apart from a node that is away, with where a login is given', async () => {
  for (const said of [
    'nodetool: Failed to connect to 127.0.0.1:7199 - SecurityException: refused',
    'error: Authentication failed! Credentials required',
    'error: Invalid username or password',
  ]) {
    await assert.rejects(
      tool(`echo "${said}"; exit 2`).liveNodes(call),
      (error) => isCodrError(error, 'source-rights') && /-u and -pwf/.test(error.remedy ?? ''),
    );
  }
  await assert.rejects(tool('echo "Connection refused"; exit 1').liveNodes(call), (error) =>
    isCodrError(error, 'source-unreachable'),
  );
});

test('a nodetool that is not there is a matter of the configuration, not of the node', async () => {
  const control = new NodetoolControl('here', '/nowhere/nodetool -p 7199');
  await assert.rejects(
    control.liveNodes(call),
    (error) => isCodrError(error, 'config-invalid') && /nowhere.nodetool/.test(error.message),
  );
});

test('flush and snapshot name each of thousands of tables once, in as many calls as a system takes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
  const said = join(folder, 'said');
  const control = tool(`echo "$0 $*" >> ${said}`);
  const tables = Array.from({ length: 4_000 }, (_, i) => `${'t'.repeat(40)}${i}`);
  await control.flush('ks', tables, call);
  await control.takeSnapshot('tag', tables, { skipFlush: true }, call);
  const lines = (await readFile(said, 'utf8')).trim().split('\n');
  const [flushes, snapshots] = ['flush', 'snapshot'].map((name) =>
    lines.filter((line) => line.startsWith(name)).map((line) => line.split(/[ ,]/)),
  );
  assert.deepEqual([flushes?.length, snapshots?.length], [2, 2]);
  for (const lines of [flushes, snapshots]) {
    const named = lines?.flat().filter((word) => word.startsWith('tttt'));
    assert.deepEqual(named, tables);
  }
  await rm(folder, { recursive: true });
});
