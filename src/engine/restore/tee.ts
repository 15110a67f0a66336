// One stream for two consumers: the slower one holds the faster one back, so few items wait.
import { AsyncQueue } from '../../base/async.ts';

const itemsAhead = 2;

/** Given to one consumer because the other has stopped reading: never the cause of anything. */
export class ConsumerStoppedError extends Error {
  override readonly name = 'ConsumerStoppedError';

  constructor() {
    super('the other consumer of the stream stopped');
  }
}

/** Two streams of the same items. When one consumer stops early, the other gets an error. */
export function tee<T>(source: AsyncIterable<T>): [AsyncIterable<T>, AsyncIterable<T>] {
  const queues = [new AsyncQueue<T>(itemsAhead), new AsyncQueue<T>(itemsAhead)] as const;
  const pump = async (): Promise<void> => {
    try {
      for await (const item of source) {
        const taken = await Promise.all(queues.map((queue) => queue.push(item)));
        if (!taken.every(Boolean)) throw new ConsumerStoppedError();
      }
      for (const queue of queues) queue.end();
    } catch (error) {
      for (const queue of queues) queue.fail(error);
    }
  };
  void pump();
  return [queues[0], queues[1]];
}
