// What a restore leaves in the target so that the same command resumes: a collection named after the
// operation in a database of its own, with one document a step. Only inserts and drops: role `restore` may
// do no more (tested on 6.0.5). What is noted of a collection holds for its UUID alone.
import { Binary, type Document } from 'mongodb';
import { CodrError } from '../../../base/error.ts';
import type { FinishedItem, TargetOptions, UnfinishedRestore } from '../../restore-target.ts';
import { markerDatabase } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { codeOf, serverCodes, translated } from '../session/translate-error.ts';

/** A row holds no more rewritten records than this; an item with more is not noted, and loaded again. */
const changedMax = 10_000;

interface OwnerRow {
  readonly _id: string;
  /** Null: given back. */
  readonly owner: string | null;
  readonly name: string;
}

export class TargetMarker {
  readonly #connection: MongodbConnection;
  readonly #operation: string;
  readonly #rows: ReadonlyMap<string, Document>;
  #owned: { readonly number: number; readonly name: string } | undefined;

  private constructor(
    connection: MongodbConnection,
    operation: string,
    rows: ReadonlyMap<string, Document>,
  ) {
    this.#connection = connection;
    this.#operation = operation;
    this.#rows = rows;
  }

  /** What earlier runs of the operation left; nothing is written. */
  static async read(
    connection: MongodbConnection,
    operation: string,
    signal: AbortSignal,
  ): Promise<TargetMarker> {
    const rows = await rowsOf(connection, operation, {}, signal);
    return new TargetMarker(connection, operation, new Map(rows.map((row) => [row._id, row])));
  }

  /** The moment of the run that began the operation; undefined also for who may not look. */
  static async unfinished(
    connection: MongodbConnection,
    operation: string,
    signal: AbortSignal,
  ): Promise<UnfinishedRestore | undefined> {
    try {
      const [row] = await rowsOf(connection, operation, { _id: 'operation' }, signal);
      return row && { moment: row.moment, marker: `${markerDatabase}.${operation}` };
    } catch (error) {
      // The plan names all rights that are missing.
      if (codeOf(error) === serverCodes.unauthorized) return undefined;
      throw error;
    }
  }

  /** What it is called in the target. */
  get name(): string {
    return `${markerDatabase}.${this.#operation}`;
  }

  /** An earlier run was about to make something of this name. */
  wasMaking(namespace: string): boolean {
    return this.#rows.has(`making ${namespace}`);
  }

  /** An earlier run made this very collection for `namespace`. */
  hasMade(namespace: string, uuid: string): boolean {
    return this.#rows.has(`made ${namespace} ${uuid}`);
  }

  /** How an earlier run finished this very collection; what is proven goes first. */
  finished(namespace: string, uuid: string): FinishedItem | undefined {
    const row =
      this.#rows.get(`proven ${namespace} ${uuid}`) ?? this.#rows.get(`done ${namespace} ${uuid}`);
    if (!row) return undefined;
    const { root, records, bytes, proven, changed } = row;
    const changedByTarget = (changed as { key: Binary; text: string }[]).map(({ key, text }) => ({
      key: key.buffer,
      text,
    }));
    return { namespace, root, records, bytes, proven, changedByTarget };
  }

  async noteMaking(namespace: string, signal: AbortSignal): Promise<void> {
    await this.#insert({ _id: `making ${namespace}` }, signal);
  }

  async noteMade(namespace: string, uuid: string, signal: AbortSignal): Promise<void> {
    await this.#insert({ _id: `made ${namespace} ${uuid}` }, signal);
  }

  async noteFinished(uuid: string, item: FinishedItem, signal: AbortSignal): Promise<void> {
    const { namespace, root, records, bytes, proven, changedByTarget } = item;
    if (changedByTarget.length > changedMax) return;
    const changed = changedByTarget.map(({ key, text }) => ({ key: new Binary(key), text }));
    const _id = `${proven ? 'proven' : 'done'} ${namespace} ${uuid}`;
    await this.#insert({ _id, root, records, bytes, proven, changed }, signal);
  }

