// What a restore leaves in the target so that the same command resumes: a table named after the operation, with
// a row a step. What is noted of a table holds for its id alone. The owner's row changes by compare-and-set.
import { createHash } from 'node:crypto';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { FinishedItem, TargetOptions, UnfinishedRestore } from '../../restore-target.ts';
import type { CqlRow, CqlSession } from '../session/cql.ts';
import type { ImportGroup } from './import-groups.ts';
import type { SchemaRunner } from './schema-runner.ts';

export const markerKeyspace = 'codr_restore';

interface FinishedRow extends Omit<FinishedItem, 'changedByTarget'> {
  readonly tableId: string;
  /** Who owned what then. */
  readonly placement: string;
}

/** What a finished table must still be for what was noted of it to hold. */
export interface FinishedPlace {
  readonly tableId: string;
  readonly placement: string;
}

/** What an operation may make anew without being asked again, by ids: a name may have become another's. */
export interface MakingRow {
  /** Tables of the name that were there and empty, or were made. */
  readonly tableIds: readonly string[];
  /** Of them the one that somebody else had made, and that is filled: it is emptied again, never dropped. */
  readonly filled?: string;
}

/** A table whose records are all in files that wait for their import, or are imported. */
export interface LoadedRow {
  readonly records: number;
  readonly bytes: number;
  readonly keepLevels: boolean;
  /** By host id. */
  readonly nodes: Readonly<Record<string, readonly ImportGroup[]>>;
}

interface OwnerRow {
  readonly id: string;
  readonly name: string;
}

/** A word of the operation that fits names of keyspaces and folders. */
export function operationWord(operation: string): string {
  if (/^[a-z0-9_]{1,32}$/.test(operation)) return operation;
  return createHash('sha256').update(operation).digest('hex').slice(0, 24);
}

export class RestoreMarker {
  readonly #cql: CqlSession;
  readonly #schema: SchemaRunner;
  readonly #table: string;
  readonly #rows: Map<string, string>;
  /** The owner's row as this run wrote it. */
  #owned: string | undefined;

  private constructor(
    cql: CqlSession,
    schema: SchemaRunner,
    table: string,
    rows: Map<string, string>,
  ) {
    this.#cql = cql;
    this.#schema = schema;
    this.#table = table;
    this.#rows = rows;
  }

  /** What earlier runs of the operation left; nothing is written. */
  static async read(
    cql: CqlSession,
    schema: SchemaRunner,
    operation: string,
    signal: AbortSignal,
  ): Promise<RestoreMarker> {
    const table = `op_${operationWord(operation)}`;
    const isThere = await schema.hasTable(markerKeyspace, table, signal);
    const rows = isThere ? await rowsOf(cql, `${markerKeyspace}.${table}`, signal) : [];
    return new RestoreMarker(cql, schema, table, new Map(rows));
  }

  /** What it is called in the target. */
  get name(): string {
    return `${markerKeyspace}.${this.#table}`;
  }

  unfinished(): UnfinishedRestore | undefined {
    const moment = this.#rows.get('operation');
    if (moment === undefined) return undefined;
    const begun = this.#rows.get('begun');
    return { moment, marker: this.name, ...(begun && { begunMs: Number(begun) }) };
  }

  /** Undefined where no earlier run was about to make something of this name. */
  wasMaking(namespace: string): MakingRow | undefined {
    const text = this.#rows.get(`making ${namespace}`);
    return text === undefined ? undefined : (JSON.parse(text) as MakingRow);
  }

  /** How an earlier run finished this very table, for the nodes that own it now. */
  finished(namespace: string, place: FinishedPlace): FinishedItem | undefined {
    const text = this.#rows.get(`done ${namespace}`);
    if (text === undefined) return undefined;
    const { tableId, placement, ...item } = JSON.parse(text) as FinishedRow;
    const holds = tableId === place.tableId && placement === place.placement;
    return holds ? { ...item, changedByTarget: [] } : undefined;
  }

  async noteMaking(namespace: string, row: MakingRow, signal: AbortSignal): Promise<void> {
    await this.#write(`making ${namespace}`, JSON.stringify(row), signal);
  }

