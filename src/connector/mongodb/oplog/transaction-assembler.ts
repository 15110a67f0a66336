// Raw oplog entries in, change batches out: operations with their effective times, transactions whole or not
// at all. Entries of open transactions wait in memory up to a limit, then in a spill file. After a restart
// the same entries are given again from `resume`; what was given before is not given twice.
// Page: docs/format/mongodb-changes.md.
import { emptyBytes } from '../../../base/bytes.ts';
import type { Spill } from '../../../base/spill.ts';
import type { CatalogChange } from '../../../model/catalog.ts';
import type { Change } from '../../../model/change.ts';
import type { DatasetId, StreamId } from '../../../model/id.ts';
import { comparePositions, type Position, type SourceTime } from '../../../model/time.ts';
import type { ChangeBatch } from '../../connector.ts';
import type { UnknownEntry } from '../../log-doubt.ts';
import { type EffectSink, emitEffect } from './effects.ts';
import { decodeEntry, describeTransaction, type OplogEntry } from './entry-decoder.ts';
import { HeldEntries } from './held-entries.ts';
import { type Operation, withReplaced } from './operation-decoder.ts';
import {
  type Action,
  nothingOpen,
  type OpenBatches,
  oldestUndecided,
  resumePosition,
  settledTime,
  stepTransactions,
} from './transaction-machine.ts';

/** A batch is given as soon as its changes come to this. */
const batchBytesMax = 8 << 20;
/** What a change takes besides its key and value. */
const changeOverheadBytes = 64;

export interface AssemblerOptions {
  readonly stream: StreamId;
  readonly spill: Spill;
  /** Entries of open transactions over this go to the spill. */
  readonly heldBytesMax: number;
  /** Entries at or before it were consumed by an earlier run: their own effects are not given again. */
  readonly through: Position;
  /** Datasets known to be capped, whatever their names; `create` in the log adds to them. */
  readonly capped: Set<DatasetId>;
}

