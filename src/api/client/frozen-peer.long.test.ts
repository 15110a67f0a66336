// A peer that gives files away and is frozen by the system, with what was asked of it in its buffers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isCodrError } from '../../base/error.ts';
import { systemClock as clock } from '../../node/system-clock.ts';
import { Channel } from './channel.ts';
import { RemoteFiles } from './remote-files.ts';

const fixture = fileURLToPath(new URL('serve-files.fixture.ts', import.meta.url));
/** Behind this a process has stood still, and is not just busy. */
const frozenMs = 6500;

test('a frozen peer is lost to who asks it, and does nothing late when it wakes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-frozen-'));
  const child = spawn(process.execPath, [fixture, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(async () => {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  child.stdout.setEncoding('utf8');
  const address = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text: string) => resolve(text.trim())),
  );
  const open = () => {
    const channel = new Channel({ tls: 'insecure', address, clock });
    const peer = { now: channel as Channel | undefined };
    const files = new RemoteFiles({ peer: 'n2', channel: () => peer.now, clock });
    // As the others do when a peer leaves.
    const leave = (): void => {
      peer.now = undefined;
      channel[Symbol.dispose]();
    };
    return { files, leave };
  };
  const own = (name = ''): string => join(folder, 'codr-import-1', name);
  const before = open();
  await before.files.makeFolders(own());
  for (const name of ['a', 'b']) await before.files.writeWhole(own(name), Buffer.from(name));
  child.kill('SIGSTOP');
  const isGone = (error: unknown): boolean =>
    isCodrError(error, 'source-unreachable') && error.object === 'n2';
  const asked = [
    assert.rejects(before.files.remove(own('a')), isGone),
    assert.rejects(before.files.link(own('b'), own('c')), isGone),
    assert.rejects(before.files.writeWhole(own('d'), Buffer.from('late')), isGone),
  ];
  await clock.sleep(frozenMs);
  before.leave();
  await Promise.all(asked);
  const after = open();
  child.kill('SIGCONT');
  await after.files.remove(own('b'));
  assert.deepEqual(await readdir(own()), ['a']);
  after.leave();
});
