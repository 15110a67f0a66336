// What every replica says of one range, as one stream: each record must be the same on all nodes that hold its
// token. One replica alone is enough to break the proof, though a read at ALL would not show it.
import { assert } from '../../../base/assert.ts';
import { compareBytes, equalBytes, toHex } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import {
  type DataRecord,
  type RecordBatch,
  type RecordStream,
  recordsOf,
} from '../../../model/record.ts';

export interface ReplicaStream {
  readonly hostId: string;
  readonly address: string;
  readonly records: RecordStream;
}

const batchRecords = 512;

/**
 * `ownersOf` is told each record once, ascending. Errors: `proof-failed`, naming the node, when a replica lacks a
 * record, or has another.
 */
export async function* unanimous(
  replicas: readonly ReplicaStream[],
  ownersOf: (record: DataRecord) => readonly string[],
  table: string,
): RecordStream {
  const cursors = replicas.map((replica) => new Cursor(replica));
  let batch: DataRecord[] = [];
  try {
    for (;;) {
      for (const cursor of cursors) await cursor.fill();
      const least = leastOf(cursors);
      if (!least) break;
      const owners = ownersOf(least);
      assert(
        cursors.some((cursor) => owners.includes(cursor.hostId)),
        'a record has an owner',
      );
      for (const cursor of cursors) {
        if (owners.includes(cursor.hostId)) cursor.take(least, table);
      }
      batch.push(least);
      if (batch.length < batchRecords) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } finally {
    for (const cursor of cursors) await cursor.close();
  }
}

function leastOf(cursors: readonly Cursor[]): DataRecord | undefined {
  let least: DataRecord | undefined;
  for (const { current } of cursors) {
    if (current && (!least || compareBytes(current.key, least.key) < 0)) least = current;
  }
  return least;
}

class Cursor {
  readonly hostId: string;
  readonly #address: string;
  readonly #batches: AsyncIterator<RecordBatch>;
  #records: readonly DataRecord[] = [];
  #at = 0;
  #ended = false;

  constructor({ hostId, address, records }: ReplicaStream) {
    this.hostId = hostId;
    this.#address = address;
    this.#batches = records[Symbol.asyncIterator]();
  }

  get current(): DataRecord | undefined {
    return this.#records[this.#at];
  }

  async fill(): Promise<void> {
    while (!this.#ended && this.#at >= this.#records.length) {
      const next = await this.#batches.next();
      if (next.done) this.#ended = true;
      else [this.#records, this.#at] = [recordsOf(next.value), 0];
    }
  }

  take({ key, value }: DataRecord, table: string): void {
    const own = this.current;
    const has = own !== undefined && equalBytes(own.key, key);
    if (has && equalBytes(own.value, value)) {
      this.#at++;
      return;
    }
    const what = has ? 'has another version of' : 'lacks';
    throw new CodrError(
      'proof-failed',
      `${table}: the replica ${this.#address} ${what} the record ${toHex(key)}`,
      { object: table, facts: { node: this.#address } },
    );
  }

  async close(): Promise<void> {
    await this.#batches.return?.();
  }
}