  /** Errors: `busy`, naming the run that goes on. */
  async begin(
    { owner, moment }: Pick<TargetOptions, 'owner' | 'moment'>,
    signal: AbortSignal,
  ): Promise<void> {
    const isNew = await this.#insert({ _id: 'operation', by: 'codr restore', moment }, signal);
    const rows = await rowsOf(
      this.#connection,
      this.#operation,
      { _id: /^o(peration$|wner )/ },
      signal,
    );
    // Another run may have begun since the look: two moments must never meet in one target.
    const begun = rows.find(({ _id }) => _id === 'operation');
    if (begun?.moment !== moment) throw this.#busy('another process');
    if (!owner) return await this.#refuseEnded(isNew, signal);
    const owners = rows.filter((row) => row !== begun) as unknown as OwnerRow[];
    const last = owners.reduce<OwnerRow | undefined>(
      (newest, row) => (newest && numberOf(newest) > numberOf(row) ? newest : row),
      undefined,
    );
    if (last?.owner && (await owner.isAlive(last.owner)) !== 'dead') throw this.#busy(last.name);
    const { id, name } = owner;
    const number = (last ? numberOf(last) : 0) + 1;
    const isMine = await this.#insert({ _id: `owner ${number}`, owner: id, name }, signal);
    if (!isMine) throw this.#busy('another process');
    this.#owned = { number, name };
    await this.#refuseEnded(isNew, signal);
  }

  /**
   * The plan took what earlier runs made for ours. Where one of them ended the restore since then, and took its notes
   * away, that is no longer so: what it gave back may be in use.
   */
  async #refuseEnded(isNew: boolean, signal: AbortSignal): Promise<void> {
    const rows = await rowsOf(this.#connection, this.#operation, {}, signal);
    const there = new Set(rows.map(({ _id }) => _id));
    const gone = [...this.#rows.keys()].find((id) => !id.startsWith('owner ') && !there.has(id));
    if (gone === undefined) return;
    if (isNew) await this.remove(signal);
    throw new CodrError('busy', 'another run has ended this restore since the plan', {
      ...{ object: this.#operation, facts: { gone } },
      remedy: 'see what it gave back before the command is run again',
    });
  }

  /**
   * Gives the operation back, so that another run may go on with it. One that was frozen until another run had ended
   * it finds no marker, and makes none.
   */
  async release(signal: AbortSignal): Promise<void> {
    if (!this.#owned) return;
    const { number, name } = this.#owned;
    this.#owned = undefined;
    const begun = await rowsOf(this.#connection, this.#operation, { _id: 'operation' }, signal);
    if (begun.length === 0) return;
    await this.#insert({ _id: `owner ${number + 1}`, owner: null, name }, signal);
  }

  async remove(signal: AbortSignal): Promise<void> {
    const drop = { drop: this.#operation, writeConcern: { w: 'majority' } };
    await this.#connection.command(markerDatabase, drop, signal);
    this.#owned = undefined;
  }

  #busy(holder: string): CodrError {
    return new CodrError('busy', `${holder} runs this restore`, {
      object: this.#operation,
      remedy: `wait for it; if it is dead for sure, drop ${this.name} in the target`,
    });
  }

  /** False when the row is there already. */
  async #insert(row: Document, signal: AbortSignal): Promise<boolean> {
    const insert = { insert: this.#operation, documents: [row], writeConcern: { w: 'majority' } };
    const reply = await this.#connection.command(markerDatabase, insert, signal);
    const [error] = (reply.writeErrors ?? []) as Document[];
    if (error && error.code !== serverCodes.duplicateKey) {
      throw new CodrError('target-unfit', `the marker of the restore is refused: ${error.errmsg}`, {
        object: this.name,
      });
    }
    return !error;
  }
}

function numberOf({ _id }: OwnerRow): number {
  return Number(_id.slice('owner '.length));
}

async function rowsOf(
  connection: MongodbConnection,
  operation: string,
  filter: Document,
  signal: AbortSignal,
): Promise<(Document & { _id: string })[]> {
  try {
    const marker = connection.client.db(markerDatabase).collection<{ _id: string }>(operation);
    return await marker.find(filter, { signal }).toArray();
  } catch (error) {
    signal.throwIfAborted();
    throw translated(error, connection.hosts, 'target');
  }
}
