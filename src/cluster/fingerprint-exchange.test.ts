import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/harness/manual-clock.ts';
import { toHex } from '../base/bytes.ts';
import { silentLogger } from '../base/log.ts';
import { SeededRandom } from '../base/random.ts';
import { packId } from '../model/id.ts';
import type { Epoch } from './epoch.ts';
import {
  batchMax,
  decodeAnswer,
  decodeMessage,
  encodeHint,
  encodeQuestion,
  type KnownPack,
} from './fingerprint-codec.ts';
import { type CommittedLeaves, FingerprintExchange } from './fingerprint-exchange.ts';
import type { SlotAssignment } from './slot-codec.ts';
import { computeSlots, SlotTable, slotOf } from './slot-table.ts';
import { turns } from './task-runner.fixture.ts';

const names = ['a', 'b', 'c'] as const;
type Name = (typeof names)[number];
const pack: KnownPack = { id: packId('ab'.repeat(32)), kind: 'd', bytes: 10, leaves: 2 };
const epoch: Epoch = { clusterId: 'one', revision: 1 };

/** Three peers in one process; what each holds is a set of hex ids. */
class World {
  readonly clock = new ManualClock();
  readonly held = new Map<Name, Set<string>>(names.map((name) => [name, new Set()]));
  readonly hints: string[] = [];
  /** Ids that each peer looked for, and what it waits for before it does. */
  readonly looked: string[] = [];
  looking: () => Promise<void> = async () => {};
  /** Messages on the way: `a>b`, and what kind. */
  readonly calls: string[] = [];
  readonly epochs = new Map<Name, Epoch>();
  readonly table = computeSlots(
    names.map((name) => ({ name, weight: 1 })),
    SlotTable.empty,
  );
  readonly peers: ReadonlyMap<Name, FingerprintExchange>;
  /** What a call to a peer does instead of reaching it. */
  broken: (peer: string) => Promise<Uint8Array> | undefined = () => undefined;

  /** The same for questions about places. */
  brokenWhere: (peer: string) => Promise<Uint8Array> | undefined = () => undefined;

  constructor() {
    this.peers = new Map(names.map((name) => [name, this.#exchange(name)]));
  }

  peer(name: Name): FingerprintExchange {
    return this.peers.get(name) as FingerprintExchange;
  }

  assignment(name: Name): SlotAssignment {
    return { epoch: this.epochs.get(name) ?? epoch, table: this.table };
  }

  #heldBy(self: Name, ids: Uint8Array): boolean[] {
    const held = this.held.get(self) as Set<string>;
    return Array.from({ length: ids.length / 16 }, (_, i) =>
      held.has(toHex(ids.subarray(i * 16, i * 16 + 16))),
    );
  }

  #exchange(self: Name): FingerprintExchange {
    const leaves: CommittedLeaves = {
      find: async (ids) => {
        this.looked.push(`${self} ${ids.length / 16}`);
        await this.looking();
        return this.#heldBy(self, ids).map((isHeld) => (isHeld ? pack : undefined));
      },
      locate: async (ids) =>
        this.#heldBy(self, ids).map((isHeld, i) =>
          isHeld ? { pack, leaf: ids[i * 16 + 2] as number } : undefined,
        ),
      hint: (lineages) => this.hints.push(`${self}: ${lineages.join()}`),
    };
    return new FingerprintExchange({
      self,
      slots: () => this.assignment(self),
      transport: {
        call: async (peer, request) => {
          this.calls.push(`${self}>${peer} ${decodeMessage(request).kind}`);
          const broken = this.broken(peer);
          return await (broken ?? this.peer(peer as Name).serve(request));
        },
        where: async (peer, request) => {
          this.calls.push(`${self}>${peer} where`);
          const broken = this.brokenWhere(peer) ?? this.broken(peer);
          return await (broken ?? this.peer(peer as Name).serveWhere(request));
        },
      },
      leaves,
      clock: this.clock,
      log: silentLogger,
    });
  }
}

/** Ids of 32 bytes in slots of `owner`. */
function idsOf(world: World, owner: Name, count: number, seed = 1): Uint8Array[] {
  const random = new SeededRandom(seed);
  const ids: Uint8Array[] = [];
  while (ids.length < count) {
    const id = random.bytes(32);
    if (world.table.ownerOf(slotOf(id)) === owner) ids.push(id);
  }
  return ids;
}

