// The world of an acceptance test: a replica set under protection, a second one to restore into, a repository
// in a temporary folder and CODR as an embedded node. One world serves all tests of a file; each test takes a
// database and a source of its own.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Document, type MongoClient, Timestamp } from 'mongodb';
import type { BackupResult, RestoreRequest, RestoreResult } from '../../src/api/codr-api.ts';
import type { Clock } from '../../src/base/clock.ts';
import { type Random, SeededRandom } from '../../src/base/random.ts';
import { loadConfig } from '../../src/node/config.ts';
import type { ReplicaSet } from '../../src/node/demo/mongod-server.ts';
import { EmbeddedNode } from '../../src/node/embedded-node.ts';
import { openLogger } from '../../src/node/logger.ts';
import type { NodeWorld } from '../../src/node/node-context.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemRandom } from '../../src/node/system-random.ts';
import { TemporarySpill } from '../../src/node/temporary-spill.ts';
import { startReplicaSet, type TestSetOptions } from '../harness/mongod.ts';
import { onPrimary } from './on-primary.ts';
import { assertSame, type Chosen, look, type Seen } from './oracle.ts';

export interface WorldOptions {
  readonly source?: TestSetOptions;
  readonly target?: TestSetOptions;
  /** Raw bytes of one segment of a base copy; CODR's own value unless given. */
  readonly segmentBytes?: number;
  /** URL of the repository; a folder of the world unless given. */
  readonly repository?: string;
  /** CODR's clock; the machine's own unless given. */
  readonly clock?: Clock;
}

export interface ProtectOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** The user to connect as; the set's own URI unless given. */
  readonly uri?: string;
}

export type RestoreChoice = Partial<Omit<RestoreRequest, 'source' | 'to' | 'at'>> & {
  /** The target's URI; the world's second set unless given. */
  readonly to?: string;
};

export interface FollowOptions {
  /** `protected` waits for the first restorable point; `at once` runs beside the base copy too. */
  readonly start?: 'protected' | 'at once';
  readonly rpoSeconds?: number;
}

/** What work beside a follower may ask. */
export interface Following {
  /** True once a first point can be restored. */
  readonly isProtected: boolean;
}

/** A moment and all that the source was at it, looked at while it was now. */
export interface Mark {
  readonly at: Timestamp;
  readonly seen: Seen;
}

const coveredMsMax = 30_000;
const pollMs = 50;

export class World implements AsyncDisposable {
  readonly source: ReplicaSet;
  readonly target: ReplicaSet;
  readonly folder: string;
  readonly #options: WorldOptions;
  #reader: { readonly of: string; readonly node: Promise<EmbeddedNode> } | undefined;