  /** How many expiries of this table an earlier run had to cut. */
  capped(namespace: string): number {
    return Number(this.#rows.get(`capped ${namespace}`) ?? 0);
  }

  async noteCapped(namespace: string, count: number, signal: AbortSignal): Promise<void> {
    await this.#write(`capped ${namespace}`, String(count), signal);
  }

  /** What an earlier run has loaded into this very table, for the nodes that own it now. */
  loaded(namespace: string, place: FinishedPlace): LoadedRow | undefined {
    const text = this.#rows.get(`loaded ${namespace}`);
    if (text === undefined) return undefined;
    const { tableId, placement, ...row } = JSON.parse(text) as LoadedRow & FinishedPlace;
    return tableId === place.tableId && placement === place.placement ? row : undefined;
  }

  async noteLoaded(
    namespace: string,
    place: FinishedPlace,
    row: LoadedRow,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#write(`loaded ${namespace}`, JSON.stringify({ ...row, ...place }), signal);
  }

  /** How many groups of files of a loaded table a node had taken. */
  taken(tableId: string, hostId: string): number {
    return Number(this.#rows.get(`taken ${tableId} ${hostId}`) ?? 0);
  }

  async noteTaken(
    tableId: string,
    hostId: string,
    count: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#write(`taken ${tableId} ${hostId}`, String(count), signal);
  }

  /** All records of the table are in it, and its views are about to be made: an import fills none. */
  async noteViews(tableId: string, signal: AbortSignal): Promise<void> {
    await this.#write(`views ${tableId}`, '', signal);
  }

  wasMakingViews(tableId: string): boolean {
    return this.#rows.has(`views ${tableId}`);
  }

  /** What is noted of the table as loaded and as finished holds no more: it is made anew. */
  async forget(namespace: string, signal: AbortSignal): Promise<void> {
    await this.#delete([`loaded ${namespace}`, `done ${namespace}`], signal);
  }

  /** Before the table is emptied, which keeps its id: all that is noted of it and of its files. */
  async forgetFilled(namespace: string, tableId: string, signal: AbortSignal): Promise<void> {
    await this.forget(namespace, signal);
    const taken = [...this.#rows.keys()].filter((step) => step.startsWith(`taken ${tableId} `));
    await this.#delete([...taken, `views ${tableId}`], signal);
  }

  async noteFinished(place: FinishedPlace, item: FinishedItem, signal: AbortSignal): Promise<void> {
    const { changedByTarget: _, ...kept } = item;
    const row: FinishedRow = { ...kept, ...place };
    await this.#write(`done ${item.namespace}`, JSON.stringify(row), signal);
  }

  /** Errors: `busy`, naming the run that goes on. */
  async begin(
    { owner, moment, begunMs }: Pick<TargetOptions, 'owner' | 'moment' | 'begunMs'>,
    nodeCount: number,
    signal: AbortSignal,
  ): Promise<void> {
    const replication = `{'class': 'SimpleStrategy', 'replication_factor': ${Math.min(3, nodeCount)}}`;
    const run = (statement: string): Promise<void> => this.#schema.run(statement, signal);
    await run(`CREATE KEYSPACE IF NOT EXISTS ${markerKeyspace} WITH replication = ${replication}`);
    await run(`CREATE TABLE IF NOT EXISTS ${this.name} (step text PRIMARY KEY, body text)`);
    await this.#schema.agreed(signal);
    // Another run may have begun since the look: two moments must never meet in one target.
    await this.#keep('operation', moment, signal);
    if (begunMs !== undefined) await this.#keep('begun', String(begunMs), signal);
    if (!owner) return await this.#refuseEnded(signal);
    const mine = JSON.stringify({ id: owner.id, name: owner.name } satisfies OwnerRow);
    const before = await this.#current('owner', signal);
    const last = before ? (JSON.parse(before) as OwnerRow) : undefined;
    if (last && (await owner.isAlive(last.id)) !== 'dead') throw this.#busy(last.name);
    const isMine = await this.#swap('owner', before, mine, signal);
    // A statement that was sent twice since nobody answered finds what it did itself.
    if (!isMine && (await this.#current('owner', signal)) !== mine) {
      throw this.#busy('another process');
    }
    this.#owned = mine;
    await this.#refuseEnded(signal);
  }

  /**
   * The plan took what earlier runs made for ours. Where one of them ended the restore since then, and took its notes
   * away, that is no longer so: what it gave back may be in use.
   */
  async #refuseEnded(signal: AbortSignal): Promise<void> {
    const there = new Set((await rowsOf(this.#cql, this.name, signal)).map(([step]) => step));
    const known = [...this.#rows.keys()].filter((step) => step !== 'owner');
    if (known.every((step) => there.has(step))) return;
    // Nobody else has noted anything since: whoever holds the operation would have been alive.
    if (![...there].some((step) => / /.test(step))) await this.remove(signal);
    throw new CodrError('busy', 'another run has ended this restore since the plan', {
      object: this.name,
      remedy: 'see what it gave back before the command is run again',
    });
  }

  /** Nobody has taken the operation over since it began here. */
  async isOurs(signal: AbortSignal): Promise<boolean> {
    return this.#owned === undefined || (await this.#current('owner', signal)) === this.#owned;
  }

  /** Gives the operation back, so that another run may go on with it. */
  async release(signal: AbortSignal): Promise<void> {
    const mine = this.#owned;
    this.#owned = undefined;
    if (mine !== undefined) await this.#swap('owner', mine, '', signal);
  }

  /** Also the keyspace, when no other restore has its marker there. */
  async remove(signal: AbortSignal): Promise<void> {
    this.#owned = undefined;
    const query = 'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?';
    const tables = await this.#schema.rows(query, signal, [markerKeyspace]);
    const isAlone = tables.every(({ table_name }) => String(table_name) === this.#table);
    const what = isAlone ? `KEYSPACE IF EXISTS ${markerKeyspace}` : `TABLE IF EXISTS ${this.name}`;
    await this.#schema.run(`DROP ${what}`, signal);
    await this.#schema.agreed(signal);
  }

  async #delete(steps: readonly string[], signal: AbortSignal): Promise<void> {
    const query = `DELETE FROM ${this.name} WHERE step = ?`;
    for (const step of steps) {
      await this.#cql.run(query, { signal, params: [step], consistency: 'quorum' });
      this.#rows.delete(step);
    }
  }

  async #write(step: string, body: string, signal: AbortSignal): Promise<void> {
    const query = `INSERT INTO ${this.name} (step, body) VALUES (?, ?)`;
    await this.#cql.run(query, { signal, params: [step, body], consistency: 'quorum' });
  }

  /** Read as compare-and-set sees it. */
  async #current(step: string, signal: AbortSignal): Promise<string | undefined> {
    const query = `SELECT body FROM ${this.name} WHERE step = ?`;
    const [row] = await this.#cql.rows(query, { signal, params: [step], consistency: 'quorum' });
    return row && String(row.body);
  }

  /** What the first run wrote stays. Errors: `busy`, where it is something else. */
  async #keep(step: string, body: string, signal: AbortSignal): Promise<void> {
    await this.#swap(step, undefined, body, signal);
    if ((await this.#current(step, signal)) !== body) throw this.#busy('another process');
  }

  /** False when the row is not as it was before. */
  async #swap(
    step: string,
    before: string | undefined,
    after: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const insert = `INSERT INTO ${this.name} (step, body) VALUES (?, ?) IF NOT EXISTS`;
    const update = `UPDATE ${this.name} SET body = ? WHERE step = ? IF body = ?`;
    const [query, params] =
      before === undefined ? [insert, [step, after]] : [update, [after, step, before]];
    let row: CqlRow | undefined;
    try {
      [row] = await this.#cql.rows(query, { signal, params, consistency: 'quorum' });
    } catch (error) {
      if (!isCodrError(error)) throw error;
      const message = `the marker of the restore is refused: ${error.message}`;
      throw new CodrError(error.code, message, { object: this.name, cause: error });
    }
    return row?.['[applied]'] === true;
  }

  #busy(holder: string): CodrError {
    return new CodrError('busy', `${holder} runs this restore`, {
      object: this.name,
      remedy: `wait for it; if it is dead for sure, drop ${this.name} in the target`,
    });
  }
}

/** Step and body of each row. */
async function rowsOf(cql: CqlSession, name: string, signal: AbortSignal) {
  const query = `SELECT step, body FROM ${name}`;
  const rows = await cql.rows(query, { signal, consistency: 'quorum' });
  return rows.map((row) => [String(row.step), String(row.body)] as const);
}
