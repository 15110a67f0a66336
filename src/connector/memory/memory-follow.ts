// From log entries to changes: gathers each transaction until its decision, and gives what `through` says
// is new. A pure state machine; the session feeds it.
import { fromHex, toHex, view } from '../../base/bytes.ts';
import type { CatalogChange } from '../../model/catalog.ts';
import type { Change } from '../../model/change.ts';
import type { StreamId } from '../../model/id.ts';
import { comparePositions, type Position, type SourceTime } from '../../model/time.ts';
import type { ChangeBatch } from '../connector.ts';
import type { FollowOptions } from '../follow-options.ts';
import type { StoredEntry, UnknownEntry } from '../log-doubt.ts';
import type { LogEntry, Operation } from './memory-log.ts';

/** A transaction that has begun and has not been decided. */
interface OpenTransaction {
  readonly first: Position;
  readonly parts: { readonly position: Position; readonly operations: readonly Operation[] }[];
  prepared: SourceTime | undefined;
}

export class MemoryFollower {
  readonly #stream: StreamId;
  readonly #skipThrough: Position;
  readonly #open = new Map<number, OpenTransaction>();
  #through: Position;
  #changes: Change[] = [];
  #catalog: CatalogChange[] = [];
  #unknown: UnknownEntry[] = [];
  #bytes = 0;

  constructor(stream: StreamId, options: FollowOptions) {
    this.#stream = stream;
    this.#skipThrough = options.through;
    this.#through = options.through;
  }

  take(entry: LogEntry): void {
    const { position, body } = entry;
    const isNew = comparePositions(position, this.#skipThrough) > 0;
    if (isNew) this.#through = position;
    if ('transaction' in body) this.#takeOfTransaction(entry, isNew);
    else if (!isNew) return;
    else if (body.kind === 'write') this.#give(position.time, position, body.operations);
    else if (body.kind === 'catalog') {
      for (const [index, operation] of body.operations.entries()) {
        const order = { time: position.time, stream: this.#stream, position, index };
        const creates = operation.kind === 'create' && { creates: true as const };
        this.#catalog.push({ ...order, ...operation, ...creates });
      }
    } else if (body.kind === 'unknown') {
      const { name, dataset, operations } = body;
      const named = { name, body: operationBytes(operations), ...(dataset && { dataset }) };
      this.#unknown.push({ time: position.time, position, ...named });
    }
  }

  /** What has come together since the batch before. */
  batch(): ChangeBatch {
    const open = [...this.#open.values()];
    const first = open.reduce<Position | undefined>(
      (least, each) => (least && comparePositions(least, each.first) <= 0 ? least : each.first),
      undefined,
    );
    const settled = open.reduce(
      (time, { prepared }) => (prepared !== undefined && prepared <= time ? prepared - 1n : time),
      this.#through.time,
    );
    const undecided = [...this.#open]
      .flatMap(([name, { prepared }]) =>
        prepared ? [{ name: `${name}`, preparedAt: prepared }] : [],
      )
      .sort((a, b) => Number(a.preparedAt - b.preparedAt))[0];
    const batch: ChangeBatch = {
      changes: this.#changes,
      catalog: this.#catalog,
      resume: first ?? this.#through,
      through: this.#through,
      settled,
      ...(undecided && { undecided }),
      unknown: this.#unknown,
      bytes: this.#bytes,
    };
    this.#changes = [];
    this.#catalog = [];
    this.#unknown = [];
    this.#bytes = 0;
    return batch;
  }

  /** Entries at or before `through` are read for what is still open there, and give nothing. */
  #takeOfTransaction({ position, body }: LogEntry, isNew: boolean): void {
    if (!('transaction' in body)) return;
    const open = this.#open.get(body.transaction) ?? {
      first: position,
      parts: [],
      prepared: undefined,
    };
    this.#open.set(body.transaction, open);
    if (body.kind === 'part') open.parts.push({ position, operations: body.operations });
    if (body.kind === 'prepare') open.prepared = position.time;
    if (body.kind !== 'commit' && body.kind !== 'abort') return;
    this.#open.delete(body.transaction);
    if (body.kind === 'abort' || !isNew) return;
    for (const part of open.parts) this.#give(body.time, part.position, part.operations);
  }

  #give(time: SourceTime, position: Position, operations: readonly Operation[]): void {
    for (const [index, operation] of operations.entries()) {
      this.#changes.push({ time, stream: this.#stream, position, index, ...operation });
      this.#bytes += operation.key.length + operation.value.length;
    }
  }
}

/** Raw bytes of an unknown entry: JSON. */
function operationBytes(operations: readonly Operation[]): Uint8Array {
  const rows = operations.map(({ key, value, ...rest }) => ({
    ...rest,
    key: toHex(key),
    value: toHex(value),
  }));
  return Buffer.from(JSON.stringify(rows));
}

/** What a later version makes of a stored entry. */
export function rereadOperations({ stream, time, position, body }: StoredEntry): Change[] {
  const rows = JSON.parse(view(body).toString()) as (Omit<Operation, 'key' | 'value'> & {
    readonly key: string;
    readonly value: string;
  })[];
  return rows.map(({ key, value, ...rest }, index) => {
    const order = { time, stream, position, index };
    return { ...order, ...rest, key: fromHex(key), value: fromHex(value) };
  });
}
