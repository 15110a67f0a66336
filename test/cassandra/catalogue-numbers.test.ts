// Every case of the catalogue is named by its number in a test, and README.md says in which file, or that there is
// none yet.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const folder = import.meta.dirname;
const caseCount = 57;
const suffix = '.cassandra.test.ts';
/** `test('26, 29 …`, and titles of the cases that `catalogue()` makes tests of. */
const named = /(?:test\(\s*|title:\s*)['"`](\d\d?(?:, \d\d?)*)[: ]/g;

/** By case, the files as the table writes them. */
async function filesByCase(): Promise<Map<number, Set<string>>> {
  const found = new Map<number, Set<string>>();
  for (const place of ['', '../differential/']) {
    for (const name of await readdir(join(folder, place))) {
      if (!name.endsWith(suffix)) continue;
      const text = await readFile(join(folder, place, name), 'utf8');
      const numbers = [...text.matchAll(named)].flatMap((match) => (match[1] ?? '').split(', '));
      for (const number of numbers.map(Number)) {
        const files = found.get(number) ?? new Set();
        found.set(number, files.add(`\`${place}${name.slice(0, -suffix.length)}\``));
      }
    }
  }
  return found;
}

test('each case of the catalogue is told in README.md: the files whose tests are named by it, or that there is none', async () => {
  const found = await filesByCase();
  const readme = await readFile(join(folder, 'README.md'), 'utf8');
  const told = new Map<number, string>();
  for (const [, from, to, files = ''] of readme.matchAll(/^\| (\d+)(?: to (\d+))? \| (.+) \|$/gm)) {
    for (let n = Number(from); n <= Number(to ?? from); n++) told.set(n, files);
  }
  for (let n = 1; n <= caseCount; n++) {
    const files = [...(found.get(n) ?? ['none yet'])].sort();
    assert.deepEqual((told.get(n) ?? '').split(', ').sort(), files, `case ${n} in README.md`);
  }
  assert.equal(told.size, caseCount);
});
