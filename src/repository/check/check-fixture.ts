// A repository in memory with one object of every kind and more: two sources, base copies, runs in entries and
// in packs, stored states, a collection that has run, a pin. Checks of real folders are those of `src/node/calls`.
import { fromHex, toBase64, toHex } from '../../base/bytes.ts';
import { SeededRandom } from '../../base/random.ts';
import { type Change, changeKinds } from '../../model/change.ts';
import { datasetId, streamId } from '../../model/id.ts';
import { timeToHex } from '../../model/time.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { collect } from '../collect/collect.ts';
import { openFixture, probe, registerSource, testClock } from '../collect/repository-fixture.ts';
import { createRepository } from '../keys/repository-config.ts';
import type { Lineage } from '../lineage/lineage.ts';
import { createMutable } from '../lineage/mutable.ts';
import { usePacks } from '../lineage/pack-table.ts';
import type { BaseRecord, RunRecord } from '../lineage/records.ts';
import { type Repository, repositoryLineage } from '../repository.ts';
import { encodeRunRef } from '../runs/run-ref.ts';
import { writeRun } from '../runs/run-writer.ts';
import { cutParameterSet, defaultCut } from '../tree/cut-parameters.ts';
import { joinParts } from '../tree/join.ts';
import { buildRange } from '../tree/range-builder.ts';
import { type CheckOptions, type CheckOutcome, check } from './check.ts';
import type { PackLookers } from './check-packs.ts';

export const dataset = datasetId('d'.repeat(32));
const credential = { kind: 'key-file', content: Buffer.from('a key file of a test') } as const;

export class CheckFixture {
  readonly store = new MemoryObjectStore(testClock);

  async build(): Promise<void> {
    const random = new SeededRandom(2);
    await createRepository(this.store, credential, { random, cut: cutParameterSet });
    const repository = await openFixture(this.store, {
      seed: 3,
      credential,
      packBytesTarget: 20_000,
    });
    const source = await registerSource(repository, 'aa');
    await registerSource(repository, 'bb');
    await commitBase(repository, source, { exactFrom: 10n, records: 300, seed: 4 });
    await commitBase(repository, source, { exactFrom: 20n, records: 500, seed: 5 });
    await commitRun(repository, source, { from: 30, count: 40, inline: true });
    await commitRun(repository, source, { from: 100, count: 4000, inline: false });
    for (let i = 0; i < 70; i++) await source.commit((draft) => drop(draft, i));
    const lineage = await repository.openLineage(repositoryLineage);
    await this.#collect(repository, lineage);
    await commitRun(repository, source, { from: 9000, count: 40, inline: true });
    const pin = { lineage: 'aa', holder: probe.self, sinceMs: testClock.now(), seq: source.seq };
    const keys = repository.unlocked.keys;
    await createMutable({ store: this.store, keys }, { what: 'pin', id: 'p1', n: 0 }, pin);
    await repository.close();
  }

  /** As another process has it open. */
  async open(store: ObjectStore): Promise<Repository> {
    return await openFixture(store, { seed: 10, credential });
  }

  /** `lookers`: who looks at packs; this process alone unless given. */
  async check(
    options: Partial<CheckOptions> = {},
    lookers: PackLookers = { slots: 4, run: async (_piece, here, signal) => await here(signal) },
  ): Promise<CheckOutcome> {
    return await check(
      {
        store: this.store,
        credential,
        random: new SeededRandom(6),
        open: async (store) => await openFixture(store, { seed: 7, credential }),
        lookers,
        pinned: async (_repository, _lineage, work) => await work(),
        noteLost: async () => {},
        describe: () => (lineage) => ({
          name: lineage,
          dataset: () => 'shop.orders',
          time: (hex) => String(Number.parseInt(hex, 16)),
          key: toHex,
        }),
        signal: new AbortController().signal,
      },
      { readDataPercent: 0, repair: false, ...options },
    );
  }