const first16 = (id: Uint8Array): string => toHex(id.subarray(0, 16));

test('each id is answered by the owner of its slot, in the order asked', async () => {
  const world = new World();
  const ids = names.flatMap((name) => idsOf(world, name, 4));
  for (const [i, name] of names.entries()) {
    world.held.get(name)?.add(first16(ids[i * 4 + 1] as Uint8Array));
    // What somebody knows of slots that are not its own is not asked for.
    world.held.get(name)?.add(first16(ids[((i + 1) % 3) * 4 + 2] as Uint8Array));
  }
  const shuffled = [...ids].sort((a, b) => (first16(a) < first16(b) ? -1 : 1));
  const verdicts = await world.peer('a').ask(shuffled, 1);
  for (const [i, id] of shuffled.entries()) {
    const isHeld = ids.indexOf(id) % 4 === 1;
    assert.deepEqual(verdicts[i], isHeld ? pack : undefined);
  }
  assert.deepEqual(world.calls.sort(), ['a>b question', 'a>c question']);
  const { asked, known, unanswered } = world.peer('a').counts;
  assert.deepEqual({ asked, known, unanswered }, { asked: 12, known: 3, unanswered: 0 });
});

test('small questions that are asked side by side travel together', async () => {
  const world = new World();
  const ids = idsOf(world, 'b', 300);
  world.held.get('b')?.add(first16(ids[299] as Uint8Array));
  const asked = ids.map((id) => world.peer('a').ask([id], 1));
  const verdicts = await Promise.all(asked);
  assert.deepEqual(verdicts.at(-1), [pack]);
  assert.ok(world.calls.length <= 3, `${world.calls.length} calls for 300 questions`);
});

test('more ids than a message takes are asked for in several', async () => {
  const world = new World();
  const ids = idsOf(world, 'b', 2 * batchMax + 1);
  world.held.get('b')?.add(first16(ids.at(-1) as Uint8Array));
  const verdicts = await world.peer('a').ask(ids, 1);
  assert.equal(verdicts.length, ids.length);
  assert.deepEqual(verdicts.at(-1), pack);
  assert.equal(world.calls.length, 3);
});

test('a peer that does not answer in time has not answered, and is left alone for a while', async () => {
  const world = new World();
  const ids = [...idsOf(world, 'b', 2), ...idsOf(world, 'c', 2)];
  for (const name of ['b', 'c'] as const) {
    for (const id of ids) world.held.get(name)?.add(first16(id));
  }
  world.broken = (peer) => (peer === 'b' ? new Promise(() => {}) : undefined);
  const asked = world.peer('a').ask(ids, 1);
  await world.clock.advance(1000);
  const answers = ['unanswered', 'unanswered', pack, pack];
  assert.deepEqual(await asked, answers);
  assert.equal(world.peer('a').counts.unanswered, 2);
  world.calls.length = 0;
  assert.deepEqual(await world.peer('a').ask(ids, 1), answers);
  world.peer('a').committed(['l']);
  await turns(2);
  assert.deepEqual(world.calls, ['a>c question', 'a>c hint']);
  world.broken = () => undefined;
  await world.clock.advance(5000);
  assert.deepEqual(await world.peer('a').ask(ids, 1), [pack, pack, pack, pack]);
});

test('a peer that fails or speaks otherwise has not answered', async () => {
  for (const broken of [
    () => Promise.reject(new Error('connection refused')),
    () => Promise.resolve(Uint8Array.of(1, 2, 3)),
    () => Promise.resolve(new Uint8Array(0)),
  ]) {
    const world = new World();
    const [id] = idsOf(world, 'b', 1) as [Uint8Array];
    world.held.get('b')?.add(first16(id));
    world.broken = broken;
    assert.deepEqual(await world.peer('a').ask([id], 1), ['unanswered']);
  }
});

