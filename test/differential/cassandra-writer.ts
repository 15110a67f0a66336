// A writer that never rests while it runs: random statements at random consistency, to a cluster
// of which a node may be dead. What it could not write is no fault; whether a replica has it,
// none can say.
import { setTimeout as sleep } from 'node:timers/promises';
import { types } from 'cassandra-driver';
import { SeededRandom } from '../../src/base/random.ts';
import type { TestClient } from '../harness/cassandra.ts';
import type { TestSchema } from './cassandra-schema.ts';
import { StatementMaker } from './cassandra-statements.ts';
import { pick } from './cassandra-types.ts';

const { one, quorum, localOne, two } = types.consistencies;
const pauseMsMax = 15;

export class CassandraWriter {
  writes = 0;
  /** Statements that were not acknowledged. */
  failures = 0;
  readonly #client: TestClient;
  readonly #random: SeededRandom;
  readonly #maker: StatementMaker;

  constructor(client: TestClient, schema: TestSchema, seed: number) {
    this.#client = client;
    this.#random = new SeededRandom(seed);
    this.#maker = new StatementMaker(schema, new SeededRandom(seed + 1));
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const statement = this.#maker.next();
      const consistency = pick(this.#random, [one, one, localOne, two, quorum]);
      try {
        await this.#client.client.execute(statement, [], { consistency });
        this.writes++;
      } catch (error) {
        if (!isDisturbance(error)) {
          throw new Error(`${statement}: ${String(error)}`, { cause: error });
        }
        this.failures++;
      }
      await sleep(this.#random.below(pauseMsMax));
    }
  }
}

/** What a dead node, a list that is shorter than thought and a changing schema lead to. */
function isDisturbance(error: unknown): boolean {
  const { code, name, message } = error as { code?: unknown; name: string; message: string };
  const names = ['NoHostAvailableError', 'OperationTimedOutError', 'BusyConnectionError'];
  if (names.includes(name) || message === 'Socket was closed') return true;
  if (typeof code === 'number' && code >= 0x1000 && code < 0x2000) return true;
  return /[Ll]ist index|list which is null|[Uu]ndefined column|[Uu]nknown identifier/.test(message);
}
