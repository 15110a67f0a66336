// Makes the documents of the benchmarks as files of raw BSON, one a collection, and keeps them: the same
// size gives the same bytes. Fast, because each document is a template with new bytes written over it.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BSON } from 'mongodb';
import {
  bsonTypes,
  elementsOf,
  hasName,
  valueBytes,
} from '../src/connector/mongodb/bson/raw-bson.ts';
import { Chance } from './chance.ts';
import { type Shape, shapes, textField } from './shape.ts';

/** Where files and databases of the benchmarks are kept between runs. */
export const benchFolder = process.env.CODR_BENCH_FOLDER ?? join(homedir(), '.cache/codr/bench');

const mebibyte = 1 << 20;
const templateCount = 1024;
const textBytes = 410;
const firstMs = 1_700_000_000_000;
const poolBytes = 8 * mebibyte;
const chunkBytes = 4 * mebibyte;

export interface DataFile {
  readonly shape: Shape;
  readonly path: string;
}

/** The files of `mebibytes` of documents, by collection; made where they are missing. */
export async function dataFiles(mebibytes: number): Promise<DataFile[]> {
  const folder = join(benchFolder, `data-${mebibytes}`);
  await mkdir(folder, { recursive: true });
  const files: DataFile[] = [];
  for (const [i, shape] of shapes.entries()) {
    const path = join(folder, `${shape.name}.bson`);
    const there = await stat(path).catch(() => undefined);
    if (!there)
      await makeFile(shape, path, { bytes: shape.share * mebibytes * mebibyte, seed: i + 1 });
    files.push({ shape, path });
  }
  return files;
}

export async function bytesOf(files: readonly DataFile[]): Promise<number> {
  const sizes = await Promise.all(files.map(async ({ path }) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function makeFile(
  shape: Shape,
  path: string,
  { bytes, seed }: { readonly bytes: number; readonly seed: number },
): Promise<void> {
  const chance = new Chance(seed);
  const pool = textPool(chance);
  const templates = Array.from({ length: templateCount }, () => templateOf(shape, chance));
  const file = createWriteStream(`${path}.part`);
  let written = 0;
  for (let serial = 0; written < bytes; ) {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let end = 0;
    for (;;) {
      const template = chance.of(templates);
      if (end + template.bytes.length > chunkBytes) break;
      template.bytes.copy(chunk, end);
      vary(chunk, end, template, { chance, pool, serial: serial++ });
      end += template.bytes.length;
    }
    written += end;
    if (!file.write(chunk.subarray(0, end))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
  await rename(`${path}.part`, path);
}

interface Template {
  readonly bytes: Buffer;
  /** Places of values, by what is written over them. */
  readonly places: readonly { readonly type: number; readonly at: number }[];
  readonly textAt: number;
}

function templateOf(shape: Shape, chance: Chance): Template {
  const document = shape.template(chance, 'x'.repeat(textBytes));
  const bytes = Buffer.from(BSON.serialize(document));
  const places: { type: number; at: number }[] = [];
  let textAt = 0;
  const walk = (source: Buffer, base: number): void => {
    for (const element of elementsOf(source)) {
      const at = base + element.valueStart;
      if (element.type === bsonTypes.document || element.type === bsonTypes.array) {
        walk(valueBytes(element), at);
      } else if (hasName(element, textField)) {
        textAt = at + 4;
      } else {
        places.push({ type: element.type, at });
      }
    }
  };
  walk(bytes, 0);
  return { bytes, places, textAt };
}

/** Writes this document's own values over the copy of a template at `start`. */
function vary(
  chunk: Buffer,
  start: number,
  template: Template,
  from: { readonly chance: Chance; readonly pool: Buffer; readonly serial: number },
): void {
  const { chance, pool, serial } = from;
  let isFirst = true;
  for (const { type, at: place } of template.places) {
    const at = start + place;
    switch (type) {
      case bsonTypes.objectId:
        // Ids of one process: time, machine, counter. Others are anything.
        chunk.writeUInt32BE(isFirst ? 1_700_000_000 + Math.floor(serial / 40) : chance.next(), at);
        chunk.writeUInt32BE(isFirst ? 0x5ca1ab1e : chance.next(), at + 4);
        chunk.writeUInt32BE(isFirst ? serial : chance.next(), at + 8);
        break;
      case bsonTypes.int32: {
        const value = chunk.readInt32LE(at);
        if (value >= 10) chunk.writeInt32LE(chance.below(Math.min(value * 2, 2 ** 31)), at);
        break;
      }
      case bsonTypes.double:
        chunk.writeDoubleLE(chance.below(64_000) / 64, at);
        break;
      case bsonTypes.date: {
        // Documents come in the order of their dates, more or less.
        const ms = firstMs + serial * 997 + chance.below(3 * 86_400_000);
        chunk.writeBigInt64LE(BigInt(ms), at);
        break;
      }
      case bsonTypes.decimal128:
        chunk.writeUInt16LE(chance.next() & 0xffff, at);
        break;
    }
    isFirst = false;
  }
  const slice = chance.below(poolBytes - textBytes);
  pool.copy(chunk, start + template.textAt, slice, slice + textBytes);
}

function textPool(chance: Chance): Buffer {
  let text = '';
  while (text.length < poolBytes) text += `${chance.word()} `;
  return Buffer.from(text.slice(0, poolBytes), 'latin1');
}
