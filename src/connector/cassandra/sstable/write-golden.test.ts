// Files that Cassandra wrote, read and written again: the same bytes, and the same of their rows in Statistics.db.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { TableSchema } from '../schema/table-schema.ts';
import { memoryFile } from './memory-file.fixture.ts';
import { openSstable } from './open-sstable.ts';
import type { SstableFiles } from './sstable-files.ts';
import type { SerializationHeader } from './statistics.ts';
import { ofRows, statistics, uncompressed } from './write-compare.fixture.ts';
import { MemorySink, testSchema } from './write-records.fixture.ts';
import { SstableWriter } from './write-sstable.ts';
import { basesOf } from './write-statistics.ts';

const folder = fileURLToPath(new URL('../../../../test/golden/sstable/nb/', import.meta.url));

/** The golden files of a table, as `name` says them. */
function goldenFiles(name: string): SstableFiles {
  const table = `${folder}${name}/`;
  const data = readdirSync(table).find((file) => file.endsWith('-Data.db')) as string;
  const path = (component: string) => table + data.replace('Data.db', component);
  return {
    version: 'nb',
    format: 'big',
    name,
    has: (component) => existsSync(path(component)),
    open: async (component) => memoryFile(readFileSync(path(component))),
  };
}

async function goldenBytes(files: SstableFiles, component: string): Promise<Buffer> {
  const file = await files.open(component);
  return Buffer.from(await file.read(0, file.size));
}

/** A schema with the columns of a file; keys have no names there. */
function schemaOf(header: SerializationHeader): TableSchema {
  const { keyType } = header;
  const keys = keyType.kind === 'composite' ? keyType.components : [keyType];
  const columns = (of: SerializationHeader['regulars']) =>
    of.map(({ nameBytes, type }) => ({ name: Buffer.from(nameBytes).toString(), type }));
  return testSchema({
    partitionKey: keys.map((type, i) => ({ name: `p${i}`, type })),
    clustering: header.clustering.map((type, i) => ({ name: `c${i}`, type })),
    statics: columns(header.statics),
    regulars: columns(header.regulars),
  });
}

const names = readdirSync(folder).filter((name) =>
  readdirSync(folder + name).some((file) => file.endsWith('-Data.db')),
);

test('there are golden files', () => {
  assert.ok(names.length > 20, `${names.length}`);
});

for (const name of names) {
  test(`${name} is written as Cassandra wrote it`, async () => {
    const files = goldenFiles(name);
    const golden = await openSstable(files);
    const { header } = golden;
    const sink = new MemorySink();
    const isLz4 = files.has('CompressionInfo.db');
    const writer = new SstableWriter(
      {
        schema: schemaOf(header),
        keyspace: 'golden',
        compression: 'lz4',
        // The server that wrote them was told so.
        indexBlockBytes: 1024,
        bases: basesOf(header.minTimestamp, header.minLocalDeletionTime, header.minTtl),
      },
      sink,
    );
    for await (const block of golden.records({}, AbortSignal.timeout(60_000))) {
      await writer.write(block);
    }
    await writer.finish();
    const theirs = await goldenBytes(files, 'Statistics.db');
    const ours = sink.bytes('Statistics.db');
    assert.equal(statistics(ours, 3).toString('latin1'), statistics(theirs, 3).toString('latin1'));
    const raw = uncompressed(sink.bytes('Data.db'), sink.bytes('CompressionInfo.db'));
    const data = await goldenBytes(files, 'Data.db');
    const info = isLz4 ? await goldenBytes(files, 'CompressionInfo.db') : undefined;
    if (info === undefined) assert.ok(raw.equals(data), 'Data.db');
    else if (info.toString('latin1', 2, 15) === 'LZ4Compressor') {
      assert.equal(raw.toString('hex'), uncompressed(data, info).toString('hex'));
    }
    assert.ok(sink.bytes('Index.db').equals(await goldenBytes(files, 'Index.db')), 'Index.db');
    assert.deepEqual(ofRows(ours), ofRows(theirs));
  });
}
