// Drives a cluster of replicas at random, as applications, operators and bad luck would: writes that some replicas
// miss, deletions of every width, late hints, repairs, compactions that forget old deletions, tables that come, go
// and are emptied, servers that stop, hang, are replaced or join, files that break or vanish.
import type { Random } from '../../src/base/random.ts';
import type { ReplicaCluster } from '../../src/connector/replicas/replica-cluster.ts';
import type { ReplicaNode } from '../../src/connector/replicas/replica-node.ts';
import { tokenCount } from '../../src/connector/replicas/replica-record.ts';
import type { Change, Write } from '../../src/connector/replicas/replica-write.ts';
import type { DatasetId } from '../../src/model/id.ts';

/** What of the less usual this world knows; chosen by the seed. */
export interface CutHabits {
  /** Of a hundred writes to a replica that is up, so many miss it. */
  readonly missPerCent: number;
  readonly stops: boolean;
  readonly damage: boolean;
  readonly topology: boolean;
  readonly schema: boolean;
  /** Compactions forget old deletions. */
  readonly purges: boolean;
  readonly partitions: number;
  readonly rows: number;
  readonly textBytesMax: number;
}

/** A write that a client made, and how many replicas took it at once. */
export interface KnownWrite {
  readonly write: Write;
  readonly taken: number;
}

/** Furthest that a client's clock is behind, below the least grace of a deletion. */
const clockMsMax = 30_000;
const names = ['a.one', 'a.two', 'b.one', 'tmp.x'] as const;

export class CutWorkload {
  /** By dataset, since it was made or emptied. */
  readonly written = new Map<DatasetId, KnownWrite[]>();
  readonly #cluster: ReplicaCluster;
  readonly #random: Random;
  readonly #habits: CutHabits;

  constructor(cluster: ReplicaCluster, random: Random, habits: CutHabits) {
    this.#cluster = cluster;
    this.#random = random;
    this.#habits = habits;
  }

