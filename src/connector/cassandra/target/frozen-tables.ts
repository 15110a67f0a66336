// Tables of a target as of the moment at which they are read back: a snapshot on every node, and what of the expected
// records every replica is to be asked for.
import { assert } from '../../../base/assert.ts';
import { forEachLimit } from '../../../base/async.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { ConnectorContext } from '../../connector.ts';
import type { FrozenMoment, SpotReads, TargetItem } from '../../restore-target.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import type { CqlSession } from '../session/cql.ts';
import type { ListedSstable } from '../session/node-files.ts';
import type { SortingSpace } from '../session/owned-blocks.ts';
import type { Ring } from '../session/ring.ts';
import { checkFiles } from './check-files.ts';
import type { FrozenReader } from './frozen-reader.ts';
import type { LentProof } from './lent-table.ts';
import { nodeConnection } from './node-connection.ts';
import { ReplicaProof } from './proof-replicas.ts';
import { seedOf } from './proof-sample.ts';
import {
  clearSnapshots,
  type FrozenTable,
  filesDigest,
  snapshotFiles,
  takeSnapshots,
} from './read-back.ts';
import { operationWord } from './restore-marker.ts';
import type { SampleText } from './sample-text.ts';
import { asProof, onTarget } from './target-fault.ts';
import type { TargetNode } from './target-nodes.ts';
import type { TargetTables } from './target-tables.ts';

interface Frozen {
  readonly table: FrozenTable;
  readonly files: ReadonlyMap<string, readonly ListedSstable[]>;
  readonly moment: FrozenMoment;
  readonly seed: number;
  readonly proof: ReplicaProof;
}

export interface FrozenTablesOptions {
  readonly config: CassandraConfig;
  readonly cql: CqlSession;
  readonly ring: Ring;
  readonly context: ConnectorContext;
  readonly tables: TargetTables;
  readonly sorting: SortingSpace;
  readonly reader: FrozenReader;
}

export interface FreezeOptions {
  /** Those that own data. */
  readonly nodes: readonly TargetNode[];
  /** Looks, once the files are fixed, whether they lie where they should. */
  readonly rest: () => Promise<void>;
}

export class FrozenTables {
  readonly #options: FrozenTablesOptions;
  /** By the item's name in the target. */
  readonly #frozen = new Map<string, Frozen>();

  constructor(options: FrozenTablesOptions) {
    this.#options = options;
  }

  /** As of a moment after the snapshot: what expires meanwhile is gone on both sides. */
  async freeze(
    item: TargetItem,
    { nodes, rest }: FreezeOptions,
    signal: AbortSignal,
  ): Promise<FrozenMoment> {
    const { tables, ring, context, sorting } = this.#options;
    const { body, keyspace, table, replication } = tables.tableOf(item);
    const { word } = tables.planned;
    const frozen: FrozenTable = {
      schema: { ...body.schema, keyspace, table },
      tableId: tables.idOf(item),
      ...{ nodes, ring, replication, sorting },
      tag: proofTag(word, item.namespace),
    };
    try {
      const checked = { keyspace, table, id: frozen.tableId };
      const check = (node: TargetNode, one: AbortSignal) => checkFiles(node, checked, context, one);
      await forEachLimit(nodes, nodes.length, check, signal);
      await clearSnapshots(frozen, signal);
      await takeSnapshots(frozen, signal);
      const files = await snapshotFiles(frozen);
      await rest();
      const nowMs = Math.floor(context.clock.now() / 1000) * 1000;
      const moment = await this.#momentOf(item, nowMs, signal);
      const seed = seedOf(word, keyspace, table);
      const proof = this.#proofOf(frozen, { nowMs, seed });
      this.#frozen.set(item.namespace, { table: frozen, files, moment, seed, proof });
      return moment;
    } catch (error) {
      // One that cannot be cleared now is cleared by the run that goes on.
      await clearSnapshots(frozen, new AbortController().signal).catch(() => {});
      throw asProof(error);
    }
  }

  watch(item: TargetItem, expected: RecordStream): RecordStream {
    return this.#of(item).proof.watch(expected);
  }

  /** What another process kept of a range that it watched. */
  adopt(item: TargetItem, sample: SampleText): void {
    this.#of(item).proof.adopt(sample);
  }

  async *readBack(item: TargetItem, range: KeyRange, signal: AbortSignal): RecordStream {
    const { table, files, moment } = this.#of(item);
    try {
      yield* this.#options.reader.read(table, { files, moment, range }, signal);
    } catch (error) {
      throw asProof(error);
    }
  }

  spotReads(item: TargetItem, signal: AbortSignal): Promise<SpotReads> {
    return onTarget(this.#of(item).proof.ask(signal));
  }

  /** Undefined where the item is not frozen. */
  lend({ namespace }: TargetItem): LentProof | undefined {
    const frozen = this.#frozen.get(namespace);
    if (!frozen) return undefined;
    const { table, files, moment, seed } = frozen;
    const { tableId, tag } = table;
    return { tableId, tag, moment, seed, files: filesDigest(files) };
  }

  async thaw(namespace: string, signal: AbortSignal): Promise<void> {
    const frozen = this.#frozen.get(namespace);
    if (!frozen) return;
    this.#frozen.delete(namespace);
    await onTarget(clearSnapshots(frozen.table, signal));
  }

  /** What cannot be cleared now is cleared by the run that goes on. */
  async thawAll(signal: AbortSignal): Promise<void> {
    for (const namespace of [...this.#frozen.keys()]) {
      await this.thaw(namespace, signal).catch(() => {});
    }
  }

  #of({ namespace }: TargetItem): Frozen {
    const frozen = this.#frozen.get(namespace);
    assert(frozen, 'an item is frozen before it is read back');
    return frozen;
  }

  #proofOf(
    { schema, ring, replication, nodes }: FrozenTable,
    { nowMs, seed }: { readonly nowMs: number; readonly seed: number },
  ): ReplicaProof {
    const { config, cql, context } = this.#options;
    const { clock } = context;
    return new ReplicaProof({
      ...{ schema, ring, replication, nowMs, clock, nodes, seed },
      connect: ({ nativeAddress }, signal) => nodeConnection(config, cql, nativeAddress, signal),
    });
  }

  /** A compaction since the import may have dropped deletions as old as the table lets it. */
  async #momentOf(item: TargetItem, nowMs: number, signal: AbortSignal): Promise<FrozenMoment> {
    const { tables } = this.#options;
    if (!tables.planned.options.keepsDeletions) return { nowMs };
    const { gcGraceSeconds } = await tables.settings(item, signal);
    return { nowMs, deletionsSinceMs: nowMs - gcGraceSeconds * 1000 };
  }
}

/** The same for all runs of an operation. */
export function proofTag(word: string, namespace: string): string {
  return `codr-proof-${word}-${operationWord(namespace)}`;
}
