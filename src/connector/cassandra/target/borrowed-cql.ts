// A table of another process' restore by CQL, of which this one loads and compares ranges. Writes carry the timestamps
// of their cells, so what is written twice stands once; only what is appended to a list would not.
import { assert } from '../../../base/assert.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { Keep, LoadedRange, RangeTarget, TargetItem } from '../../restore-target.ts';
import { tableBodyOf } from '../schema/table-body.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { Replication } from '../session/replica-placement.ts';
import type { CqlLoad, LoadedByCql } from './cql-load.ts';
import type { Compared, CqlLook, CqlProof } from './cql-proof.ts';
import { namesOf } from './table-statements.ts';

/** Survives JSON, as all here. */
export interface LentCqlTable {
  /** Digest of the ring that the restore was planned for. */
  readonly ring: string;
  readonly replication: Replication;
  /** Later expiry is cut to it, whoever writes it; absent: none. */
  readonly expirySecondsMax?: number;
  /** How it is compared; absent while it is loaded. */
  readonly look?: CqlLook;
}

export type CqlReceipt =
  | { readonly kind: 'loaded'; readonly loaded: LoadedByCql }
  | { readonly kind: 'compared'; readonly compared: Compared };

/** A range of it may be loaded again, whatever was written of it before. */
export function mayBeLoadedTwice({ statics, regulars }: TableSchema): boolean {
  return [...statics, ...regulars].every(({ type }) => type.kind !== 'list' || type.frozen);
}

export interface CqlBorrowOptions {
  readonly look: CqlLook | undefined;
  readonly proof: CqlProof;
  /** Of one range, with counts of its own. */
  openLoad(): CqlLoad;
}

export class BorrowedCqlTable implements RangeTarget {
  readonly #options: CqlBorrowOptions;

  constructor(options: CqlBorrowOptions) {
    this.#options = options;
  }

  async load(_: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const load = this.#options.openLoad();
    const range = await load.load(records, signal);
    return { ...range, receipt: { kind: 'loaded', loaded: load.counts } satisfies CqlReceipt };
  }

  compare(
    { entry, namespace }: TargetItem,
    range: KeyRange,
    expected: RecordStream,
    signal: AbortSignal,
    keep?: Keep,
  ): RecordStream {
    const { look, proof } = this.#options;
    assert(look, 'a table is frozen before it is compared');
    const schema = { ...tableBodyOf(entry).schema, ...namesOf(namespace) };
    const told = (compared: Compared): void =>
      keep?.({ kind: 'compared', compared } satisfies CqlReceipt);
    return proof.compare({ schema, range, look, told }, expected, signal);
  }

  readBack(): RecordStream {
    throw new Error('a table by CQL is compared');
  }
}