test('peers with tables of different terms do not answer each other', async () => {
  const world = new World();
  const ids = names.flatMap((name) => idsOf(world, name, 1));
  for (const [i, name] of names.entries()) {
    world.held.get(name)?.add(first16(ids[i] as Uint8Array));
  }
  world.epochs.set('b', { clusterId: 'one', revision: 2 });
  world.epochs.set('c', { clusterId: 'two', revision: 1 });
  assert.deepEqual(await world.peer('a').ask(ids, 1), [pack, 'unanswered', 'unanswered']);
  world.epochs.clear();
  assert.deepEqual(await world.peer('a').ask(ids, 1), [pack, pack, pack]);
});

test('who owns a slot no more answers nothing for it', async () => {
  const world = new World();
  const [id] = idsOf(world, 'b', 1) as [Uint8Array];
  for (const name of names) world.held.get(name)?.add(first16(id));
  const other = computeSlots(
    [
      { name: 'c', weight: 1 },
      { name: 'b', weight: 0.001 },
    ],
    SlotTable.empty,
  );
  const honest = world.assignment.bind(world);
  world.assignment = (name) => (name === 'b' ? { epoch, table: other } : honest(name));
  assert.equal(other.ownerOf(slotOf(id)), 'c');
  assert.deepEqual(await world.peer('a').ask([id], 1), ['unanswered']);
});

test('without a table nothing is answered and nobody is called', async () => {
  const world = new World();
  const ids = idsOf(world, 'a', 3);
  for (const id of ids) world.held.get('a')?.add(first16(id));
  world.assignment = () => ({ epoch, table: SlotTable.empty });
  const nothing = ['unanswered', 'unanswered', 'unanswered'];
  assert.deepEqual(await world.peer('a').ask(ids, 1), nothing);
  assert.equal(world.peer('a').counts.unanswered, 3);
  assert.deepEqual(world.calls, []);
});

test('of two that ask for the same unknown content the younger one is told to wait', async () => {
  const world = new World();
  const ms = 4096; // sessions are numbered by their start
  const [id] = idsOf(world, 'b', 1) as [Uint8Array];
  assert.deepEqual(await world.peer('a').ask([id], 20 * ms), [undefined]);
  assert.deepEqual(await world.peer('a').ask([id], 20 * ms), [undefined], 'its own claim');
  assert.deepEqual(await world.peer('c').ask([id], 30 * ms), ['storing']);
  assert.deepEqual(await world.peer('b').ask([id], 10 * ms), [undefined], 'it is older');
  assert.deepEqual(await world.peer('a').ask([id], 20 * ms), ['storing']);
  await world.clock.advance(60_000);
  assert.deepEqual(await world.peer('c').ask([id], 30 * ms), [undefined], 'claims do not last');
  world.held.get('b')?.add(first16(id));
  assert.deepEqual(await world.peer('a').ask([id], 40 * ms), [pack]);
});

test('a peer does not wait for what it has asked for itself', async () => {
  const world = new World();
  const [id] = idsOf(world, 'b', 1) as [Uint8Array];
  await world.peer('a').ask([id], 4096);
  assert.deepEqual(await world.peer('a').ask([id], 8192), [undefined]);
  assert.deepEqual(await world.peer('c').ask([id], 12_288), ['storing']);
});

test('nobody waits for what a peer that has left was storing', async () => {
  const world = new World();
  const [id] = idsOf(world, 'b', 1) as [Uint8Array];
  await world.peer('a').ask([id], 4096);
  assert.deepEqual(await world.peer('c').ask([id], 8192), ['storing']);
  const left = ['b', 'c'].map((name) => ({ name, weight: 1 }));
  const table = computeSlots(left, world.table);
  world.assignment = () => ({ epoch, table });
  assert.deepEqual(await world.peer('c').ask([id], 8192), [undefined]);
});

test('a commit is told to every owner of slots', async () => {
  const world = new World();
  world.peer('b').committed(['source-1', 'repository']);
  await turns(3);
  const said = names.map((name) => `${name}: source-1,repository`);
  assert.deepEqual([...world.hints].sort(), said);
  assert.equal((await world.peer('a').serve(encodeHint(['x']))).length, 0);
});

/** As the world's peers say it. */
const placeOf = (id: Uint8Array) => ({ pack, leaf: id[2] as number });

