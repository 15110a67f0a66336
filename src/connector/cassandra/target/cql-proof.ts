// The proof of a target of CQL: the rows of each range, read at ALL through one node after the other, beside the records
// that it must hold. As of one second that is the same for a table as a whole.
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../base/clock.ts';
import type { KeyRange } from '../../../model/key-range.ts';
import type { RecordStream } from '../../../model/record.ts';
import type { FrozenMoment, SpotReads } from '../../restore-target.ts';
import type { TableSchema } from '../schema/table-schema.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import type { CqlSession } from '../session/cql.ts';
import type { Ring } from '../session/ring.ts';
import { CqlComparison } from './cql-compare.ts';
import { type LoadedByCql, lateSecondsMax } from './cql-load.ts';
import { cqlRows } from './cql-rows.ts';
import { nodeConnection } from './node-connection.ts';
import { whatIsTold } from './target-tells.ts';

export interface CqlAccess {
  readonly config: CassandraConfig;
  readonly cql: CqlSession;
  readonly ring: Ring;
}

interface ComparedRange {
  /** As the target names it. */
  readonly schema: TableSchema;
  readonly range: KeyRange;
  readonly look: CqlLook;
  /** Called at the end. */
  told(compared: Compared): void;
}

/** The same for all ranges of a table, in whichever process they are compared; survives JSON. */
export interface CqlLook {
  readonly nowSeconds: number;
  readonly slackSeconds: number;
  readonly pageRows: number;
}

/** Rows, survives JSON. */
export interface Compared {
  readonly compared: number;
  readonly passedOver: number;
}

/** Clocks are no further apart (clock-skew.ts), and seconds are cut. */
const clockSlackSeconds = 7;
/** A page of an answer holds about so much. */
const pageBytes = 1024 * 1024;
const pageRowsMax = 1_000;
const pageRowsUnknown = 100;

export class CqlProof {
  readonly #access: CqlAccess;
  readonly #clock: Clock;
  readonly #looks = new Map<string, CqlLook & { counts: Compared }>();
  #asked = 0;

  constructor(access: CqlAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /** What lives by the moment is expected: it lies before the look by as much as times to live may be late. */
  begin(namespace: string, loaded: LoadedByCql | undefined): FrozenMoment {
    const nowSeconds = Math.floor(this.#clock.now() / 1000);
    const slackSeconds = clockSlackSeconds + (loaded?.lateSeconds ?? lateSecondsMax);
    const rowBytes = loaded && loaded.rows > 0 ? loaded.bytes / loaded.rows : undefined;
    const fitting = rowBytes ? Math.floor(pageBytes / rowBytes) : pageRowsUnknown;
    const pageRows = Math.min(pageRowsMax, Math.max(1, fitting));
    const counts = { compared: 0, passedOver: 0 };
    this.#looks.set(namespace, { nowSeconds, slackSeconds, pageRows, counts });
    return { nowMs: (nowSeconds - slackSeconds) * 1000 };
  }

  /** Undefined before the table is looked at. */
  look(namespace: string): CqlLook | undefined {
    const known = this.#looks.get(namespace);
    if (!known) return undefined;
    const { counts: _, ...look } = known;
    return look;
  }

  /** A range that was compared, here or by another process. */
  add(namespace: string, { compared, passedOver }: Compared): void {
    const look = this.#lookOf(namespace);
    const { counts } = look;
    look.counts = {
      compared: counts.compared + compared,
      passedOver: counts.passedOver + passedOver,
    };
  }

  /** Errors: `proof-failed`, naming table and key. */
  async *compare(
    { schema, range, look, told }: ComparedRange,
    expected: RecordStream,
    signal: AbortSignal,
  ): RecordStream {
    const { config, cql, ring } = this.#access;
    const up = ring.nodes.filter(({ hostId }) => ring.up.includes(hostId));
    const node = up[this.#asked++ % up.length];
    assert(node, 'a ring that was read has a node that is up');
    using connection = await nodeConnection(config, cql, node.nativeAddress, signal);
    const comparison = new CqlComparison({
      ...(await whatIsTold(connection, schema, signal)),
      ...{ schema, nowSeconds: look.nowSeconds, ttlSlackSeconds: look.slackSeconds },
    });
    const { selected } = comparison;
    const { nowSeconds, pageRows } = look;
    const asked = { schema, connection, selected, nowSeconds, pageRows, clock: this.#clock };
    yield* comparison.watch(expected, cqlRows(asked, range, signal));
    told({ compared: comparison.compared, passedOver: comparison.passedOver });
  }

  /** Of all ranges together. */
  result(namespace: string): SpotReads {
    const { compared, passedOver } = this.#lookOf(namespace).counts;
    return { made: compared, own: 0, expired: passedOver, warnings: [] };
  }

  #lookOf(namespace: string) {
    const look = this.#looks.get(namespace);
    assert(look, 'a table is looked at as of one second');
    return look;
  }
}
