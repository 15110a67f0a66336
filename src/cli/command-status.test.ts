import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceStatus, Status } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

async function shown(source: SourceStatus, peers: Status['peers'] = []): Promise<string> {
  const status: Status = {
    repository: { url: 'file:///r', id: 'r', encrypted: true, packs: 2, packBytes: 2048 },
    peers,
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

test('of cuts the first, the newest and their number are shown, and no headroom', async () => {
  const [from, to] = ['2026-11-22T12:00:00.000Z', '2026-11-22T13:00:00.000Z'].map((wall, i) => ({
    time: `cut:${i + 1}`,
    wall,
  })) as [{ time: string; wall: string }, { time: string; wall: string }];
  const text = await shown({
    name: 'ring',
    state: 'idle',
    interval: { from, to },
    cuts: 5,
    holes: [],
  });
  assert.match(text, /ring +idle +2026-11-22T12:00:00\.000Z +2026-11-22T13:00:00\.000Z {2}5 cuts/);
  assert.doesNotMatch(text, /HEADROOM/);
});

test('headroom is shown as time, and the repository by its packs', async () => {
  const text = await shown({ name: 'shop', state: 'idle', headroomSeconds: 7500, holes: [] });
  assert.match(text, /2\.00 KiB in 2 packs/);
  assert.match(text, /shop +idle +2 h 5 min/);
});

test('a line a peer: state, slots, what it owns, its load and its lag', async () => {
  const share = { slots: 1365, ownsPercent: 33.3, version: '1', address: 'n1:7420' };
  const text = await shown({ name: 'shop', state: 'following', holes: [] }, [
    { name: 'n1', state: 'up', operations: 2, lagSeconds: 90, ...share },
    { name: 'n2', state: 'down', operations: 0, ...share },
  ]);
  assert.match(text, /PEER +STATE +SLOTS +OWNS +LOAD +LAG +VERSION +ADDRESS/);
  assert.match(text, /n1 +up +1,365 +33\.3 % +2 +1 min 30 s +1 +n1:7420/);
  assert.match(text, /n2 +down +1,365 +33\.3 % +0 +1 +n1:7420/);
});