  /** One operation. Returns its name, for the trace. */
  step(): string {
    const { stops, damage, topology, schema, purges } = this.#habits;
    const choices: [weight: number, name: string, run: () => void][] = [
      [40, 'put', () => this.#write(this.#put())],
      [8, 'delete', () => this.#write({ kind: 'delete', row: this.#row() })],
      [5, 'delete range', () => this.#write(this.#range())],
      [2, 'delete partition', () => this.#write({ kind: 'delete partition' })],
      [4, 'flush', () => this.#onTable((table) => this.#node().flush(table))],
      [4, 'compact', () => this.#compact(false)],
      [3, 'hints', () => this.#cluster.deliverHints()],
      [2, 'repair', () => this.#onName((name) => this.#cluster.repair(name))],
      [2, 'create', () => this.#create()],
    ];
    if (stops) choices.push([3, 'stop', () => this.#stop()], [4, 'start', () => this.#start()]);
    if (stops) choices.push([1, 'hang', () => this.#hang()]);
    if (stops) choices.push([1, 'links off', () => this.#switchOff()]);
    if (damage) choices.push([2, 'damage', () => this.#damage()], [2, 'mend', () => this.mend()]);
    if (damage) choices.push([1, 'lose a file', () => this.#lose()]);
    if (topology)
      choices.push([1, 'replace', () => this.#replace()], [1, 'grow', () => this.#grow()]);
    if (schema)
      choices.push([2, 'truncate', () => this.#truncate()], [1, 'drop', () => this.#drop()]);
    if (schema) choices.push([1, 'alter', () => this.#onName((name) => this.#cluster.alter(name))]);
    if (purges)
      choices.push(
        [3, 'purge', () => this.#compact(true)],
        [4, 'purge all', () => this.#onName((name) => this.#purge(name))],
      );
    let pick = this.#random.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, name, run] of choices) {
      pick -= weight;
      if (pick >= 0) continue;
      run();
      return name;
    }
    return 'nothing';
  }

  /** Every server is up, and every file can be read. */
  settle(): void {
    for (const node of this.#cluster.nodes) {
      if (!node.isUp) node.start();
      node.isWedged = false;
    }
    this.mend();
    this.#cluster.deliverHints();
  }

  mend(): void {
    for (const { entry } of this.#cluster.tables.values()) {
      for (const node of this.#cluster.nodes) {
        const { live, links } = node.table(entry.dataset);
        for (const file of [...live, ...links]) file.isDamaged = false;
      }
    }
  }

  #write(change: Change): void {
    this.#onName((name) => {
      const { missPerCent, partitions } = this.#habits;
      const cluster = this.#cluster;
      const missedBy = cluster.nodes
        .filter(() => this.#random.below(100) < missPerCent)
        .map(({ hostId }) => hostId);
      const timestamp = this.#timestamp();
      const partition = `p${this.#random.below(partitions)}`;
      const hints = this.#random.below(2) === 0;
      const write = cluster.write(name, partition, change, { timestamp, missedBy, hints });
      const { dataset } = cluster.table(name).entry;
      const taken = cluster.acknowledged.get(write) ?? 0;
      this.written.set(dataset, [...(this.written.get(dataset) ?? []), { write, taken }]);
    });
  }

  /**
   * Clients' clocks are not the order of things, and two may have the same time; but they differ by less than what
   * deletions are kept for.
   */
  #timestamp(): number {
    const at = this.#cluster.nowSeconds * 1000 + (this.#cluster.seq % 1000);
    const late = at - this.#random.below(2) * this.#random.below(clockMsMax);
    return this.#random.below(4) === 0 ? late - (late % 1000) : late;
  }

  #put(): Change {
    const filler = 'x'.repeat(this.#random.below(this.#habits.textBytesMax));
    const put = { kind: 'put', row: this.#row(), text: `${this.#random.below(1000)}${filler}` };
    const expiry = this.#cluster.nowSeconds + 1 + this.#random.below(2000);
    return { ...put, ...(this.#random.below(5) === 0 && { expiry }) } as Change;
  }

  #range(): Change {
    const [from = '', to = ''] = [this.#row(), this.#row()].sort();
    return { kind: 'delete range', from, to: `${to}~` };
  }

  #row(): string {
    return `r${String(this.#random.below(this.#habits.rows)).padStart(2, '0')}`;
  }

  #node(): ReplicaNode {
    const { nodes } = this.#cluster;
    return nodes[this.#random.below(nodes.length)] as ReplicaNode;
  }

  #compact(purges: boolean): void {
    this.#onName((name) => this.#cluster.compact(name, this.#node(), purges));
  }

  /** Every server makes new files, without old deletions. */
  purgeAll(): void {
    for (const name of this.#cluster.tables.keys()) this.#purge(name);
  }

  #purge(name: string): void {
    const { dataset } = this.#cluster.table(name).entry;
    for (const node of this.#cluster.nodes) {
      node.flush(dataset);
      this.#cluster.compact(name, node, true);
    }
  }

  #stop(): void {
    this.#node().isUp = false;
  }

  #hang(): void {
    this.#node().isWedged = true;
  }

  #switchOff(): void {
    this.#node().linksOn = false;
  }

  #start(): void {
    const down = this.#cluster.nodes.filter(({ isUp, isWedged }) => !isUp || isWedged);
    down[this.#random.below(down.length || 1)]?.start();
  }

  /** The newest file, which no cut may have read yet. */
  #damage(): void {
    this.#onTable((table) => {
      const node = this.#node();
      node.flush(table);
      const file = node.table(table).live.at(-1);
      if (file) file.isDamaged = true;
    });
  }

  #lose(): void {
    const isLinkLost = this.#random.below(2) === 0;
    this.#onName((name) => this.#cluster.loseFile(name, this.#node(), isLinkLost));
  }

  #replace(): void {
    const node = this.#node();
    if (this.#cluster.nodes.length > 1) this.#cluster.replace(node);
  }

  #grow(): void {
    if (this.#cluster.nodes.length < 6) this.#cluster.grow(this.#random.below(tokenCount));
  }

  #create(): void {
    const free = names.filter((name) => !this.#cluster.tables.has(name));
    const name = free[this.#random.below(free.length || 1)];
    if (name) this.#cluster.create(name);
  }

  #truncate(): void {
    if (this.#cluster.nodes.some(({ isUp }) => !isUp)) return;
    this.#onName((name) => {
      this.#cluster.truncate(name);
      this.written.delete(this.#cluster.table(name).entry.dataset);
    });
  }

  #drop(): void {
    this.#onName((name) => this.#cluster.drop(name));
  }

  #onTable(work: (dataset: DatasetId) => void): void {
    this.#onName((name) => work(this.#cluster.table(name).entry.dataset));
  }

  #onName(work: (name: string) => void): void {
    const there = [...this.#cluster.tables.keys()];
    const name = there[this.#random.below(there.length || 1)];
    if (name) work(name);
  }
}
