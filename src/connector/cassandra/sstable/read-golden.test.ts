// Every golden SSTable, record by record, against what sstabledump says of it: keys, order,
// timestamps, TTLs, expiries, deletions and values. The records are read back by
// record/row-reader.ts, values rendered by golden-dump.fixture.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  goldenFormats,
  goldenNames,
  goldenSstable,
} from '../../../../test/harness/golden-sstable.ts';
import type { GoldenFormat } from '../../../../test/harness/golden-tables.ts';
import { batchOf } from '../../../model/record-block.ts';
import { ByteSink } from '../key/byte-sink.ts';
import { clusteringCodec } from '../key/clustering-codec.ts';
import { comparableCodec } from '../key/comparable.ts';
import { partitionEnd, partitionKeyOf } from '../key/record-key.ts';
import {
  cellFlags,
  clusteringEnds,
  keyKinds,
  markerFlags,
  rowFlags,
} from '../record/record-layout.ts';
import { columnKinds, RowReader } from '../record/row-reader.ts';
import type { CassandraType } from '../type/cassandra-type.ts';
import { dumpForm, keyForms, parseDump, stringForm, valueForm } from './golden-dump.fixture.ts';
import { goldenFiles } from './golden-files.fixture.ts';
import { openSstable } from './open-sstable.ts';
import type { SerializationHeader } from './statistics.ts';

for (const format of goldenFormats) {
  for (const table of goldenNames(format)) {
    test(`the records of ${format}/${table} say what sstabledump says`, async () => {
      const sstable = await openSstable(goldenFiles(format, table));
      const events: unknown[] = [];
      const render = new RecordRenderer(sstable.header);
      for await (const block of sstable.records({}, new AbortController().signal)) {
        for (const { key, value } of batchOf(block)) events.push(render.event(key, value));
      }
      const expected = dumpEvents(format, table, sstable.header);
      assert.ok(events.length > 0);
      assert.deepEqual(events, expected);
    });
  }
}

/** Both sides of the comparison are lists of these, in the order of the file. */
type Event = Record<string, unknown>;

class RecordRenderer {
  readonly #header: SerializationHeader;
  #partition: string[] = [];

  constructor(header: SerializationHeader) {
    this.#header = header;
  }

