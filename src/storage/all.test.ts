import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isCodrError } from '../base/error.ts';
import { SeededRandom } from '../base/random.ts';
import { openStore, prepareStore } from './all.ts';

const context = { random: new SeededRandom(1) };

test('a path and its file URL open the same folder', async (t) => {
  const root = await fs.mkdtemp(join(tmpdir(), 'codr-store-'));
  t.after(() => fs.rm(root, { recursive: true }));
  const path = join(root, 'a b');
  await (await prepareStore(path, context)).create('object', []);
  const store = await openStore(pathToFileURL(path).href, context);
  assert.equal((await store.stat('object'))?.size, 0);
});

test('an unknown scheme is a usage error that names the known ones and no secret', async () => {
  const url = 'ftp://user:hunter2@host/path';
  await assert.rejects(
    () => openStore(url, context),
    (error) =>
      isCodrError(error, 'usage') &&
      /ftp:/.test(error.message) &&
      /file:/.test(error.remedy) &&
      !/hunter2/.test(error.message + error.remedy),
  );
  await assert.rejects(
    () => openStore('constructor:x', context),
    (error) => isCodrError(error, 'usage'),
  );
});

test('an empty URL and a file URL of another machine are usage errors', async () => {
  for (const url of ['', 'file://elsewhere/path']) {
    await assert.rejects(
      () => openStore(url, context),
      (error) => isCodrError(error, 'usage'),
    );
  }
});
