import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCodrError } from '../../../base/error.ts';
import { silentLogger } from '../../../base/log.ts';
import { MemorySpill } from '../../../base/spill.ts';
import type { CutDataset } from '../../cut-dataset.ts';
import { murmur3Partitioner } from '../key/partitioner.ts';
import type { KeyspaceSchema } from '../schema/read-schema.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import { stateOfMemory } from './cut-memory.ts';
import { CassandraCut } from './cut-reader.ts';
import { firstState, type KnownTable } from './cut-state.ts';
import { localFiles } from './local-files.ts';
import type { ListedSstable } from './node-files.ts';
import type { Owned } from './ownership.ts';
import { gradesOf, type TakenCut } from './take-cut.ts';

const signal = new AbortController().signal;
const hosts = ['a', 'b', 'c'];
const captured = {
  files: ['nb-2-big:10:1'],
  floors: [null],
  rows: [null],
  intervals: [],
} satisfies KnownTable;
const earlier = {
  files: ['nb-1-big:10:1'],
  floors: [null],
  rows: [null],
  intervals: [],
} satisfies KnownTable;

const owned: Owned = [{ keyspaces: ['ks'], ranges: [['-5', '5']] }];

const table: TableSchema = {
  ...{ keyspace: 'ks', table: 't', id: '248b1a50-ea08-11f1-8ecf-93c3a17fc635' },
  partitionKey: [{ name: 'k', type: { kind: 'int' } as never }],
  ...{ clustering: [], statics: [], regulars: [], dropped: [], isCounter: false, flags: [] },
  ...{ gcGraceSeconds: 864_000, defaultTtlSeconds: 0, compaction: {}, compression: {} },
};
const keyspace: KeyspaceSchema = {
  ...{ name: 'ks', durableWrites: true, types: [], tables: [table], views: [], indexes: [] },
  replication: { class: 'SimpleStrategy', replication_factor: '3' },
  ...{ triggers: [], withoutLinks: [] },
  ddl: { keyspace: '', types: [], functions: [], tables: {}, indexes: {}, views: {} },
};

/** Three replicas; of each of `files` there is one SSTable, made by its name in an empty folder. */
function cutOf(
  folder: string,
  files: readonly { hostId: string; name: string; version?: string }[],
  { isAnew = false, ownedBefore = owned }: { isAnew?: boolean; ownedBefore?: Owned } = {},
): CassandraCut {
  const ring: TakenCut['ring'] = {
    ...{
      clusterName: 'c',
      partitioner: murmur3Partitioner.className,
      schemaVersions: ['1'],
      version: '5.0.9',
      up: hosts,
    },
    nodes: hosts.map((hostId, i) => ({
      ...{ hostId, address: hostId, nativeAddress: hostId, datacenter: 'dc1', rack: 'r1' },
      tokens: [String(i)],
    })),
  };
  const sstables = files.map((file) => ({
    ...{ version: 'nb', ...file, folder, tableId: table.id, keyspace: 'ks', table: 't' },
    ...{ format: 'big', components: ['Data.db', 'Statistics.db'], dataBytes: 10, digest: '1' },
    modifiedMs: 1,
  })) satisfies ListedSstable[];
  const state = (known: KnownTable, cut: number, had: Owned) => ({
    ...firstState,
    cut,
    hosts: Object.fromEntries(
      hosts.map((hostId) => [
        hostId,
        {
          ...{ address: hostId, cut, atMs: 7, runId: '1', truncations: {}, owned: had },
          tables: { [table.id]: known },
        },
      ]),
    ),
  });
  const taken: TakenCut = {
    ...{ beginMs: 1, endMs: 2, ring, schema: [keyspace], coveredCount: 0, notes: [] },
    tables: new Map([[table.id, { schema: table, sstables, truncatedSince: false, isAnew }]]),
    nodes: hosts.map((hostId) => ({ hostId, address: hostId, captured: true })),
    grades: gradesOf(ring, [keyspace], new Set(hosts), []),
    nextState: state(captured, 2, owned),
    release: async () => {},
  };
  const before = { taken, before: undefined, state: state(earlier, 1, ownedBefore) };
  const sorting = { spill: new MemorySpill(), memoryBytesMax: 1024 * 1024 };
  const place = { sorting, filesOf: () => localFiles };
  return new CassandraCut({ ...before, datacenters: [], ...place, log: silentLogger });
}

/** As the engine does: again until what is damaged is left out. Gives how often it was. */
async function readAll(dataset: CutDataset | undefined): Promise<number> {
  for (let damaged = 0; ; damaged++) {
    try {
      for await (const batch of dataset?.records(signal) ?? []) assert.equal(batch.length, 0);
      return damaged;
    } catch (error) {
      assert.ok(isCodrError(error, 'file-damaged'));
    }
  }
}

test('a file that is gone when it is read costs its replica, and its table there is read anew by the next cut', async () => {
  const cut = cutOf('/nowhere', [{ hostId: 'b', name: 'nb-2-big' }]);
  assert.equal(await readAll(cut.datasets[0]), 1);
  const { grade, notes } = cut.report();
  assert.equal(grade, 'quorum-safe');
  assert.match(notes[0] ?? '', /\/nowhere.*nb-2-big/);
  const next = stateOfMemory(cut.memory());
  const known = hosts.map((hostId) => next.hosts[hostId]?.tables[table.id]);
  assert.deepEqual(known, [captured, { ...earlier, hurtSinceMs: 7 }, captured]);
});

test('where files that were known are read again, one that is damaged leaves nothing known of its table there', async () => {
  const none = { files: [], floors: [], rows: [], intervals: [], hurtSinceMs: 1 };
  const lost = { ...none, unread: ['nb-1-big'] };
  const less: Owned = [{ keyspaces: ['ks'], ranges: [['-5', '4']] }];
  for (const more of [{ isAnew: true }, { ownedBefore: less }]) {
    const cut = cutOf('/nowhere', [{ hostId: 'b', name: 'nb-1-big' }], more);
    await readAll(cut.datasets[0]);
    const next = stateOfMemory(cut.memory());
    const known = hosts.map((hostId) => next.hosts[hostId]?.tables[table.id]);
    assert.deepEqual(known, [captured, lost, captured]);
  }
});

test('a file of a version that nobody knows costs its replica, and is named', async () => {
  const cut = cutOf('/nowhere', [{ hostId: 'b', name: 'zz-2-big', version: 'zz' }]);
  assert.equal(await readAll(cut.datasets[0]), 1);
  const { grade, notes } = cut.report();
  assert.equal(grade, 'quorum-safe');
  assert.match(notes[0] ?? '', /zz-2-big.*version zz/);
});

test('files that are damaged on two of three replicas leave the best effort', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
  try {
    for (const name of ['nb-2-big', 'nb-3-big', 'nb-4-big']) {
      await writeFile(join(folder, `${name}-Data.db`), 'no data');
      await writeFile(join(folder, `${name}-Statistics.db`), 'no statistics');
    }
    const cut = cutOf(folder, [
      { hostId: 'a', name: 'nb-2-big' },
      { hostId: 'a', name: 'nb-3-big' },
      { hostId: 'c', name: 'nb-4-big' },
    ]);
    assert.ok((await readAll(cut.datasets[0])) > 0);
    const { grade, notes } = cut.report();
    assert.equal(grade, 'best-effort');
    const named = notes.filter((text) => text.includes(folder));
    assert.equal(new Set(named).size, 3);
  } finally {
    await rm(folder, { recursive: true });
  }
});
