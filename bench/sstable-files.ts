// SSTables of the benchmarks in a folder, made by our own writer: no server is needed. As the files of one node.

import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { localFiles } from '../src/connector/cassandra/session/local-files.ts';
import type { ListedSstable } from '../src/connector/cassandra/session/node-files.ts';
import { SstableWriter } from '../src/connector/cassandra/sstable/write-sstable.ts';
import { StagedSstable } from '../src/connector/cassandra/target/staging.ts';
import type { RecordBlock } from '../src/model/record-block.ts';
import { benchTable } from './table.ts';

export interface MadeSstable {
  readonly folder: string;
  readonly number: number;
}

/** Writes one SSTable; the file system may still hold it in memory. */
export async function makeSstable(
  { folder, number }: MadeSstable,
  blocks: Iterable<RecordBlock>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const place = { folders: [{ address: folder, folder }], name: `nb-${number}-big` };
  const files = new StagedSstable(place, () => localFiles);
  const { keyspace } = benchTable;
  const writer = new SstableWriter({ schema: benchTable, keyspace, compression: 'lz4' }, files);
  for (const block of blocks) await writer.write(block);
  await writer.finish();
  await files.close();
}

/** As a cut of the host lists it. */
export async function listedSstable(
  { folder, number }: MadeSstable,
  hostId = 'a',
): Promise<ListedSstable> {
  const name = `nb-${number}-big`;
  const path = (component: string): string => join(folder, `${name}-${component}`);
  const { size, mtimeMs } = await stat(path('Data.db'));
  const components = (await readFile(path('TOC.txt'), 'utf8')).split('\n').filter(Boolean);
  const { id: tableId, keyspace, table } = benchTable;
  return {
    ...{ hostId, tableId, keyspace, table, folder, name, components, version: 'nb', format: 'big' },
    dataBytes: size,
    digest: await readFile(path('Digest.crc32'), 'utf8'),
    modifiedMs: mtimeMs,
  };
}
