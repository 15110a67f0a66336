import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeededRandom } from '../../src/base/random.ts';
import { LocalObjectStore } from '../../src/storage/local/local-object-store.ts';
import { sampled } from '../harness/seed.ts';
import { runCollection } from './collection-run.ts';

const usual = [1, 2, 3, 4].slice(0, sampled(4));
const seeds = process.env.CODR_SEED ? [Number(process.env.CODR_SEED)] : usual;

for (const seed of seeds) {
  test(`nothing retained is lost and garbage is freed, whoever crashes (seed ${seed})`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'codr-collection-'));
    try {
      const store = new LocalObjectStore(folder, new SeededRandom(seed));
      const counts = await runCollection(store, { seed, steps: 60 });
      t.diagnostic(JSON.stringify(counts));
      assert.ok(counts.commits > 0 && counts.packsRemoved > 0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
