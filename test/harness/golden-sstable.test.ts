import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { goldenFormats, goldenNames, goldenSstable } from './golden-sstable.ts';
import { tablesOf } from './make-golden-sstables.ts';

test('the golden folder holds exactly the tables that the generator makes', () => {
  for (const format of goldenFormats) {
    const made = tablesOf(format).map(({ name }) => name);
    const folder = new URL(`../golden/sstable/${format}/`, import.meta.url);
    assert.deepEqual(readdirSync(folder).sort(), made.sort(), format);
  }
});

test('each golden SSTable has its components unchanged, a dump and a schema', () => {
  for (const format of goldenFormats) {
    for (const name of goldenNames(format)) {
      const sstable = goldenSstable(format, name);
      const where = `${format} ${name}`;
      const digest = new TextDecoder().decode(sstable.component('Digest.crc32'));
      assert.equal(Number(digest), crc32(sstable.component('Data.db')), where);
      const compressed = sstable.components.includes('CompressionInfo.db');
      assert.equal(sstable.components.includes('CRC.db'), !compressed, where);
      assert.ok(sstable.prefix.startsWith(`${format}-`), where);
      assert.ok(sstable.dump().length > 0, where);
      const { tables, columns } = sstable.schema();
      assert.equal(tables[0]?.table_name, name);
      assert.ok(
        columns.some(({ kind }) => kind === 'partition_key'),
        where,
      );
    }
  }
});
