// Makes tables in the target, and tries all statements before the first of them in keyspaces that are thrown
// away: what the target refuses is known before anything is dropped.
import { CodrError } from '../../../base/error.ts';
import { quoted } from '../schema/read-schema.ts';
import { viewMeaning } from './ddl-text.ts';
import { refuseOtherFunctions } from './same-functions.ts';
import { refuseOtherTypes, type StandingType } from './same-types.ts';
import type { SchemaRunner } from './schema-runner.ts';
import {
  keyspaceStatement,
  type Made,
  type NamedTable,
  type TableStatements,
  tableName,
  tableStatements,
} from './table-statements.ts';
import type { PlannedTable } from './target-plan.ts';

/** Names of throw-away keyspaces of an operation begin so. */
export const triedPrefix = (word: string): string => `codr_try_${word}_`;

export interface IndexOptions {
  /** Native addresses of all owners. */
  readonly hosts: readonly string[];
  /** An earlier run was making views of this table, with all of its records in it: what it made stays. */
  readonly goesOn: boolean;
}

export class TableMaker {
  readonly #schema: SchemaRunner;
  readonly #version: string;
  /** Keyspaces with their types and functions, by name; made once. */
  readonly #keyspaces = new Map<string, Promise<void>>();

  constructor(schema: SchemaRunner, version: string) {
    this.#schema = schema;
    this.#version = version;
  }

