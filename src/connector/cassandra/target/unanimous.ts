// What every replica says of one range, as one stream: each record must be the same on all nodes that hold its
// token. One replica alone is enough to break the proof, though a read at ALL would not show it.
import { assert } from '../../../base/assert.ts';
import { toHex } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { BlockStream } from '../../../model/record-block.ts';
import { InputCursor } from '../merge/input-cursor.ts';
import { BlockBuilder } from '../record/block-builder.ts';
import type { OwnersOf } from './record-owners.ts';

/** Of one replica, or of several that were seen to be the same. */
export interface ReplicaStream {
  readonly hostIds: readonly string[];
  /** Of the first. */
  readonly address: string;
  readonly blocks: BlockStream;
}

/**
 * `ownersOf` is told each record once, ascending. Errors: `proof-failed`, naming the node, when a replica lacks a
 * record, or has another.
 */
export async function* unanimous(
  replicas: readonly ReplicaStream[],
  ownersOf: OwnersOf,
  table: string,
): BlockStream {
  const all = replicas.map((replica) => new Replica(replica));
  const out = new BlockBuilder();
  try {
    // Together, so that the replicas' readers start side by side.
    await Promise.all(all.map((replica) => replica.fill()));
    let owners: readonly string[] | undefined;
    let holders: readonly Replica[] = [];
    for (;;) {
      const least = leastOf(all);
      if (!least) break;
      const { bytes, start, middle, end } = least.cursor;
      const own = ownersOf(bytes, start, middle, end);
      if (own !== owners) {
        owners = own;
        holders = all.filter(({ hostIds }) => hostIds.some((id) => own.includes(id)));
      }
      assert(holders.includes(least), 'a replica gives what its node owns');
      for (const replica of holders) replica.check(least.cursor, table);
      out.copy(bytes, start, middle, end);
      if (out.full) yield out.take();
      for (const replica of holders) if (!replica.cursor.advance()) await replica.fill();
    }
    if (out.count > 0) yield out.take();
  } finally {
    await Promise.all(all.map(({ cursor }) => cursor.close()));
  }
}

function leastOf(replicas: readonly Replica[]): Replica | undefined {
  let least: Replica | undefined;
  for (const replica of replicas) {
    if (replica.hasEnded) continue;
    if (!least || replica.cursor.compareKey(least.cursor) < 0) least = replica;
  }
  return least;
}

class Replica {
  readonly hostIds: readonly string[];
  readonly cursor: InputCursor;
  hasEnded = false;
  readonly #address: string;

  constructor({ hostIds, address, blocks }: ReplicaStream) {
    this.hostIds = hostIds;
    this.#address = address;
    this.cursor = new InputCursor(blocks);
  }

  async fill(): Promise<void> {
    this.hasEnded = !(await this.cursor.nextBlock());
  }

  check(least: InputCursor, table: string): void {
    const { cursor } = this;
    if (cursor === least) return;
    const has = !this.hasEnded && cursor.compareKey(least) === 0;
    if (has && cursor.hasEqualValue(least)) return;
    const what = has ? 'has another version of' : 'lacks';
    const key = toHex(least.bytes.subarray(least.start, least.middle));
    throw new CodrError(
      'proof-failed',
      `${table}: the replica ${this.#address} ${what} the record ${key}`,
      { object: table, facts: { node: this.#address } },
    );
  }
}