test('the owner of a slot says where its leaves lie, and nothing of what it does not know', async () => {
  const world = new World();
  const ids = names.flatMap((name) => idsOf(world, name, 3000));
  for (const [i, id] of ids.entries()) {
    const owner = world.table.ownerOf(slotOf(id)) as Name;
    if (i % 3 > 0) world.held.get(owner)?.add(first16(id));
  }
  const places = await world.peer('a').where(ids);
  for (const [i, id] of ids.entries()) {
    assert.deepEqual(places[i], i % 3 > 0 ? placeOf(id) : undefined);
  }
  assert.deepEqual(world.calls.sort(), ['a>b where', 'a>c where']);
  assert.equal(world.peer('a').counts.located, 6000);
});

test('a peer of an older version is asked seldom where leaves lie, and as ever what it knows', async () => {
  const world = new World();
  const ids = [...idsOf(world, 'b', 2), ...idsOf(world, 'c', 1)];
  const [first, , last] = ids as [Uint8Array, Uint8Array, Uint8Array];
  for (const name of ['b', 'c'] as const) {
    for (const id of ids) world.held.get(name)?.add(first16(id));
  }
  world.brokenWhere = (peer) =>
    peer === 'b' ? Promise.reject(new Error('UNIMPLEMENTED')) : undefined;
  const places = [undefined, undefined, placeOf(last)];
  assert.deepEqual(await world.peer('a').where(ids), places);
  assert.deepEqual(await world.peer('a').where(ids), places);
  assert.deepEqual(await world.peer('a').ask(ids, 1), [pack, pack, pack]);
  assert.equal(world.calls.filter((call) => call === 'a>b where').length, 1);
  world.brokenWhere = () => undefined;
  await world.clock.advance(30_000);
  assert.deepEqual((await world.peer('a').where(ids))[0], placeOf(first));
});

test('silence, another term, moved slots and no table say of no leaf where it lies', async () => {
  const lost: ((world: World) => void)[] = [
    (world) => (world.broken = () => Promise.reject(new Error('connection refused'))),
    (world) => (world.broken = () => Promise.resolve(Uint8Array.of(3, 1))),
    (world) => world.epochs.set('b', { clusterId: 'one', revision: 2 }),
    (world) => (world.assignment = () => ({ epoch, table: SlotTable.empty })),
    (world) => {
      const honest = world.assignment.bind(world);
      const table = computeSlots([{ name: 'c', weight: 1 }], SlotTable.empty);
      world.assignment = (name) => (name === 'b' ? { epoch, table } : honest(name));
    },
  ];
  for (const lose of lost) {
    const world = new World();
    const [id] = idsOf(world, 'b', 1) as [Uint8Array];
    for (const name of names) world.held.get(name)?.add(first16(id));
    lose(world);
    assert.deepEqual(await world.peer('a').where([id]), [undefined]);
  }
  const world = new World();
  const [id] = idsOf(world, 'b', 1) as [Uint8Array];
  world.broken = () => new Promise(() => {});
  const asked = world.peer('a').where([id]);
  await world.clock.advance(1000);
  assert.deepEqual(await asked, [undefined]);
});

test('an owner that is slow to look begins eight questions of others at most, and refuses more at once', async () => {
  const world = new World();
  const ids = idsOf(world, 'b', 1);
  world.looking = () => new Promise(() => {});
  for (let i = 0; i < 10; i++) {
    const asked = world.peer('a').ask(ids, 1);
    await turns(5);
    await world.clock.advance(i < 8 ? 6000 : 0);
    assert.deepEqual(await asked, ['unanswered']);
  }
  assert.equal(world.looked.length, 8);
});

test('who is asked for slots of others looks for its own alone', async () => {
  const world = new World();
  const [own, other] = [idsOf(world, 'b', 2), idsOf(world, 'c', 3)];
  world.held.get('b')?.add(first16(own[1] as Uint8Array));
  const all = [...other, ...own];
  const message = encodeQuestion({
    ...{ epoch, askers: [{ session: 1, count: all.length }] },
    ids: Buffer.concat(all.map((id) => id.subarray(0, 16))),
  });
  const answer = decodeAnswer(await world.peer('b').serve(message), all.length);
  assert.deepEqual(answer.verdicts, [...other.map(() => undefined), undefined, pack]);
  assert.equal(answer.moved, true);
  assert.deepEqual(world.looked, ['b 2']);
});
