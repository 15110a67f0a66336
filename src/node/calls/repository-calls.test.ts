import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { MemorySpill } from '../../base/spill.ts';
import { loadConfig } from '../config.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';

const world = {
  clock: systemClock,
  random: systemRandom,
  spill: new MemorySpill(),
  log: silentLogger,
};
const call = { signal: new AbortController().signal, progress: () => {} };

async function open(repo: string, secret: Record<string, string>): Promise<EmbeddedNode> {
  return await EmbeddedNode.open(loadConfig({ repo }, secret), world);
}

test('a repository without encryption takes no passphrase, neither when made nor later', async (t) => {
  const repo = await mkdtemp(join(tmpdir(), 'codr-init-'));
  t.after(() => rm(repo, { recursive: true }));
  await using careless = await open(repo, { CODR_PASSWORD: 'one' });
  await assert.rejects(careless.init({ encryption: false }, call), { code: 'usage' });
  await using plain = await open(repo, {});
  await plain.init({ encryption: false }, call);
  assert.deepEqual(
    (await plain.listKeys(call)).keys.map(({ kind }) => kind),
    ['open'],
  );
  await assert.rejects(careless.listKeys(call), { code: 'key-wrong', message: /is not encrypted/ });
});
