// SSTables of three nodes that own everything, in folders, and readers of them: what tests of table readers need
// in place of a cluster.
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FilesOf } from '../../../base/file-access.ts';
import { silentLogger } from '../../../base/log.ts';
import { MemorySpill, type Spill } from '../../../base/spill.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import { blockOf } from '../../../model/record-block.ts';
import { MemorySink, type TestRecords, testSchema } from '../sstable/write-records.fixture.ts';
import { SstableWriter } from '../sstable/write-sstable.ts';
import { localFiles } from './local-files.ts';
import type { MergePool } from './merge-pool.ts';
import type { ListedSstable } from './node-files.ts';
import { type DamagedFile, TableReader } from './table-reader.ts';

export const hosts = ['a', 'b', 'c'];
const scalar = (name: 'int' | 'text') => ({ kind: 'scalar', name }) as const;
/** `t (p int, c int, v text, PRIMARY KEY (p, c))`. */
export const rowSchema = testSchema({
  clustering: [{ name: 'c', type: scalar('int') }],
  regulars: [{ name: 'v', type: scalar('text') }],
});
const ring = {
  ...{ clusterName: 'c', partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner', up: hosts },
  ...{ schemaVersions: ['1'], version: '5.0.9' },
  nodes: hosts.map((hostId, i) => ({
    ...{ hostId, address: hostId, nativeAddress: hostId, datacenter: 'dc1', rack: 'r1' },
    tokens: [String(i)],
  })),
};

/** One file of a host, in a folder that is made. */
export async function listedFile(
  { folder, hostId, number = 1 }: { folder: string; hostId: string; number?: number },
  records: TestRecords,
  schema = rowSchema,
): Promise<ListedSstable> {
  const sink = new MemorySink();
  const writer = new SstableWriter({ schema, keyspace: 'k', compression: 'none' }, sink);
  for (const block of records.blocks()) await writer.write(block);
  await writer.finish();
  await mkdir(folder, { recursive: true });
  const name = `nb-${number}-big`;
  for (const one of sink.names) await writeFile(join(folder, `${name}-${one}`), sink.bytes(one));
  const digest = Buffer.from(sink.bytes('Digest.crc32')).toString('utf8').trim();
  const { size } = await stat(join(folder, `${name}-Data.db`));
  return {
    ...{ hostId, tableId: rowSchema.id, keyspace: 'k', table: 't', folder, name },
    ...{ version: 'nb', format: 'big', components: sink.names, dataBytes: size, digest },
    modifiedMs: 1,
  };
}

export interface ReaderWorld {
  readonly pool?: MergePool | undefined;
  readonly spill?: Spill;
  /** 1 MiB unless given. */
  readonly memoryBytesMax?: number;
  readonly filesOf?: FilesOf;
}

export function readerOf(files: readonly ListedSstable[], world: ReaderWorld = {}) {
  const damaged: DamagedFile[] = [];
  const {
    pool,
    filesOf = () => localFiles,
    spill = new MemorySpill(),
    memoryBytesMax = 1 << 20,
  } = world;
  const replication = { class: 'SimpleStrategy', replication_factor: '3' };
  const sorting = { memoryBytesMax, spill };
  const place = { ring, replication, sorting, filesOf };
  const options = { schema: rowSchema, files, ...place, pool, log: silentLogger };
  return { damaged, reader: new TableReader({ ...options, threadedBytesMin: 1024 }, damaged) };
}

/** All records of the ranges, side by side, put one behind another. */
export async function bytesOf(
  reader: TableReader,
  ranges: readonly KeyRange[],
  signal = new AbortController().signal,
): Promise<Buffer> {
  const parts = await Promise.all(
    ranges.map(async (range) => {
      const blocks: Uint8Array[] = [];
      for await (const batch of reader.records(range, signal)) blocks.push(blockOf(batch).bytes);
      return Buffer.concat(blocks);
    }),
  );
  return Buffer.concat(parts);
}