  private constructor(
    parts: { source: ReplicaSet; target: ReplicaSet },
    folder: string,
    options: WorldOptions,
  ) {
    this.source = parts.source;
    this.target = parts.target;
    this.folder = folder;
    this.#options = options;
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const [source, target, folder] = await Promise.all([
      startReplicaSet({
        ...options.source,
        parameters: { enableTestCommands: 1, ...options.source?.parameters },
      }),
      startReplicaSet({ cacheGiB: 0.25, ...options.target }),
      mkdtemp(join(tmpdir(), 'codr-world-')),
    ]);
    const world = new World({ source, target }, folder, options);
    for (const client of source.clients) {
      await failPoint(client, 'WTPreserveSnapshotHistoryIndefinitely', 'alwaysOn');
    }
    await using node = await world.node();
    await node.init({ encryption: true }, call());
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closeReader();
    await Promise.all([this.source.stop(), this.target.stop()]);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A direct client of the source's first member. */
  get client(): MongoClient {
    return this.source.clients[0] as MongoClient;
  }

  get targetClient(): MongoClient {
    return this.target.clients[0] as MongoClient;
  }

  /** CODR in this process, opened anew on the world's repository. */
  async node(): Promise<EmbeddedNode> {
    const repo = this.#options.repository ?? join(this.folder, 'repository');
    const config = loadConfig({ repo, logLevel: 'warn' }, { CODR_PASSWORD: 'a passphrase' });
    const level = process.env.CODR_TEST_LOG === undefined ? 'silent' : 'info';
    const world: NodeWorld = {
      clock: this.#options.clock ?? systemClock,
      random: systemRandom,
      spill: new TemporarySpill(this.folder),
      log: openLogger(level, {
        stacks: true,
        form: 'json',
        write: (line) => {
          process.stderr.write(line);
        },
      }),
      ...(this.#options.segmentBytes !== undefined && { segmentBytes: this.#options.segmentBytes }),
    };
    return await EmbeddedNode.open(config, world);
  }

  /** One node for all restores of a source: opening one costs as much as a small restore. */
  async reader(of: string): Promise<EmbeddedNode> {
    if (this.#reader?.of !== of) {
      await this.#closeReader();
      this.#reader = { of, node: this.node() };
    }
    return await this.#reader.node;
  }

  async #closeReader(): Promise<void> {
    await (await this.#reader?.node)?.[Symbol.asyncDispose]();
    this.#reader = undefined;
  }

  /** Registers the source set under a name, whole databases unless scoped. */
  async protect(name: string, options: ProtectOptions = {}): Promise<Protected> {
    const { include = [`${name}.*`], exclude = [], uri = this.source.uri } = options;
    await using node = await this.node();
    await node.addSource({ source: name, uri, include, exclude }, call());
    return new Protected(
      this,
      name,
      (namespace) =>
        include.some((pattern) => fits(pattern, namespace)) &&
        !exclude.some((pattern) => fits(pattern, namespace)),
    );
  }

  /**
   * The cluster time of a write made now: everything done before is at or before it, nothing after it.
   * A change of a record, in a database of its own, so that followers commit it at once.
   */
  async now(): Promise<Timestamp> {
    const nudge = { insert: 'now', documents: [{}], writeConcern: { w: 'majority' } };
    return await onPrimary(this.source, (client) => timed(client, 'nudge', nudge));
  }
}

/** A registered source of a world. Its database on the source has the same name unless scoped otherwise. */
export class Protected {
  readonly world: World;
  readonly name: string;
  readonly holds: Chosen;

  constructor(world: World, name: string, holds: Chosen) {
    this.world = world;
    this.name = name;
    this.holds = holds;
  }

  /** Base copies that are missing, then the log up to now. */
  async backup(): Promise<BackupResult> {
    await using node = await this.world.node();
    return await node.backup({ source: this.name, follow: false, rpoSeconds: 1 }, call());
  }

  /**
   * Runs `work` while `backup --follow` runs beside it; returns when all that `work` did is restorable
   * and the follower has ended.
   */
  async following<T>(
    work: (state: Following) => Promise<T>,
    options: FollowOptions = {},
  ): Promise<T> {
    const { start = 'protected', rpoSeconds = 0.5 } = options;
    const stop = new AbortController();
    const state = { isProtected: false };
    let begun = (): void => {};
    const isProtected = new Promise<void>((resolve) => {
      begun = () => {
        state.isProtected = true;
        resolve();
      };
    });
    const follower = (async () => {
      await using node = await this.world.node();
      const progress = ({ phase }: { phase: string }): void => {
        if (phase === 'following') begun();
      };
      const request = { source: this.name, follow: true, rpoSeconds };
      return await node.backup(request, { signal: stop.signal, progress });
    })();
    const guarded = (async () => {
      try {
        if (start === 'protected') await isProtected;
        const result = await work(state);
        await this.covers(await this.world.now());
        // What is restorable may not be named by a point yet, and an abort before that is no success.
        await isProtected;
        return result;
      } finally {
        stop.abort();
      }
    })();
    // A follower that ends by itself has failed, and its error is the one to see.
    const early = follower.then(() => guarded);
    const result = await Promise.race([early, guarded]).catch(async (error: unknown) => {
      stop.abort();
      await Promise.allSettled([follower, guarded]);
      throw error;
    });
    await follower;
    return result;
  }

  /** Waits until `at` is restorable. */
  async covers(at: Timestamp): Promise<void> {
    const end = performance.now() + coveredMsMax;
    await using node = await this.world.node();
    for (;;) {
      const { intervals } = await node.points({ source: this.name });
      const newest = intervals.at(-1)?.to.time;
      if (newest !== undefined && compareTimes(parseTime(newest), at) >= 0) return;
      assert.ok(performance.now() < end, `${this.name} covers ${newest}, not ${formatTime(at)}`);
      await sleep(pollMs);
    }
  }

  /** Where the newest restorable interval begins and ends. */
  async interval(): Promise<{ from: Timestamp; to: Timestamp }> {
    await using node = await this.world.node();
    const { intervals } = await node.points({ source: this.name });
    const newest = intervals.at(-1);
    assert.ok(newest, `${this.name} has a restorable interval`);
    return { from: parseTime(newest.from.time), to: parseTime(newest.to.time) };
  }

  /** All that the source is, now. Nobody may write meanwhile. */
  async mark(): Promise<Mark> {
    const at = await this.world.now();
    return { at, seen: await look(await this.world.source.primaryClient(), undefined, this.holds) };
  }

  /** Restores into the world's target: over what is there, proven by CODR itself too. */
  async restoreAt(at: Timestamp | string, choice: RestoreChoice = {}): Promise<RestoreResult> {
    const node = await this.world.reader(this.name);
    const when = typeof at === 'string' ? at : formatTime(at);
    const request: RestoreRequest = {
      source: this.name,
      to: this.world.target.uri,
      at: when,
      include: [`${this.name}.*`],
      exclude: [],
      renames: [],
      drop: true,
      ttl: 'keep',
      verify: true,
      ...choice,
    };
    return await node.restore(request, call());
  }

  /**
   * Restores `at` and holds the target against the source at that time. A mark brings what the source was;
   * for a time, the source is asked what it was then, names and options being those of now.
   */
  async assertEqualAt(at: Timestamp | Mark, choice: RestoreChoice = {}): Promise<RestoreResult> {
    const time = at instanceof Timestamp ? at : at.at;
    const result = await this.restoreAt(time, choice);
    const expected =
      at instanceof Timestamp
        ? await look(await this.world.source.primaryClient(), at, this.holds)
        : at.seen;
    const actual = await look(this.world.targetClient, undefined, this.holds);
    assertSame(actual, expected, `at ${formatTime(time)}`);
    assert.deepEqual(result.changedByTarget, []);
    assert.deepEqual(
      result.skipped.filter(({ namespace }) => this.holds(namespace)),
      [],
    );
    return result;
  }
}

export function call(signal: AbortSignal = new AbortController().signal): { signal: AbortSignal } {
  return { signal };
}

/** Turns a fail point of a server on or off. */
export async function failPoint(
  client: MongoClient,
  name: string,
  mode: 'alwaysOn' | 'off' | { times: number },
  data?: Document,
): Promise<void> {
  await client.db('admin').command({ configureFailPoint: name, mode, ...(data && { data }) });
}

/** Runs one command on the primary and tells its own time in the log. */
export async function timed(
  client: MongoClient,
  database: string,
  command: Document,
): Promise<Timestamp> {
  const { operationTime, writeErrors } = await client.db(database).command(command);
  assert.equal(writeErrors, undefined);
  return operationTime as Timestamp;
}

/** As CODR writes a time of MongoDB: seconds, a colon, the increment. */
export function formatTime(at: Timestamp): string {
  return `${at.getHighBitsUnsigned()}:${at.getLowBitsUnsigned()}`;
}

export function parseTime(text: string): Timestamp {
  const [t = 0, i = 0] = text.split(':').map(Number);
  return new Timestamp({ t, i });
}

export function compareTimes(a: Timestamp, b: Timestamp): number {
  return (
    a.getHighBitsUnsigned() - b.getHighBitsUnsigned() ||
    a.getLowBitsUnsigned() - b.getLowBitsUnsigned()
  );
}

/** Repeatable chance for what a test writes: the same every time the test runs. */
export function chance(seed: number): Random {
  return new SeededRandom(seed);
}

function fits(pattern: string, namespace: string): boolean {
  return pattern.endsWith('.*')
    ? namespace.startsWith(pattern.slice(0, -1))
    : pattern === namespace;
}