  /** Leaves the keyspaces where it tried. Errors: `target-unfit`, naming the statement. */
  async tryAll(tables: readonly PlannedTable[], word: string, signal: AbortSignal): Promise<void> {
    // Types of one keyspace do not meet those of another.
    const groups = Map.groupBy(
      tables,
      ({ body, keyspace }) => `${body.schema.keyspace} ${keyspace}`,
    );
    for (const [i, group] of [...groups.values()].entries()) {
      const keyspace = `${triedPrefix(word)}${i}`;
      const single = { class: 'SimpleStrategy', replication_factor: '1' };
      await this.#schema.run(keyspaceStatement(keyspace, single, true), signal);
      for (const [at, { body, table }] of group.entries()) {
        const naming = { keyspace, table, renames: [], version: this.#version };
        const tried = tableStatements(body, { ...naming, takenIndexes: new Set() });
        if (at === 0) await this.#common(tried, signal);
        const own = [tried.table, ...of(tried.indexes), ...of(tried.views)];
        for (const statement of own) await this.#schema.run(statement, signal);
      }
    }
  }

  /** What {@link tryAll} has left of the operation. */
  async dropTried(word: string, signal: AbortSignal): Promise<void> {
    const query = 'SELECT keyspace_name FROM system_schema.keyspaces';
    const names = (await this.#schema.rows(query, signal)).map((row) => String(row.keyspace_name));
    for (const name of names.filter((one) => one.startsWith(triedPrefix(word)))) {
      await this.#schema.run(`DROP KEYSPACE IF EXISTS ${name}`, signal);
    }
  }

  async make(planned: PlannedTable, signal: AbortSignal): Promise<void> {
    const { body, keyspace, replication } = planned;
    const name = `${body.schema.keyspace} ${keyspace}`;
    const known = this.#keyspaces.get(name) ?? this.#makeKeyspace(planned, replication, signal);
    this.#keyspaces.set(name, known);
    await known;
    await this.#schema.run(planned.statements.table, signal);
  }

  /** Indexes and views, built when this returns. */
  async index(
    { keyspace, table, statements }: PlannedTable,
    { hosts, goesOn }: IndexOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const query =
      'SELECT index_name FROM system_schema.indexes WHERE keyspace_name = ? AND table_name = ?';
    const rows = await this.#schema.rows(query, signal, [keyspace, table]);
    const there = new Set(rows.map((row) => String(row.index_name)));
    for (const { name, statement } of statements.indexes) {
      if (!there.has(name)) await this.#schema.run(statement, signal);
    }
    for (const made of statements.views) {
      const isThere = await this.#hasView({ keyspace, table }, made, { goesOn, signal });
      if (!isThere) await this.#schema.run(made.statement, signal);
    }
    for (const { name } of statements.indexes) {
      await this.#schema.built('index', keyspace, name, hosts, signal);
    }
    for (const { name } of statements.views) {
      await this.#schema.built('view', keyspace, name, hosts, signal);
    }
  }

  /** The restore's own views upon the table. Errors: `target-unfit`, where there is another one. */
  async dropViews({ keyspace, table, statements }: PlannedTable, signal: AbortSignal) {
    const own = new Set(statements.views.map(({ name }) => name));
    for (const name of await this.#schema.viewsUpon(keyspace, table, signal)) {
      if (!own.has(name)) {
        const message = `the view ${keyspace}.${name} stands upon ${table}, which is to be filled`;
        throw new CodrError('target-unfit', message, {
          object: `${keyspace}.${name}`,
          remedy: 'drop it, and run the same command again',
        });
      }
      await this.#schema.dropView(keyspace, name, signal);
    }
  }

  /** Errors: `target-unfit`, where a view of the name is another one, or was made before all was imported. */
  async #hasView(
    base: NamedTable,
    { name, statement }: Made,
    { goesOn, signal }: Pick<IndexOptions, 'goesOn'> & { readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { keyspace } = base;
    const query =
      'SELECT base_table_name FROM system_schema.views WHERE keyspace_name = ? AND view_name = ?';
    const [row] = await this.#schema.rows(query, signal, [keyspace, name]);
    if (!row) return false;
    const view = tableName({ keyspace, table: name });
    const [told] = await this.#schema.rows(`DESCRIBE MATERIALIZED VIEW ${view}`, signal);
    const isSame =
      goesOn &&
      String(row.base_table_name) === base.table &&
      viewMeaning(String(told?.create_statement)) === viewMeaning(statement);
    if (isSame) return true;
    throw new CodrError('target-unfit', `the view ${view} is there, and is not of this restore`, {
      object: `${keyspace}.${name}`,
      remedy: 'see who made it, drop it, and run the same command again',
      facts: { wanted: statement, found: told?.create_statement },
    });
  }

  async #makeKeyspace(
    { body, keyspace, statements }: PlannedTable,
    replication: PlannedTable['replication'],
    signal: AbortSignal,
  ): Promise<void> {
    const { durableWrites } = body.keyspace;
    const query = 'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?';
    const rows = await this.#schema.rows(query, signal, [keyspace]);
    if (rows.length === 0) {
      await this.#schema.run(keyspaceStatement(keyspace, replication, durableWrites), signal);
    }
    refuseOtherFunctions(keyspace, statements.functions, await this.#functionsIn(keyspace, signal));
    const there = await this.#typesIn(keyspace, signal);
    refuseOtherTypes(keyspace, statements.types, there);
    await this.#common(statements, signal, new Set(there.map(({ name }) => name)));
  }

  /** Types and functions of a keyspace; what is there already stays. */
  async #common(
    { types, functions }: TableStatements,
    signal: AbortSignal,
    there: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    for (const { name, statement } of types) {
      if (!there.has(name)) await this.#schema.run(statement, signal);
    }
    for (const statement of functions) {
      const kept = statement.replace(
        /^(\s*CREATE\s+(?:FUNCTION|AGGREGATE)\s)/i,
        '$1IF NOT EXISTS ',
      );
      await this.#schema.run(kept, signal);
    }
  }

  async #functionsIn(keyspace: string, signal: AbortSignal): Promise<string[]> {
    const rows = await this.#schema.rows(`DESCRIBE KEYSPACE ${quoted(keyspace)}`, signal);
    const found = rows.filter(({ type }) => type === 'function' || type === 'aggregate');
    return found.map((row) => String(row.create_statement));
  }

  async #typesIn(keyspace: string, signal: AbortSignal): Promise<StandingType[]> {
    const query = 'SELECT * FROM system_schema.types WHERE keyspace_name = ?';
    const rows = await this.#schema.rows(query, signal, [keyspace]);
    return rows.map((row) => ({
      name: String(row.type_name),
      fieldNames: row.field_names as string[],
      fieldTypes: row.field_types as string[],
    }));
  }
}

const of = (made: readonly { readonly statement: string }[]): string[] =>
  made.map(({ statement }) => statement);
