// What a restore leaves in the target so that the same command resumes: a collection named after the
// operation in a database of its own, with one document a step. Only inserts and drops: role `restore` may
// do no more (tested on 6.0.5).
import { type Document, MongoServerError } from 'mongodb';
import { markerDatabase } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { serverCodes } from '../session/translate-error.ts';

/** `begun`: the dataset is being made; `done`: proven; `swapping`: names are being exchanged. */
export type Step = 'begun' | 'done' | 'swapping';

export class TargetMarker {
  readonly #connection: MongodbConnection;
  readonly #operation: string;
  readonly #steps: ReadonlySet<string>;

  private constructor(connection: MongodbConnection, operation: string, steps: Set<string>) {
    this.#connection = connection;
    this.#operation = operation;
    this.#steps = steps;
  }

  /** What earlier runs of the operation left; nothing is written. */
  static async read(
    connection: MongodbConnection,
    operation: string,
    signal: AbortSignal,
  ): Promise<TargetMarker> {
    const rows = await connection.client
      .db(markerDatabase)
      .collection(operation)
      .find({}, { signal })
      .toArray();
    return new TargetMarker(connection, operation, new Set(rows.map((row) => String(row._id))));
  }

  /** What was there when the marker was read. */
  has(step: Step, namespace: string): boolean {
    return this.#steps.has(`${step} ${namespace}`);
  }

  async note(step: Step, namespace: string, signal: AbortSignal): Promise<void> {
    await this.#insert({ _id: `${step} ${namespace}` }, signal);
  }

  async begin(signal: AbortSignal): Promise<void> {
    await this.#insert({ _id: 'operation', by: 'codr restore' }, signal);
  }

  async remove(signal: AbortSignal): Promise<void> {
    await this.#connection.command(
      markerDatabase,
      { drop: this.#operation, writeConcern: { w: 'majority' } },
      signal,
    );
  }

  async #insert(row: Document, signal: AbortSignal): Promise<void> {
    const insert = { insert: this.#operation, documents: [row], writeConcern: { w: 'majority' } };
    const reply = await this.#connection.command(markerDatabase, insert, signal);
    const [error] = (reply.writeErrors ?? []) as Document[];
    if (error && error.code !== serverCodes.duplicateKey) throw new MongoServerError(error);
  }
}
