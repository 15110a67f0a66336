// What gzip makes of the documents, at the level that mongodump --gzip uses: the size to beat, and what it
// costs one CPU. The database is left out.
// Usage: node bench/floor/gzip.ts MEBIBYTES
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { dataFiles } from '../data.ts';

const level = 6;
const chunkSize = 1 << 20;

const [mebibytes] = process.argv.slice(2) as [string];
let stored = 0;
for (const { path } of await dataFiles(Number(mebibytes))) {
  const count = new Writable({
    write(chunk: Buffer, _encoding, done) {
      stored += chunk.length;
      done();
    },
  });
  const read = createReadStream(path, { highWaterMark: chunkSize });
  await pipeline(read, createGzip({ level, chunkSize }), count);
}
process.stdout.write(`${JSON.stringify({ stored })}\n`);