  /** Stores a pack as a writer does that dies before its commit, and deletes it. Returns its name. */
  async loseUncommitted(): Promise<string> {
    const before = new Set(await this.names('packs/'));
    const repository = await openFixture(this.store, { seed: 8, credential });
    const session = repository.session();
    await session.sink.put('leaf', [new SeededRandom(9).bytes(700)]);
    await session.flush();
    await repository.close();
    const [name] = (await this.names('packs/')).filter((one) => !before.has(one));
    if (name === undefined) throw new Error('nothing was stored');
    await this.store.remove(name);
    return name;
  }

  async names(prefix: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.store.list(prefix)) names.push(name);
    return names;
  }

  async size(name: string): Promise<number> {
    return (await this.store.stat(name))?.size ?? 0;
  }

  /** Does `work` while the object has other bytes, or (undefined) is not there. */
  async withDamage<T>(
    name: string,
    damage: (bytes: Buffer) => Uint8Array | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const whole = Buffer.from(await this.store.get(name));
    const put = async (bytes: Uint8Array | undefined): Promise<void> => {
      await this.store.remove(name);
      if (bytes) await this.store.create(name, [bytes]);
    };
    await put(damage(Buffer.from(whole)));
    try {
      return await work();
    } finally {
      await put(whole);
    }
  }

  async #collect(repository: Repository, lineage: Lineage): Promise<void> {
    const { signal } = new AbortController();
    await collect({ repository, lineage, clock: testClock, probe, signal });
  }
}

function drop(draft: Parameters<Parameters<Lineage['commit']>[0]>[0], i: number): undefined {
  draft.set('point/p', { n: i });
  if (i === 0) draft.set(`base/${dataset}/${timeToHex(10n)}`, null);
}

async function commitBase(
  repository: Repository,
  source: Lineage,
  { exactFrom, records, seed }: { exactFrom: bigint; records: number; seed: number },
): Promise<void> {
  const random = new SeededRandom(seed);
  const session = repository.session();
  async function* batches(): AsyncGenerator<{ key: Uint8Array; value: Uint8Array }[]> {
    for (let i = 0; i < records; i++) {
      const key = Buffer.from(String(i).padStart(8, '0'), 'utf8');
      // One value is larger than a leaf holds.
      yield [{ key, value: random.bytes(i === 7 ? 100_000 : 200) }];
    }
  }
  const part = await buildRange(batches(), session.tree());
  const root = await joinParts([part], session.tree());
  const used = await session.flush();
  await source.commit((draft): undefined => {
    const base: BaseRecord = {
      epoch: 0,
      exactFrom: timeToHex(exactFrom),
      tree: {
        root: toHex(root.id),
        height: root.height,
        records: root.records,
        bytes: root.bytes,
        parameters: defaultCut.id,
      },
      steps: [],
      packs: String(usePacks(draft, used)),
    };
    draft.set(`base/${dataset}/${timeToHex(exactFrom)}`, base);
  });
  repository.committed(used);
}

async function commitRun(
  repository: Repository,
  source: Lineage,
  { from, count, inline }: { from: number; count: number; inline: boolean },
): Promise<void> {
  const session = repository.session();
  const random = new SeededRandom(from);
  async function* batches(): AsyncGenerator<Change[]> {
    for (let i = 0; i < count; i++) {
      const time = BigInt(from + i);
      yield [
        {
          dataset,
          key: fromHex(String(i).padStart(8, '0')),
          time,
          stream: streamId('rs0'),
          position: { time, term: 1n },
          index: 0,
          kind: changeKinds.put,
          value: random.bytes(100),
        },
      ];
    }
  }
  const options = { tier: 0, ...(!inline && { inlineBytesMax: 0 }) };
  const written = await writeRun(batches(), session.blocks, options);
  const used = await session.flush();
  if (!written) throw new Error('a run without changes');
  await source.commit((draft): undefined => {
    const packs = String(usePacks(draft, used));
    const record: RunRecord = {
      ref: toBase64(encodeRunRef(written.ref)),
      epoch: 0,
      tier: 0,
      minTime: timeToHex(written.ref.minTime),
      maxTime: timeToHex(written.ref.maxTime),
      groups: [],
      ...(written.inline && {
        seq: draft.seq,
        offset: draft.attach(written.inline),
        length: written.inline.length,
      }),
      packs,
    };
    draft.set(`run/${String(draft.seq).padStart(12, '0')}`, record);
  });
  repository.committed(used);
}
