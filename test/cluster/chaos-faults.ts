// What befalls peers, etcd, the store and the network between them, one or two things at a time. Each kind comes once
// before any comes again, so that a run which is long enough has met them all.
import assert from 'node:assert/strict';
import type { SeededRandom } from '../../src/base/random.ts';
import type { FaultyProxy, ProxyFaults } from '../harness/faulty-proxy.ts';
import { type PeerProcess, type Peers, until } from './peers.ts';
import { historyBelow, judgeSlots } from './slot-terms.ts';

/** Breaks something and answers with how it is mended. */
type Fault = (victim: PeerProcess) => Promise<() => Promise<void>>;

interface Kind {
  readonly name: string;
  /** Of two kinds of one group only one befalls at a time. */
  readonly group: 'peer' | 'links' | 'clock' | 'etcd' | 'store';
  readonly fault: Fault;
}

/** Something that is broken now. */
export interface Struck {
  readonly what: string;
  mend(): Promise<void>;
}

export interface ChaosWorld {
  readonly peers: Peers;
  readonly store: FaultyProxy;
  readonly random: SeededRandom;
}

export class ChaosFaults {
  /** Etcd was begun anew, and nobody was asked to follow since. */
  isForgotten = true;
  /** Tables of slots that were judged so far. */
  tables = 0;
  readonly #world: ChaosWorld;
  readonly #kinds: readonly Kind[];
  readonly #met = new Set<string>();
  /** What has still to come before anything comes again. */
  #bag: Kind[] = [];

  constructor(world: ChaosWorld) {
    this.#world = world;
    this.#kinds = [...this.#ofPeers(), ...this.#ofLinks(), ...this.#ofEtcd(), ...this.#ofStore()];
  }

  get count(): number {
    return this.#kinds.length;
  }

  /** Kinds that have not come yet. */
  get missing(): string[] {
    return this.#kinds.map(({ name }) => name).filter((name) => !this.#met.has(name));
  }

  /** Every table of slots of this life of etcd was written in its writer's term. */
  async judgeTerms(): Promise<void> {
    const { etcd } = this.#world.peers;
    await etcd.healthy();
    this.tables += judgeSlots(await historyBelow(etcd.endpoints[0] as string, 'codr/'));
  }

  /** One thing, or every third time two of different groups at two different peers. */
  async strike(): Promise<Struck[]> {
    const { peers, random } = this.#world;
    const victims = [...peers.all];
    const groups = new Set<Kind['group']>();
    const struck: Struck[] = [];
    for (let left = random.below(3) === 0 ? 2 : 1; left > 0; left--) {
      const kind = this.#draw(groups);
      const [victim] = victims.splice(random.below(victims.length), 1) as [PeerProcess];
      groups.add(kind.group);
      this.#met.add(kind.name);
      const mend = await kind.fault(victim);
      struck.push({ what: `${new Date().toISOString()} ${kind.name} ${victim.name}`, mend });
    }
    // Who begins anew needs the store and etcd: what was broken last is mended first only by chance.
    const outside = (one: Struck): boolean => / (store|etcd) /.test(one.what);
    return [...struck.filter(outside), ...struck.filter((one) => !outside(one))];
  }

  #draw(taken: ReadonlySet<Kind['group']>): Kind {
    const { random } = this.#world;
    const isFree = ({ group }: Kind): boolean => !taken.has(group);
    if (!this.#bag.some(isFree)) this.#bag.push(...this.#kinds);
    const free = this.#bag.filter(isFree);
    const kind = free[random.below(free.length)] as Kind;
    this.#bag.splice(this.#bag.indexOf(kind), 1);
    return kind;
  }

  #ofPeers(): Kind[] {
    const killed: Fault = async (victim) => {
      await victim.kill();
      return () => victim.start();
    };
    const frozen: Fault = async (victim) => {
      victim.freeze();
      return async () => victim.thaw();
    };
    const stopped: Fault = async (victim) => {
      const code = await victim.stop();
      assert.equal(code, 0, `${victim.name} does not stop well: ${victim.log.slice(-4000)}`);
      return () => victim.start();
    };
    const { random } = this.#world;
    const minutes = (): number => 60 + random.below(1140);
    return [
      { name: 'peer killed', group: 'peer', fault: killed },
      { name: 'peer frozen', group: 'peer', fault: frozen },
      { name: 'peer stopped', group: 'peer', fault: stopped },
      { name: 'clock ahead', group: 'clock', fault: (victim) => clockJumps(victim, minutes()) },
      { name: 'clock behind', group: 'clock', fault: (victim) => clockJumps(victim, -minutes()) },
    ];
  }

  #ofLinks(): Kind[] {
    const cut: Fault = async ({ links }) => {
      for (const link of links) {
        link.faults = { refuses: true };
        link.cut();
      }
      return async () => {
        for (const link of links) link.faults = {};
      };
    };
    const frozen: Fault = async ({ links }) => {
      for (const link of links) link.freeze();
      return async () => {
        for (const link of links) link.thaw();
      };
    };
    return [
      { name: 'links cut', group: 'links', fault: cut },
      { name: 'links frozen', group: 'links', fault: frozen },
    ];
  }

  #ofEtcd(): Kind[] {
    const { peers, random } = this.#world;
    const any = () => {
      const { members } = peers.etcd;
      return members[random.below(members.length)] as (typeof members)[number];
    };
    const killed: Fault = async () => {
      const member = any();
      await member.kill();
      return () => member.start();
    };
    const frozen: Fault = async () => {
      const member = any();
      member.freeze();
      return async () => member.thaw();
    };
    const wiped: Fault = async () => {
      // Its history goes with it.
      await this.judgeTerms();
      await peers.etcd.wipe();
      this.isForgotten = true;
      return async () => {};
    };
    return [
      { name: 'etcd member killed', group: 'etcd', fault: killed },
      { name: 'etcd member frozen', group: 'etcd', fault: frozen },
      { name: 'etcd begun anew', group: 'etcd', fault: wiped },
    ];
  }

  #ofStore(): Kind[] {
    const { store } = this.#world;
    const kind = (name: string, faults: ProxyFaults): Kind => ({
      name,
      group: 'store',
      fault: async () => {
        store.faults = faults;
        return async () => {
          store.faults = {};
        };
      },
    });
    return [
      kind('store slow', { delayMsMax: 1500 }),
      kind('store refuses', { refusedPerMille: 500, cutPerMille: 200 }),
      kind('store loses and repeats', {
        ...{ lostReplyPerMille: 200, cutReplyPerMille: 100, twicePerMille: 200 },
      }),
      kind('store full', { isFull: true }),
    ];
  }
}

/** There and back, each a jump of minutes under a process that runs. */
async function clockJumps(victim: PeerProcess, seconds: number): Promise<() => Promise<void>> {
  await victim.setClock(seconds);
  // What it puts into its answers is what it sees.
  const hasJumped = async (): Promise<boolean> => {
    const answer = await fetch(`http://${victim.metrics}/healthz`).catch(() => undefined);
    await answer?.arrayBuffer();
    const aheadMs = Date.parse(answer?.headers.get('date') ?? '') - Date.now();
    return Math.abs(aheadMs - seconds * 1000) < 30_000;
  };
  await until(hasJumped, { within: 30_000, what: `the clock of ${victim.name} jumps` });
  return () => victim.setClock(0);
}
