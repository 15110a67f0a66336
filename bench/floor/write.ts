// A writer that keeps the server busy: inserts and updates by several connections for some seconds.
// Usage: node bench/floor/write.ts URI SECONDS
import { MongoClient, ObjectId } from 'mongodb';
import { Chance } from '../chance.ts';
import { benchDatabase, shapes, textField } from '../shape.ts';

const writers = 4;
const documentsPerCall = 100;

const [uri, seconds] = process.argv.slice(2) as [string, string];
await using client = await new MongoClient(uri).connect();
const written = client.db(benchDatabase).collection('written');
const end = performance.now() + Number(seconds) * 1000;
let operations = 0;
await Promise.all(Array.from({ length: writers }, (_, i) => write(i + 1)));
process.stdout.write(`${JSON.stringify({ operations })}\n`);

async function write(seed: number): Promise<void> {
  const chance = new Chance(seed);
  const shape = shapes[0]!;
  const template = shape.template(chance, 'x'.repeat(400));
  while (performance.now() < end) {
    const ids = Array.from({ length: documentsPerCall }, () => new ObjectId());
    const documents = ids.map((_id) => ({
      ...template,
      _id,
      [textField]: chance.word().repeat(60),
    }));
    await written.insertMany(documents, { ordered: false });
    const updates = ids.map((_id) => ({
      updateOne: { filter: { _id }, update: { $set: { status: chance.word() } } },
    }));
    await written.bulkWrite(updates, { ordered: false });
    operations += documents.length + updates.length;
  }
}
