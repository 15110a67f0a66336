// Reads a table of many files in a process of its own, whose limits the test chose. Prints what it saw as JSON.
// Usage: node many-files.child.fixture.ts FILES.json FOLDER MEMORY THREADS
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { TemporarySpill } from '../../../node/temporary-spill.ts';
import { MergePool } from './merge-pool.ts';
import type { ListedSstable } from './node-files.ts';
import { readerOf } from './table-files.fixture.ts';

const [list, folder, memory, threads] = process.argv.slice(2) as [string, string, string, string];
const files = JSON.parse(await readFile(list, 'utf8')) as ListedSstable[];
const signal = new AbortController().signal;
const pool = Number(threads) > 0 ? new MergePool(Number(threads)) : undefined;
const spill = new TemporarySpill(folder);
const { reader, damaged } = readerOf(files, { pool, spill, memoryBytesMax: Number(memory) });
const hash = createHash('sha256');
let records = 0;
let failure: unknown;
try {
  for (const range of await reader.ranges(1 << 30, signal)) {
    for await (const batch of reader.records(range, signal)) {
      for (const { key, value } of batch) hash.update(key).update(value);
      records += batch.length;
    }
  }
} catch (error) {
  const { code, message, remedy } = error as { code?: string; message: string; remedy?: string };
  failure = { code, message, remedy };
}
const peakBytes = process.resourceUsage().maxRSS * 1024;
const seen = { records, hash: hash.digest('hex'), damaged: damaged.length, failure, peakBytes };
process.stdout.write(`${JSON.stringify(seen)}\n`);
await pool?.[Symbol.asyncDispose]();