/** Turns one stream's entries into change batches. Dispose it to give the spill back. */
export class TransactionAssembler implements AsyncDisposable {
  readonly #stream: StreamId;
  /** Effects are given only for decisions after this. */
  readonly #skipThrough: Position;
  readonly #capped: Set<DatasetId>;
  readonly #held: HeldEntries;
  #open: OpenBatches = nothingOpen;
  #through: Position;
  #changes: Change[] = [];
  #catalog: CatalogChange[] = [];
  #unknown: UnknownEntry[] = [];
  #logBytes = 0;
  #bytes = 0;
  /** The entry whose effects are being given. */
  #raw: Uint8Array = emptyBytes;
  readonly #sink: EffectSink = {
    change: (change) => {
      this.#changes.push(change);
      this.#bytes += change.key.length + change.value.length + changeOverheadBytes;
    },
    catalog: (change) => {
      this.#catalog.push(change);
      this.#bytes += change.body.length + changeOverheadBytes;
    },
    unknown: ({ name, dataset }, { time, position }) => {
      this.#unknown.push({ time, position, ...(dataset && { dataset }), name, body: this.#raw });
    },
  };

  constructor(options: AssemblerOptions) {
    this.#stream = options.stream;
    this.#skipThrough = options.through;
    this.#through = options.through;
    this.#capped = options.capped;
    this.#held = new HeldEntries(options.spill, options.heldBytesMax);
  }

  /**
   * Consumes raw entries, in the order of the log, and yields at least one batch. Values are views of
   * `entries`, which must not be reused. A transaction larger than a batch is spread over several; until
   * its last one `through` and `settled` stay before it. After a restart `resume` and `settled` count only
   * once the entry at the option `through` has been consumed again: what is open is not known before.
   * Errors: `object-damaged`.
   */
  async *consume(entries: Iterable<Uint8Array>): AsyncGenerator<ChangeBatch, void, undefined> {
    for (const raw of entries) {
      const entry = decodeEntry(raw);
      const { open, actions } = stepTransactions(this.#open, entry);
      for (const action of actions) {
        if (action.kind === 'apply') this.#emit(entry, entry.position.time, raw, entry.position);
        else if (action.kind === 'release') yield* this.#release(entry, action, raw);
        else await this.#perform(action, entry, raw);
      }
      this.#open = open;
      if (comparePositions(entry.position, this.#through) > 0) this.#through = entry.position;
      this.#logBytes += raw.length;
      if (this.#bytes >= batchBytesMax) yield this.#batch();
    }
    yield this.#batch();
  }

  /** First entry of the oldest transaction still open, or `through`. */
  get resume(): Position {
    return resumePosition(this.#open, this.#through);
  }

  /** The last entry consumed. */
  get through(): Position {
    return this.#through;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held[Symbol.asyncDispose]();
  }

  async #perform(action: Action, entry: OplogEntry, raw: Uint8Array): Promise<void> {
    if (action.kind === 'keep') {
      if (action.renamed) this.#held.rename(action.renamed, action.name);
      await this.#held.keep(action.name, raw);
    } else if (action.kind === 'discard') {
      await this.#held.discard(action.name);
    } else if (action.kind === 'torn' && this.#isNew(entry.position)) {
      const { position } = entry;
      this.#unknown.push({ time: position.time, position, name: tornTransaction, body: raw });
    }
  }

  async *#release(
    entry: OplogEntry,
    action: { readonly name: string; readonly time: SourceTime },
    raw: Uint8Array,
  ): AsyncGenerator<ChangeBatch, void, undefined> {
    for await (const held of this.#held.entries(action.name)) {
      this.#emit(decodeEntry(held), action.time, held, entry.position);
      if (this.#bytes >= batchBytesMax) yield this.#batch();
    }
    await this.#held.discard(action.name);
    this.#emit(entry, action.time, raw, entry.position);
  }

  /** The effects of `entry` at `time`, decided by the entry at `decidedAt`. */
  #emit(entry: OplogEntry, time: SourceTime, raw: Uint8Array, decidedAt: Position): void {
    const { meaning, position } = entry;
    const operations = operationsOf(meaning);
    const isNew = this.#isNew(decidedAt);
    this.#raw = raw;
    for (let index = 0; index < operations.length; index++) {
      const operation = operations[index] as Operation;
      // What earlier runs gave still tells which datasets are capped.
      if (!isNew && operation.kind !== 'catalog') continue;
      const order = { time, stream: this.#stream, position, index };
      emitEffect(operation, order, this.#capped, isNew ? this.#sink : silentSink);
    }
  }

  #isNew(position: Position): boolean {
    return comparePositions(position, this.#skipThrough) > 0;
  }

  #batch(): ChangeBatch {
    const undecided = oldestUndecided(this.#open);
    const batch: ChangeBatch = {
      changes: this.#changes,
      catalog: this.#catalog,
      resume: this.resume,
      through: this.#through,
      settled: settledTime(this.#open, this.#through),
      ...(undecided && {
        undecided: { ...undecided, name: describeTransaction(undecided.name) },
      }),
      unknown: this.#unknown,
      bytes: this.#logBytes,
    };
    this.#changes = [];
    this.#catalog = [];
    this.#unknown = [];
    this.#logBytes = 0;
    this.#bytes = 0;
    return batch;
  }
}

/** The name of an unknown entry that lacks what came before it. */
export const tornTransaction = 'a transaction whose beginning was not read';

const noEffect = (): void => {};
const silentSink: EffectSink = { change: noEffect, catalog: noEffect, unknown: noEffect };

/** What an entry does by itself; nothing for the decision of a transaction. */
export function operationsOf(meaning: OplogEntry['meaning']): readonly Operation[] {
  if (meaning.kind === 'operation') return withReplaced(meaning.operation);
  return meaning.kind === 'batch' ? meaning.operations : [];
}
