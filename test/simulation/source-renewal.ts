// A source of a simulated world is removed while it is read, and its database is protected anew under another name,
// while collections free what only the old one held: readers rely on their pins then, and the new base copy on what
// it takes for stored.
import { CodrError } from '../../src/base/error.ts';
import { MemoryDatabase } from '../../src/connector/memory/memory-database.ts';
import { timeToHex } from '../../src/model/time.ts';
import type { ProcessProbe } from '../../src/repository/lineage/writer.ts';
import type { ClusterClient } from './cluster-client.ts';
import type { ClusterReader } from './cluster-reader.ts';
import { type ClusterWorld, databaseOf, type SourceInWorld } from './cluster-world.ts';
import { RestoreCheck } from './restore-check.ts';

const attempts = 6;
const pauseMs = 2000;
const patienceMs = 5000;
/** Who is asked to read and to copy, and who to collect: the first is often slow, and much happens meanwhile. */
const slow = 'p1';
const quick = 'p2';
/** How long a reader is waited for. */
const readersMs = 10_000;

export class SourceRenewal {
  readonly #world: ClusterWorld;
  readonly #client: ClusterClient;
  readonly #reader: ClusterReader;

  constructor(world: ClusterWorld, client: ClusterClient, reader: ClusterReader) {
    this.#world = world;
    this.#client = client;
    this.#reader = reader;
  }

  /** Of the source at that place. Nothing happens when somebody goes on writing to it. */
  async run(at: number): Promise<void> {
    const old = this.#world.sources[at] as SourceInWorld;
    const times = await this.#reader.restorable(old.name);
    const isFirst = this.#world.random.below(2) === 0;
    for (let attempt = 0; attempt < attempts; attempt++) {
      this.#dismissWriters(old);
      await this.#world.clock.sleep(pauseMs);
      const isRemoved = await this.#reader.remove(old, this.#isAlive, async () => {
        this.#world.trace(`${old.name} goes`);
        this.#world.removed.push(old);
        for (let i = 0; i < 2; i++) this.#read(old, times);
        if (times.length > 0) await this.#within(readersMs, async () => this.#isRead(old.name));
        if (isFirst) await this.#protectAnew(at, old);
      });
      if (!isRemoved) continue;
      this.#world.trace(`${old.name} is removed`);
      this.#client.wish('collect', { impatient: true }, quick);
      if (!isFirst) await this.#protectAnew(at, old);
      const { name } = this.#world.sources[at] as SourceInWorld;
      await this.#within(readersMs, () => this.#reader.isCopied(name));
      for (let i = 0; i < 2; i++) {
        this.#client.wish('collect', { impatient: true }, quick);
        await this.#world.clock.sleep(this.#world.random.below(2000));
      }
      return;
    }
  }

  /** Writers are asked to end: a removal waits for nobody. */
  #dismissWriters({ name }: SourceInWorld): void {
    for (const wish of this.#client.wishes) {
      const writes = wish.kind === 'backup' || wish.kind === 'checkpoint';
      if (writes && wish.request.source === name) wish.isUnwanted = true;
    }
  }

  #read({ name: source }: SourceInWorld, times: readonly bigint[]): void {
    const { random, databases } = this.#world;
    const time = times[random.below(times.length || 1)];
    if (time === undefined) return;
    const at = timeToHex(time);
    if (random.below(2) === 0) return void this.#client.wish('verify', { source, at }, slow);
    const to = `renewed-${this.#client.wishes.length}`;
    databases.add(new MemoryDatabase({ name: to }));
    this.#client.wish('restore', { source, at, to }, slow);
  }

  #isRead(source: string): boolean {
    const living = [...this.#world.peers.values()].filter(({ isDead }) => !isDead);
    return living.some(({ reading }) => [...reading].some(({ name }) => name === source));
  }

  async #within(ms: number, isSo: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#world;
    const untilMs = clock.monotonic() + ms;
    while (!(await isSo()) && clock.monotonic() < untilMs) await clock.sleep(50);
  }

  async #protectAnew(at: number, old: SourceInWorld): Promise<void> {
    const { sources, databases, scope, random } = this.#world;
    const { database, workload } = old;
    const name = `${databaseOf(old.name)}-2`;
    const check = new RestoreCheck({ database, databases, workload, scope, random });
    const fresh = { name, database, workload, check };
    await this.#reader.register(fresh);
    sources[at] = fresh;
    this.#client.wish('backup', { source: name, follow: true }, slow);
  }

  /** As some peer sees it, which may fall silent meanwhile. */
  readonly #isAlive: ProcessProbe['isAlive'] = async (other) => {
    const { clock, peers } = this.#world;
    const peer = [...peers.values()].find(({ isDead }) => !isDead);
    const silent = clock.sleep(patienceMs).then(() => {
      throw new CodrError('peer-unreachable', 'the peer that was asked says nothing');
    });
    return await Promise.race([silent, peer?.probe().isAlive(other) ?? silent]);
  };
}
