// Every type in the headers of the golden SSTables, and every one that their schemas name in CQL.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  goldenFormats,
  goldenNames,
  goldenSstable,
} from '../../../../test/harness/golden-sstable.ts';
import { cqlTypeName, parseCqlType, type UserTypeLookup } from './cql-name.ts';
import { marshalName, parseMarshal } from './marshal-name.ts';

const folder = join(import.meta.dirname, '../../../../test/golden/sstable');
const headerType = 3;

interface Header {
  /** Of key, clustering, static and regular columns. */
  readonly texts: readonly string[];
  /** Of static and regular columns, by name. */
  readonly columns: ReadonlyMap<string, string>;
}

function headerOf(file: string): Header {
  const bytes = readFileSync(file);
  const count = bytes.readInt32BE(0);
  const entry = Array.from({ length: count }, (_, i) => 8 + 8 * i).find(
    (at) => bytes.readInt32BE(at) === headerType,
  );
  assert.ok(entry !== undefined, `${file} has a header`);
  let at = bytes.readInt32BE(entry + 4);
  const vint = (): number => {
    const head = bytes[at] as number;
    const extra = head === 0xff ? 8 : Math.clz32(~(head << 24));
    let value = extra >= 8 ? 0 : head & (0xff >> extra);
    for (let i = 1; i <= extra; i++) value = value * 256 + (bytes[at + i] as number);
    at += 1 + extra;
    return value;
  };
  const text = (): string => {
    const length = vint();
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  // Bases of timestamps, deletion times and times to live.
  for (let i = 0; i < 3; i++) vint();
  const texts = [text()];
  for (let i = vint(); i > 0; i--) texts.push(text());
  const columns = new Map<string, string>();
  for (let group = 0; group < 2; group++) {
    for (let i = vint(); i > 0; i--) columns.set(text(), text());
  }
  return { texts: [...texts, ...columns.values()], columns };
}

const filesLike = (end: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(end))
    .map((file) => join(folder, file));

test('every type of the golden SSTables is read and printed again byte for byte', () => {
  const files = filesLike('-Statistics.db');
  assert.ok(files.length > 0, 'there are golden SSTables');
  const texts = new Set(files.flatMap((file) => headerOf(file).texts));
  for (const text of texts) assert.equal(marshalName(parseMarshal(text)), text);
});

interface SchemaRows {
  readonly columns: readonly { column_name: string; type: string }[];
  readonly types: readonly { type_name: string; field_names: string[]; field_types: string[] }[];
}

test('the schemas of the golden SSTables name the types that their headers have', () => {
  let compared = 0;
  const all = goldenFormats.flatMap((format) =>
    goldenNames(format).map((table) => goldenSstable(format, table)),
  );
  for (const { folder: own, prefix, schema: read } of all) {
    const schema = read() as unknown as SchemaRows;
    const lookup: UserTypeLookup = (name) => {
      const found = schema.types.find((each) => each.type_name === name);
      return found && { fieldNames: found.field_names, fieldTypes: found.field_types };
    };
    const headers = [headerOf(join(own, `${prefix}Statistics.db`))];
    for (const { column_name: name, type: text } of schema.columns) {
      const type = parseCqlType(text, lookup, 'golden');
      assert.equal(cqlTypeName(type), text);
      for (const { columns } of headers) {
        const java = columns.get(name);
        // A header says what a user type was when the file was written; `grown` got a field later.
        if (java === undefined || text.includes('grown')) continue;
        assert.equal(marshalName(type), java, `${own} ${name}`);
        compared++;
      }
    }
  }
  assert.ok(compared > 50, `${compared} columns were compared`);
});
