import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceStatus, Status } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

async function shown(source: SourceStatus): Promise<string> {
  const status: Status = {
    repository: { url: 'file:///r', id: 'r', encrypted: true, packs: 2, packBytes: 2048 },
    peers: [],
    sources: [source],
    operations: [],
  };
  return (await runFake(['status'], { api: { status: async () => status } })).stdout;
}

test('a log that has passed the last commit is said to have no headroom, and what to do', async () => {
  const text = await shown({ name: 'shop', state: 'gap', headroomSeconds: 0, holes: [] });
  assert.match(text, /shop +gap +none/);
  assert.match(
    text,
    /shop: its log no longer holds .*: run codr backup shop, which records a hole/,
  );
});

test('headroom is shown as time, and the repository by its packs', async () => {
  const text = await shown({ name: 'shop', state: 'idle', headroomSeconds: 7500, holes: [] });
  assert.match(text, /2\.00 KiB in 2 packs/);
  assert.match(text, /shop +idle +2 h 5 min/);
});
