// Statements of one partition gathered into unlogged batches, which the server applies as one write each.
import type { CqlStatement } from './cql-statements.ts';

export interface CqlBatch {
  readonly statements: readonly CqlStatement[];
  readonly appends: boolean;
  /** It goes on with lists of the batch before, and must not overtake it. */
  readonly follows: boolean;
}

export const batchStatementsMax = 50;
/** Below `batch_size_fail_threshold`, which is 50 KiB. */
export const batchBytesMax = 40 * 1024;
/** What a statement takes beside its values. */
const statementHeadBytes = 24;

/** Gathers; whoever calls says where a partition ends, by `take`. */
export class BatchGatherer {
  #statements: CqlStatement[] = [];
  #bytes = 0;
  #appends = false;
  #follows = false;

  /** Takes a statement; gives the batch that had no room for it. */
  add(statement: CqlStatement): CqlBatch | undefined {
    const size = statementHeadBytes + statement.bytes;
    const isFull =
      this.#statements.length >= batchStatementsMax || this.#bytes + size > batchBytesMax;
    const full = isFull ? this.take() : undefined;
    if (full) this.#follows = full.appends && statement.appends;
    this.#statements.push(statement);
    this.#bytes += size;
    this.#appends ||= statement.appends;
    return full;
  }

  /** What is gathered, if anything. */
  take(): CqlBatch | undefined {
    if (this.#statements.length === 0) return undefined;
    const batch = {
      statements: this.#statements,
      appends: this.#appends,
      follows: this.#follows,
    };
    this.#statements = [];
    this.#bytes = 0;
    this.#appends = false;
    this.#follows = false;
    return batch;
  }
}
