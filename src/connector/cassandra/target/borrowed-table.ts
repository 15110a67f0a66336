// A table of another process' restore, of which this one loads and reads back ranges. Nothing is made here but files of
// an attempt of its own; the lender checks, imports and counts them, and has them removed if it never hears of them.
import { assert } from '../../../base/assert.ts';
import { toHex } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { Random } from '../../../base/random.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { Keep, LoadedRange, RangeTarget, TargetItem } from '../../restore-target.ts';
import { tableBodyOf } from '../schema/table-body.ts';
import type { ListedSstable } from '../session/node-files.ts';
import type { SortingSpace } from '../session/owned-blocks.ts';
import { partitionerOf, type Ring, ringDigest } from '../session/ring.ts';
import type { Encoding } from './file-encoder.ts';
import type { FrozenReader } from './frozen-reader.ts';
import { type LentTable, otherRing, receiptOf, type TableReceipt } from './lent-table.ts';
import { ProofSample } from './proof-sample.ts';
import { type FrozenTable, filesDigest, snapshotFiles } from './read-back.ts';
import { ReplicaSets } from './replica-sets.ts';
import { sampleToText } from './sample-text.ts';
import { StagedTable } from './staging.ts';
import { TableLoad } from './table-load.ts';
import { namesOf } from './table-statements.ts';
import { asProof } from './target-fault.ts';
import type { TargetNode } from './target-nodes.ts';

export interface BorrowOptions {
  readonly ring: Ring;
  /** All that are configured, by host id. */
  readonly nodes: ReadonlyMap<string, TargetNode>;
  readonly sorting: SortingSpace;
  readonly encoding: Encoding | undefined;
  readonly reader: FrozenReader;
  readonly random: Random;
}

/** A word that no other writer of the table has. */
export const attemptWord = (random: Random): string => `by-${toHex(random.bytes(8))}`;

export class BorrowedTable implements RangeTarget {
  readonly #lent: LentTable;
  readonly #options: BorrowOptions;
  readonly #names: { readonly keyspace: string; readonly table: string };
  readonly #sets: ReplicaSets;
  /** Those that own data of the table. */
  readonly #nodes: ReadonlyMap<string, TargetNode>;
  #files: Promise<ReadonlyMap<string, readonly ListedSstable[]>> | undefined;

  /** Errors: `peer-lost`, when this process knows other nodes than the lender. */
  constructor(item: TargetItem, lent: LentTable, options: BorrowOptions) {
    const { ring, nodes } = options;
    if (ringDigest(ring) !== lent.ring) throw otherRing(ring);
    this.#lent = lent;
    this.#options = options;
    this.#names = namesOf(item.namespace);
    this.#sets = new ReplicaSets(ring.nodes, lent.replication, partitionerOf(ring));
    const owners = new Set(this.#sets.all.flatMap(({ hostIds }) => hostIds));
    this.#nodes = new Map([...nodes].filter(([hostId]) => owners.has(hostId)));
    if (this.#nodes.size < owners.size) throw otherwise('fewer nodes', item.namespace);
  }

  /** One range, in files of its own; they are whole when this returns, and gone when it fails. */
  async load(item: TargetItem, records: RecordStream, signal: AbortSignal): Promise<LoadedRange> {
    const { load: lent, word } = this.#lent;
    assert(lent, 'a table that is lent for loading says where');
    const { sorting, encoding, random } = this.#options;
    const { keyspace } = this.#names;
    const name = { operation: word, ...this.#names };
    const staged = new StagedTable(name, attemptWord(random), lent.bases);
    const load = new TableLoad({
      ...{ schema: tableBodyOf(item.entry).schema, keyspace, sets: this.#sets, staged, sorting },
      ...{ layout: lent.layout, nodes: this.#nodes },
      ...(encoding && { encoding }),
    });
    try {
      const range = await load.load(records, signal);
      const { hasLevels: _, ...finished } = await load.finish();
      const loaded = await receiptOf(finished, this.#nodes);
      signal.throwIfAborted();
      return { ...range, receipt: { kind: 'files', loaded } satisfies TableReceipt };
    } catch (error) {
      // What cannot be removed now goes with the table's folder.
      await load.discard().catch(() => {});
      await staged.discard().catch(() => {});
      throw error;
    }
  }

  async *watch(_: TargetItem, expected: RecordStream, keep?: Keep): RecordStream {
    const { replication, proof } = this.#lent;
    assert(proof, 'a table is frozen before it is watched');
    const { ring } = this.#options;
    const hostIds = [...this.#nodes.keys()];
    const sample = new ProofSample({ ring, replication, seed: proof.seed, hostIds });
    yield* sample.watch(expected);
    const text = sampleToText(sample.passedOver, sample.kept());
    keep?.({ kind: 'sample', sample: text } satisfies TableReceipt);
  }

  async *readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    const { replication, proof } = this.#lent;
    assert(proof, 'a table is frozen before it is read back');
    const { ring, sorting, reader } = this.#options;
    const frozen: FrozenTable = {
      schema: { ...tableBodyOf(item.entry).schema, ...this.#names },
      ...{ ring, replication, sorting, tableId: proof.tableId, tag: proof.tag },
      nodes: [...this.#nodes.values()],
    };
    this.#files ??= this.#listed(frozen, proof.files);
    const files = await this.#files;
    try {
      yield* reader.read(frozen, { files, moment: proof.moment, range }, signal);
    } catch (error) {
      throw asProof(error);
    }
  }

  /** Errors: `peer-lost`, when other files are seen from here: of another machine, or not all. */
  async #listed(
    frozen: FrozenTable,
    digest: string,
  ): Promise<ReadonlyMap<string, readonly ListedSstable[]>> {
    const { keyspace, table } = this.#names;
    const object = `${keyspace}.${table}`;
    const files = await snapshotFiles(frozen).catch((cause: unknown) => {
      throw otherwise('no files', object, cause);
    });
    if (filesDigest(files) !== digest) throw otherwise('other files', object);
    return files;
  }
}

const otherwise = (what: string, object: string, cause?: unknown): CodrError =>
  new CodrError('peer-lost', `this peer sees ${what} of the target than the one that restores`, {
    object,
    ...(cause !== undefined && { cause }),
  });
