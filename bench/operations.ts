// Writes to a source as applications do: updates of single fields, inserts and deletes, by a seed.
import type { AnyBulkWriteOperation, MongoClient } from 'mongodb';
import { Chance } from './chance.ts';
import { benchDatabase } from './shape.ts';

const operationsPerCall = 1000;

/** `count` operations on the orders: nine updates to one insert and one delete, about. */
export async function operate(client: MongoClient, count: number, seed = 7): Promise<void> {
  const chance = new Chance(seed);
  const orders = client.db(benchDatabase).collection('orders');
  const ids = (
    await orders
      .find()
      .project({ _id: 1 })
      .limit(count * 4)
      .toArray()
  ).map(({ _id }) => _id);
  for (let done = 0; done < count; done += operationsPerCall) {
    const operations: AnyBulkWriteOperation[] = [];
    for (let i = 0; i < Math.min(operationsPerCall, count - done); i++) {
      const filter = { _id: chance.of(ids) };
      const kind = chance.below(11);
      if (kind === 0) operations.push({ insertOne: { document: { note: chance.word(), n: i } } });
      else if (kind === 1) operations.push({ deleteOne: { filter } });
      else {
        const update = { $set: { status: chance.word() }, $inc: { customer: 1 } };
        operations.push({ updateOne: { filter, update } });
      }
    }
    await orders.bulkWrite(operations, { ordered: false });
  }
}
