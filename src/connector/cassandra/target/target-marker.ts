// What tells, in the target itself, that a restore has begun and how far it is: a row in a keyspace of its own.
// The same command finds it and goes on; a restore that ends removes it.
import { CodrError } from '../../../base/error.ts';
import type { FinishedItem, TargetOptions, UnfinishedRestore } from '../../restore-target.ts';
import type { CqlSession } from '../session/cql.ts';

export const markerKeyspace = 'codr_restore';
const table = `${markerKeyspace}.operations`;

interface MarkerRow {
  readonly moment: string;
  readonly owner: string;
  readonly ownerName: string;
  readonly finished: readonly FinishedItem[];
}

export class TargetMarker {
  readonly #cql: CqlSession;
  readonly #operation: string;

  constructor(cql: CqlSession, operation: string) {
    this.#cql = cql;
    this.#operation = operation;
  }

  get name(): string {
    return `the row ${this.#operation} of ${table}`;
  }

  async unfinished(signal: AbortSignal): Promise<UnfinishedRestore | undefined> {
    const row = await this.read(signal);
    return row && { moment: row.moment, marker: this.name };
  }

  async read(signal: AbortSignal): Promise<MarkerRow | undefined> {
    if (!(await keyspaceExists(this.#cql, markerKeyspace, signal))) return undefined;
    const [row] = await this.#cql.rows(`SELECT * FROM ${table} WHERE operation = ?`, {
      ...{ signal, params: [this.#operation], consistency: 'quorum' },
    });
    if (!row) return undefined;
    const finished = (row.finished ?? {}) as Readonly<Record<string, string>>;
    return {
      moment: String(row.moment),
      owner: String(row.owner ?? ''),
      ownerName: String(row.owner_name ?? ''),
      finished: Object.values(finished).map((text) => JSON.parse(text) as FinishedItem),
    };
  }

  /** Errors: `busy` while another run of the operation is alive. */
  async begin(
    { moment, owner }: TargetOptions,
    replicas: number,
    signal: AbortSignal,
  ): Promise<void> {
    const run = (query: string, params?: readonly unknown[]): Promise<void> =>
      this.#cql.run(query, { signal, timeoutMs: schemaMs, ...(params && { params }) });
    const there = await this.read(signal);
    if (there && owner && there.owner !== '' && (await owner.isAlive(there.owner)) !== 'dead') {
      throw new CodrError('busy', `${there.ownerName} restores into this cluster already`, {
        object: this.name,
      });
    }
    await run(
      `CREATE KEYSPACE IF NOT EXISTS ${markerKeyspace} WITH replication = ` +
        `{'class': 'SimpleStrategy', 'replication_factor': '${replicas}'}`,
    );
    await run(
      `CREATE TABLE IF NOT EXISTS ${table} (operation text PRIMARY KEY, moment text, owner text, ` +
        'owner_name text, finished map<text, text>)',
    );
    await run(`INSERT INTO ${table} (operation, moment, owner, owner_name) VALUES (?, ?, ?, ?)`, [
      ...[this.#operation, moment, owner?.id ?? '', owner?.name ?? ''],
    ]);
  }

  async done(item: FinishedItem, signal: AbortSignal): Promise<void> {
    await this.#cql.run(`UPDATE ${table} SET finished[?] = ? WHERE operation = ?`, {
      ...{ signal, params: [item.namespace, JSON.stringify(item), this.#operation] },
    });
  }

  /** The keyspace goes with the last marker. */
  async remove(signal: AbortSignal): Promise<void> {
    if (!(await keyspaceExists(this.#cql, markerKeyspace, signal))) return;
    const params = [this.#operation];
    await this.#cql.run(`DELETE FROM ${table} WHERE operation = ?`, { signal, params });
    const rows = await this.#cql.rows(`SELECT operation FROM ${table}`, { signal });
    if (rows.length > 0) return;
    // Restores by files keep tables of their own here.
    const others = await this.#cql.rows(
      'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?',
      { signal, params: [markerKeyspace] },
    );
    if (others.length > 1) return;
    await this.#cql.run(`DROP KEYSPACE IF EXISTS ${markerKeyspace}`, {
      ...{ signal, timeoutMs: schemaMs },
    });
  }
}

/** Changes of a schema take seconds on a busy cluster. */
export const schemaMs = 120_000;

export async function keyspaceExists(
  cql: CqlSession,
  keyspace: string,
  signal: AbortSignal,
): Promise<boolean> {
  const rows = await cql.rows(
    'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
    { signal, params: [keyspace] },
  );
  return rows.length > 0;
}
