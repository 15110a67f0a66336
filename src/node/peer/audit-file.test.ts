// The audit log: whole lines, whatever the disk does.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { AuditEntry } from '../../api/audit-log.ts';
import { isCodrError } from '../../base/error.ts';
import { AuditFile, auditToLog } from './audit-file.ts';
import { peerLogs } from './run-peer.ts';

const folder = mkdtempSync(join(tmpdir(), 'codr-audit-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const entry = (action: string): AuditEntry => ({
  at: 'now',
  from: 'here',
  action,
  outcome: 'begun',
});
const actionsIn = (path: string): string[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as AuditEntry).action);

/** What all open files are made of. */
async function handles(): Promise<FileHandle> {
  const one = await open(folder);
  await one.close();
  return Object.getPrototypeOf(one) as FileHandle;
}

test('an entry of which the disk took a part alone leaves nothing, and the next one is whole', async (t) => {
  const path = join(folder, 'full.jsonl');
  await using audit = await AuditFile.open(path);
  await audit.append(entry('one'));
  const full = t.mock.method(await handles(), 'appendFile', async function part(this: FileHandle) {
    await this.write('{"at":"no');
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  });
  await assert.rejects(audit.append(entry('two')), (error) => isCodrError(error, 'failed'));
  full.mock.restore();
  await audit.append(entry('three'));
  assert.deepEqual(actionsIn(path), ['one', 'three']);
});

test('a line that a peer before had begun is ended before the next one', async () => {
  const path = join(folder, 'torn.jsonl');
  writeFileSync(path, '{"at":"no');
  await using audit = await AuditFile.open(path);
  await audit.append(entry('one'));
  await audit.append(entry('two'));
  const [torn, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
  assert.equal(torn, '{"at":"no');
  assert.equal(lines.length, 2);
});

test('without a file entries are in the log, whatever its level', async () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const { log, audit } = peerLogs('silent', { form: 'json', write });
  log.error({}, 'not told');
  await auditToLog(audit).append(entry('one'));
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { audit: AuditEntry }).audit.action),
    ['one'],
  );
});
