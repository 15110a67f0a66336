// Changes of the target's schema: one at a time and by one node, since changes that meet are not always merged
// well. That node knows each at once; the others are waited for only where they must know. Each is asked what it has
// itself: a change reaches it within milliseconds, what others say of it comes by gossip, once a second.
import { Mutex } from '../../../base/async.ts';
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import { quoted } from '../schema/read-schema.ts';
import type { CqlRow, CqlSession } from '../session/cql.ts';

const statementMs = 90_000;
const agreementMs = 60_000;
const pauseMs = 50;
const buildPauseMs = 500;
const buildMsMax = 6 * 3600_000;

export class SchemaRunner {
  readonly #cql: CqlSession;
  readonly #clock: Clock;
  /** Native address of the node that changes the schema. */
  readonly #host: string;
  readonly #mutex = new Mutex();
  /** Since all nodes agreed. */
  #isChanged = false;

  constructor(cql: CqlSession, clock: Clock, host: string) {
    this.#cql = cql;
    this.#clock = clock;
    this.#host = host;
  }

  /** Errors: `target-unfit`, which names the statement; `target-rights`. */
  async run(statement: string, signal: AbortSignal): Promise<void> {
    await this.#mutex.run(async () => {
      this.#isChanged = true;
      try {
        const options = { signal, host: this.#host, timeoutMs: statementMs };
        await this.#cql.run(statement, { ...options, consistency: 'quorum' });
      } catch (error) {
        if (!isCodrError(error)) throw error;
        throw new CodrError(
          error.code,
          `${error.message}; the statement was: ${short(statement)}`,
          {
            object: error.object ?? this.#host,
            facts: { statement },
            cause: error,
          },
        );
      }
    });
  }

  /** All nodes that are up know what was changed when this returns. Errors: `target-unfit`. */
  async agreed(signal: AbortSignal): Promise<void> {
    await this.#mutex.run(async () => {
      if (!this.#isChanged) return;
      await this.#agreement(signal);
      this.#isChanged = false;
    });
  }

  /** All rows, from the node that makes the changes: it knows them first. */
  async rows(query: string, signal: AbortSignal, params?: readonly unknown[]): Promise<CqlRow[]> {
    const options = { signal, host: this.#host, ...(params && { params }) };
    return await this.#cql.rows(query, options);
  }

  async hasTable(keyspace: string, table: string, signal: AbortSignal): Promise<boolean> {
    return (await this.tableId(keyspace, table, signal)) !== undefined;
  }

  /** UUID with dashes. */
  async tableId(keyspace: string, table: string, signal: AbortSignal): Promise<string | undefined> {
    const query = 'SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?';
    const [row] = await this.rows(query, signal, [keyspace, table]);
    return row && String(row.id);
  }

  async viewsUpon(keyspace: string, table: string, signal: AbortSignal): Promise<string[]> {
    const query =
      'SELECT view_name FROM system_schema.views WHERE keyspace_name = ? AND base_table_name = ? ALLOW FILTERING';
    const rows = await this.rows(query, signal, [keyspace, table]);
    return rows.map(({ view_name }) => String(view_name));
  }

  async dropView(keyspace: string, name: string, signal: AbortSignal): Promise<void> {
    const view = `${quoted(keyspace)}.${quoted(name)}`;
    await this.run(`DROP MATERIALIZED VIEW IF EXISTS ${view}`, signal);
  }

  async dropTable(keyspace: string, table: string, signal: AbortSignal): Promise<void> {
    for (const name of await this.viewsUpon(keyspace, table, signal)) {
      await this.dropView(keyspace, name, signal);
    }
    await this.run(`DROP TABLE IF EXISTS ${quoted(keyspace)}.${quoted(table)}`, signal);
  }

  /** Waits until every node says that it has built the index or the view. */
  async built(
    kind: 'index' | 'view',
    keyspace: string,
    name: string,
    hosts: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const query =
      kind === 'index'
        ? 'SELECT index_name FROM system."IndexInfo" WHERE table_name = ? AND index_name = ?'
        : 'SELECT view_name FROM system.built_views WHERE keyspace_name = ? AND view_name = ?';
    const until = this.#clock.monotonic() + buildMsMax;
    for (const host of hosts) {
      for (;;) {
        const rows = await this.#cql.rows(query, { signal, host, params: [keyspace, name] });
        if (rows.length > 0) break;
        if (this.#clock.monotonic() > until) throw unbuilt(kind, `${keyspace}.${name}`, host);
        await this.#clock.sleep(buildPauseMs, signal);
      }
    }
  }

  /** Of a node that does not answer, what the one that makes the changes has heard of it. */
  async #versionOf(address: string, signal: AbortSignal): Promise<string> {
    const own = 'SELECT schema_version FROM system.local';
    const heard =
      'SELECT schema_version FROM system.peers_v2 WHERE native_address = ? ALLOW FILTERING';
    const rows = await this.#cql.rows(own, { signal, host: address }).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!isCodrError(error)) throw error;
      return this.rows(heard, signal, [address]);
    });
    return String(rows[0]?.schema_version);
  }

  async #agreement(signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonic() + agreementMs;
    for (;;) {
      const up = this.#cql.hosts().filter(({ isUp }) => isUp);
      const versions = up.map(({ address }) => this.#versionOf(address, signal));
      if (new Set(await Promise.all(versions)).size === 1) return;
      if (this.#clock.monotonic() > until) break;
      await this.#clock.sleep(pauseMs, signal);
    }
    throw new CodrError('target-unfit', 'the nodes of the target do not agree on the schema', {
      object: this.#host,
      remedy: 'see nodetool describecluster',
    });
  }
}

function unbuilt(kind: string, name: string, host: string): CodrError {
  const hours = buildMsMax / 3600_000;
  return new CodrError('target-unfit', `${host} has not built the ${kind} ${name} in ${hours} h`, {
    object: name,
    remedy: "see the node's log",
  });
}

/** A statement on one line, as far as a message holds it. */
function short(statement: string): string {
  const line = statement.replace(/\s+/g, ' ').trim();
  return line.length <= 300 ? line : `${line.slice(0, 300)}…`;
}
