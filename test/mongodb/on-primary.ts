// Writes that go on whichever member is primary, for sets whose primary changes under the test.
import { type MongoClient, MongoServerError } from 'mongodb';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';

const failoversMax = 10;
/** NotWritablePrimary, PrimarySteppedDown, InterruptedDueToReplStateChange. */
const failoverCodes: readonly unknown[] = [10107, 189, 11602];

/**
 * Does `work`, which can be done twice, on the primary, and again on the next one if it was primary no more: a
 * member of higher priority takes over when it likes.
 */
export async function onPrimary<T>(
  set: ReplicaSet,
  work: (client: MongoClient) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const client = await set.primaryClient();
    try {
      return await work(client);
    } catch (error) {
      const failover = error instanceof MongoServerError && failoverCodes.includes(error.code);
      if (!failover || attempt === failoversMax) throw error;
    }
  }
}
