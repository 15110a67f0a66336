// Tables of hundreds of files, read by a process that may have few of them open.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { int, TestRecords, text } from '../sstable/write-records.fixture.ts';
import { hosts, listedFile, rowSchema } from './table-files.fixture.ts';

const fileCount = 600;
const partitions = 40;
const rowBytes = 500;
const memoryBytesMax = 64 * 1024 * 1024;
const child = fileURLToPath(new URL('./many-files.child.fixture.ts', import.meta.url));
const run = promisify(execFile);

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
  const files = [];
  for (let i = 0; i < fileCount; i++) {
    const records = new TestRecords(rowSchema);
    // Every file has rows all over the ring, as flushes leave them.
    for (let p = 0; p < partitions; p++) {
      const value = text(`${i} ${p} `.repeat(rowBytes / 6));
      records.row(int(p * 7 + (i % 5)), [int(i)], {
        micros: 1,
        cells: { v: { micros: 1, value } },
      });
    }
    const hostId = hosts[i % hosts.length] as string;
    files.push(await listedFile({ folder: join(folder, hostId), hostId, number: i }, records));
  }
  await writeFile(join(folder, 'files.json'), JSON.stringify(files));
});

after(() => rm(folder, { recursive: true }));

interface Seen {
  readonly records: number;
  readonly hash: string;
  readonly damaged: number;
  readonly failure?: { readonly code: string; readonly message: string; readonly remedy: string };
  readonly peakBytes: number;
}

async function readBy(filesMax: number, threads: number): Promise<Seen> {
  const args = [join(folder, 'files.json'), folder, String(memoryBytesMax), String(threads)];
  const script = `ulimit -n ${filesMax} && exec "$0" "$@"`;
  const { stdout } = await run('sh', ['-c', script, process.execPath, child, ...args]);
  return JSON.parse(stdout) as Seen;
}

test('600 files that lie over one another are read in 256 handles and bounded memory', async () => {
  const here = await readBy(256, 0);
  assert.deepEqual(here.failure, undefined);
  assert.equal(here.records, fileCount * partitions);
  assert.ok(here.peakBytes < 320 * 1024 * 1024, `${here.peakBytes} bytes`);
  const threaded = await readBy(256, 1);
  assert.deepEqual(threaded.failure, undefined);
  assert.equal(threaded.hash, here.hash);
  assert.ok(threaded.peakBytes < 400 * 1024 * 1024, `${threaded.peakBytes} bytes`);
  assert.equal(here.damaged + threaded.damaged, 0);
});

test('too few handles are an error of this machine with a remedy, not a damaged replica', async () => {
  for (const threads of [0, 1]) {
    const { failure, damaged } = await readBy(64, threads);
    assert.equal(failure?.code, 'limit-reached');
    assert.match(failure.message, /EMFILE/);
    assert.match(failure.remedy, /ulimit -n/);
    assert.equal(damaged, 0);
  }
});
