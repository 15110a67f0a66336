// What befalls the peers of a simulated world, and how it is mended.
import type { ClusterWorld } from './cluster-world.ts';
import { serviceName } from './simulated-coordinator.ts';
import { WholePeer } from './whole-peer.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

export class ClusterFaults {
  /** That struck so far. */
  count = 0;
  readonly #world: ClusterWorld;
  readonly #names: readonly string[];
  readonly #linesAtFirst: ClusterWorld['network']['faults'];
  /** For some it is slow, so that much happens while they store and read. */
  readonly #storeDelayMs: (peer: string) => number;
  #processes = 0;

  constructor(world: ClusterWorld, peers: number, storeDelayMs: (peer: string) => number) {
    this.#world = world;
    this.#names = Array.from({ length: peers }, (_, i) => `p${i + 1}`);
    this.#linesAtFirst = world.network.faults;
    this.#storeDelayMs = storeDelayMs;
  }

  async startAll(): Promise<void> {
    for (const name of this.#names) await this.#start(name);
  }

  /** One thing goes wrong. */
  async strike(): Promise<void> {
    const { service, trace } = this.#world;
    const peer = this.#any();
    this.count++;
    const kinds: [string, () => void | Promise<void>][] = [
      ['is killed', () => peer.kill()],
      ['is frozen', () => peer.clock.freeze()],
      ['is frozen', () => peer.clock.freeze()],
      ['is told to stop', () => peer.stop()],
      ['is cut off from the coordinator', () => this.#cut(peer.name, serviceName)],
      ['is cut off from the coordinator', () => this.#cut(peer.name, serviceName)],
      ['is cut off from another peer', () => this.#cut(peer.name, this.#any().name)],
      ['has another time', () => this.#jump(peer)],
      ['sees a store that fails', () => this.#spoil(peer)],
      ['and all others lose their quorum', () => this.#set(() => (service.hasQuorum = false))],
      ['and all others see leases last otherwise', () => this.#set(() => this.#misjudge())],
      ['and all others see the coordinator wiped', () => service.wipe()],
      ['and all others have bad lines', () => this.#set(() => this.#worsen())],
    ];
    const [what, happen] = kinds[this.#below(kinds.length)] as (typeof kinds)[number];
    if (peer.isDead) return;
    trace(`${peer.name} ${what}`);
    await happen();
  }

  /** One thing, or more of its kind, is well again. */
  async mend(): Promise<void> {
    const { network, service, peers } = this.#world;
    const pick = this.#below(7);
    if (pick < 2) {
      const dead = this.#names.find((name) => peers.get(name)?.isDead);
      if (dead !== undefined) await this.#start(dead);
    } else if (pick === 2) this.#thaw(this.#any());
    else if (pick === 3) network.heal();
    else if (pick === 4) service.hasQuorum = true;
    else if (pick === 5) service.leaseShare = 1;
    else for (const peer of peers.values()) peer.store.faults = this.#storeAtFirst(peer.name);
  }

  async mendAll(): Promise<void> {
    const { network, service, peers } = this.#world;
    network.heal();
    network.faults = this.#linesAtFirst;
    service.hasQuorum = true;
    service.leaseShare = 1;
    for (const name of this.#names) {
      const peer = peers.get(name) as WholePeer;
      if (!peer.isDead) this.#thaw(peer);
      peer.store.faults = this.#storeAtFirst(name);
    }
    await this.revive();
  }

  /** Whoever has ended begins anew, as under a supervisor. */
  async revive(): Promise<void> {
    for (const name of this.#names) {
      if (this.#world.peers.get(name)?.isDead) await this.#start(name);
    }
  }

  async #start(name: string): Promise<void> {
    const { peers, trace } = this.#world;
    trace(`${name} starts`);
    const peer = await WholePeer.start(name, ++this.#processes, this.#world);
    peer.store.faults = this.#storeAtFirst(name);
    peers.set(name, peer);
    peer.join();
  }

  #storeAtFirst(name: string): WholePeer['store']['faults'] {
    const delayMsMax = this.#storeDelayMs(name);
    return delayMsMax > 0 ? { delayMsMax } : {};
  }

  #thaw(peer: WholePeer): void {
    if (peer.isDead || !peer.clock.isFrozen) return;
    this.#world.trace(`${peer.name} is woken`);
    peer.clock.thaw();
  }

  /** In one direction, or both. */
  #cut(one: string, other: string): void {
    const { network } = this.#world;
    const pick = this.#below(4);
    if (one === other) return;
    if (pick !== 0) network.cut(one, other);
    if (pick !== 1) network.cut(other, one);
  }

  #jump({ clock }: WholePeer): void {
    const jumps = [minuteMs, 7 * minuteMs, 2 * dayMs] as const;
    const ms = jumps[this.#below(jumps.length)] ?? 0;
    clock.aheadMs = this.#below(2) === 0 ? ms : -ms;
  }

  #spoil({ store }: WholePeer): void {
    const faults = [
      { errorPerMille: 20 },
      { lostReplyPerMille: 30 },
      { delayMsMax: 1000 },
      { errorPerMille: 5, lostReplyPerMille: 5, delayMsMax: 100 },
    ];
    store.faults = faults[this.#below(faults.length)] ?? {};
  }

  /** Members whose clocks run too fast, too slowly, or much too fast. */
  #misjudge(): void {
    this.#world.service.leaseShare = [0.85, 1.5, 0.5, 0.25][this.#below(4)] ?? 1;
  }

  #worsen(): void {
    const { network } = this.#world;
    const { delayMsMax } = network.faults;
    network.faults = { delayMsMax, lostPerMille: this.#below(150), twicePerMille: 100 };
  }

  #set(change: () => unknown): void {
    change();
  }

  #any(): WholePeer {
    const name = this.#names[this.#below(this.#names.length)] as string;
    return this.#world.peers.get(name) as WholePeer;
  }

  #below(count: number): number {
    return this.#world.random.below(count);
  }
}