  event(key: Uint8Array, value: Uint8Array): Event {
    const end = partitionEnd(key, 0, key.length);
    const raw = partitionKeyOf(key);
    if (raw) this.#partition = keyForms(this.#header.keyType, raw);
    const partition = this.#partition;
    switch (key[end]) {
      case keyKinds.partitionKey:
        this.#partition = keyForms(this.#header.keyType, value);
        return { kind: 'key', partition: this.#partition };
      case keyKinds.partitionDeletion:
        return { kind: 'partition deletion', partition, deletion: deletionAt(value, 0) };
      case keyKinds.static:
        return { kind: 'static', partition, ...this.#row(value, true) };
      default: {
        const last = key.at(-1);
        if (last === clusteringEnds.row) {
          const clustering = this.#clustering(key, end + 1, value);
          return { kind: 'row', partition, clustering, ...this.#row(value, false) };
        }
        const opens = ((value[0] as number) & markerFlags.opens) !== 0;
        return {
          kind: 'marker',
          partition,
          clustering: this.#clustering(key, end + 1, value),
          at: last === clusteringEnds.before ? 'before' : 'after',
          opens: opens ? deletionAt(value, value.length - 12) : undefined,
        };
      }
    }
  }

  /** From the key, or from the originals where they are. */
  #clustering(key: Uint8Array, from: number, value: Uint8Array): unknown[] {
    const types = this.#header.clustering;
    const out = new ByteSink();
    const ranges = new Int32Array(2 * types.length);
    const count = clusteringCodec(types).decode(key, from, key.length, out, ranges);
    let at = 1;
    const hasOriginals = ((value[0] as number) & rowFlags.originals) !== 0;
    return types.slice(0, count).map((type, i) => {
      let bytes: Uint8Array | undefined = out.bytes.slice(ranges[2 * i], ranges[2 * i + 1]);
      if (ranges[2 * i] === -1) bytes = undefined;
      if (hasOriginals) {
        const length = value[at++] as number;
        assert.ok(length < 128);
        bytes = length === 0 ? undefined : value.slice(at, at + length - 1);
        at += Math.max(0, length - 1);
      }
      return bytes === undefined ? null : valueForm(type, bytes);
    });
  }

  #row(value: Uint8Array, isStatic: boolean): Event {
    const { regulars, statics, clustering } = this.#header;
    const row = new RowReader(clustering.length);
    row.read(value, 0, value.length, isStatic);
    const event: Event = { cells: [] as Event[] };
    if (row.flags & rowFlags.timestamp) event.timestamp = long(row.timestampHi, row.timestampLo);
    if (row.flags & rowFlags.expiring) Object.assign(event, { ttl: row.ttl, expiry: row.expiry });
    if (row.flags & rowFlags.deletion) {
      event.deletion = deletion(row.deletionHi, row.deletionLo, row.deletionTime);
    }
    const cells = event.cells as Event[];
    for (let c = 0; c < row.columnCount; c++) {
      const name = Buffer.from(value.subarray(row.nameStart[c], row.nameEnd[c])).toString('utf8');
      const column = (isStatic ? statics : regulars).find((each) => each.name === name);
      assert.ok(column, `column ${name}`);
      const complex = row.columnKind[c] !== columnKinds.simple;
      if (row.columnKind[c] === columnKinds.complexDeleted) {
        cells.push({
          name,
          deletion: deletion(row.columnHi[c]!, row.columnLo[c]!, row.columnTime[c]!),
        });
      }
      for (let i = row.firstCell[c]!; i < row.firstCell[c + 1]!; i++) {
        cells.push({ name, ...this.#cell(row, i, column.type, complex) });
      }
    }
    cells.sort(byName);
    return event;
  }

  #cell(row: RowReader, i: number, type: CassandraType, complex: boolean): Event {
    const flags = row.cellFlags[i]!;
    const cell: Event = { timestamp: long(row.cellHi[i]!, row.cellLo[i]!) };
    if (complex) cell.path = this.#path(row, i, type);
    if (flags & cellFlags.tombstone) return { ...cell, tombstone: row.cellExpiry[i] };
    if (flags & cellFlags.expiring) {
      Object.assign(cell, { ttl: row.cellTtl[i], expiry: row.cellExpiry[i] });
    }
    const bytes = row.bytes.slice(row.valueStart[i], row.valueEnd[i]);
    const cellType = complex ? elementOf(type, cell.path) : type;
    return { ...cell, value: type.kind === 'set' && complex ? '' : valueForm(cellType, bytes) };
  }

  #path(row: RowReader, i: number, type: CassandraType): string {
    const form = row.bytes.slice(row.pathStart[i], row.pathEnd[i]);
    if (type.kind === 'udt') return type.fields[Buffer.from(form).readUInt16BE(0)]?.name ?? '?';
    const pathType: CassandraType =
      type.kind === 'set'
        ? type.element
        : type.kind === 'map'
          ? type.key
          : { kind: 'scalar', name: 'timeuuid' };
    if (row.cellFlags[i]! & cellFlags.pathOriginal) {
      return stringForm(pathType, row.bytes.slice(row.originalStart[i], row.originalEnd[i]));
    }
    const out = new ByteSink();
    // What follows a form in a key tells its end.
    comparableCodec(pathType).decode(Uint8Array.from([...form, 0x38]), 0, out);
    return stringForm(pathType, out.bytes.slice(0, out.length));
  }
}

function elementOf(type: CassandraType, path: unknown): CassandraType {
  if (type.kind === 'udt') return type.fields.find(({ name }) => name === path)!.type;
  if (type.kind === 'map') return type.value;
  return (type as { element: CassandraType }).element;
}

const byName = (a: Event, b: Event): number =>
  Buffer.compare(Buffer.from(a.name as string), Buffer.from(b.name as string));
const long = (hi: number, lo: number): string =>
  ((BigInt(hi) << 32n) | BigInt(lo >>> 0)).toString();
const deletion = (hi: number, lo: number, time: number): Event => ({ at: long(hi, lo), time });
const deletionAt = (value: Uint8Array, at: number): Event => {
  const bytes = Buffer.from(value);
  return deletion(bytes.readInt32BE(at), bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 8));
};

