import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { KeySlot } from '../api/codr-api.ts';
import { runFake } from './fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-command-key-'));
after(() => rmSync(folder, { recursive: true }));
const secret = join(folder, 'secret');
writeFileSync(secret, 'a new passphrase\n');

const added: KeySlot = { id: 'aa', kind: 'passphrase', protection: 'scrypt' };
const open: KeySlot = { id: 'bb', kind: 'open', protection: 'nothing' };

async function add(keys: readonly KeySlot[]): Promise<string> {
  const { stdout } = await runFake(['key', 'add', '--new-password-file', secret], {
    api: { addKey: async () => added, listKeys: async () => ({ keys: [...keys] }) },
  });
  return stdout;
}

test('a secret for a repository that opens without one is said to protect nothing', async () => {
  assert.equal(await add([added]), 'added slot aa: passphrase\n');
  assert.match(await add([added, open]), /^added .*\nwarning: .* not encrypted, and slot bb /);
  const list = async (keys: KeySlot[]) =>
    (await runFake(['key', 'list'], { api: { listKeys: async () => ({ keys }) } })).stdout;
  assert.match(await list([added, open]), /slot bb still opens it to everyone/);
  assert.doesNotMatch(await list([open]), /warning/);
});