interface DumpDeletion {
  readonly marked_deleted: string;
  readonly local_delete_time: string;
}
type Json = Record<string, never>;

function dumpEvents(format: GoldenFormat, table: string, header: SerializationHeader): Event[] {
  const { folder } = goldenSstable(format, table);
  const lines = readFileSync(`${folder}/dump.jsonl`, 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const { partition, rows } = parseDump(line) as { partition: Json; rows?: Json[] };
    const key = partition.key as unknown as string[];
    const head = partition.deletion_info
      ? [{ kind: 'partition deletion', partition: key, deletion: ofDump(partition.deletion_info) }]
      : [];
    return [...head, ...(rows ?? []).map((row) => dumpEvent(key, row, header))];
  });
}

function dumpEvent(partition: string[], row: Json, header: SerializationHeader): Event {
  const clusteringOf = (values: unknown[]): unknown[] =>
    values.filter((each) => each !== '*').map((each, i) => dumpForm(header.clustering[i]!, each));
  if (row.type === 'row' || row.type === 'static_block') {
    const isStatic = row.type === 'static_block';
    const event: Event = { kind: isStatic ? 'static' : 'row', partition, cells: [] };
    if (!isStatic) event.clustering = clusteringOf(row.clustering ?? []);
    const liveness = row.liveness_info as Json | undefined;
    if (liveness) Object.assign(event, timesOf(liveness));
    if (row.deletion_info) event.deletion = ofDump(row.deletion_info);
    const columns = isStatic ? header.statics : header.regulars;
    event.cells = (row.cells as unknown as Json[])
      .map((cell) => dumpCell(cell, columns, liveness))
      .sort(byName);
    return event;
  }
  const { start, end } = row as Record<string, Json | undefined>;
  const side = (start ?? end) as Json;
  const inclusive = (side.type as unknown as string) === 'inclusive';
  return {
    kind: 'marker',
    partition,
    clustering: clusteringOf(side.clustering ?? []),
    at: inclusive === (start !== undefined) ? 'before' : 'after',
    opens: start && ofDump(start.deletion_info as never),
  };
}

function dumpCell(
  cell: Json,
  columns: SerializationHeader['regulars'],
  liveness: Json | undefined,
): Event {
  const { name, path, tstamp, value } = cell as Record<string, unknown>;
  const gone = cell.deletion_info as DumpDeletion | undefined;
  if (gone?.marked_deleted !== undefined) return { name, deletion: ofDump(gone) };
  const event: Event = { name, timestamp: tstamp ?? liveness?.tstamp };
  if (path) event.path = (path as string[])[0];
  if (gone) return { ...event, tombstone: Number(gone.local_delete_time) };
  const { type } = columns.find((column) => column.name === name)!;
  // A cell that is without times of its own has those of its row, if it has its timestamp too.
  if (cell.ttl ?? (tstamp === undefined && liveness?.ttl)) {
    const times = timesOf((cell.ttl ? cell : liveness) as Json);
    Object.assign(event, { ttl: times.ttl, expiry: times.expiry });
  }
  return { ...event, value: dumpForm(path ? elementOf(type, event.path) : type, value) };
}

function timesOf(info: Json): Event {
  const { tstamp, ttl, expires_at } = info as Record<string, never>;
  const timestamp = tstamp === undefined ? {} : { timestamp: tstamp };
  if (ttl === undefined) return timestamp;
  return { ...timestamp, ttl: Number((ttl as { text: string }).text), expiry: Number(expires_at) };
}

const ofDump = (info: DumpDeletion): Event => ({
  at: info.marked_deleted,
  time: Number(info.local_delete_time),
});
