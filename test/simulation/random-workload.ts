// Drives a memory database at random, as an application and its operators would: writes, transactions that
// stay open for a while, collections that come, go and change their names, a log that loses its start, new
// primaries, entries that nobody knows. Keeps what the checks must know about the world.
import type { Random } from '../../src/base/random.ts';
import type { MemoryDatabase } from '../../src/connector/memory/memory-database.ts';
import type { MemoryTransaction } from '../../src/connector/memory/memory-transaction.ts';
import type { DatasetId } from '../../src/model/id.ts';
import { type Scope, scopeHolds } from '../../src/model/namespace.ts';
import { minTime, type SourceTime } from '../../src/model/time.ts';

/** What of the less usual this world knows; chosen by the seed. */
export interface WorkloadHabits {
  readonly transactions: boolean;
  readonly renames: boolean;
  readonly truncations: boolean;
  readonly stepDowns: boolean;
  readonly unknownEntries: boolean;
  readonly valueBytesMax: number;
  readonly keyCount: number;
}

const namespaces = ['a.one', 'a.two', 'b.one', 'b.two', 'tmp.x', 'tmp.y'] as const;

export class RandomWorkload {
  /** Times at which a dataset moved from outside the scope into it. */
  entered: { readonly dataset: DatasetId; readonly time: SourceTime }[] = [];
  /** Times of entries that no connector knows. */
  unknown: { readonly time: SourceTime; readonly dataset?: DatasetId }[] = [];
  /** How often a reader of the log may have lost its place. */
  breaks = 0;
  readonly #database: MemoryDatabase;
  readonly #random: Random;
  readonly #scope: Scope;
  readonly #habits: WorkloadHabits;
  #open: MemoryTransaction[] = [];

  constructor(database: MemoryDatabase, random: Random, scope: Scope, habits: WorkloadHabits) {
    this.#database = database;
    this.#random = random;
    this.#scope = scope;
    this.#habits = habits;
  }

  /** One operation. Returns its name, for the trace. */
  step(): string {
    const { transactions, renames, truncations, stepDowns, unknownEntries } = this.#habits;
    const choices: [weight: number, name: string, run: () => void][] = [
      [30, 'put', () => this.#put()],
      [20, 'patch', () => this.#patch()],
      [10, 'delete', () => this.#delete()],
      [
        1,
        'clear',
        () => this.#withData((name) => this.#unlessHeld(name, () => this.#database.clear(name))),
      ],
      [4, 'create', () => this.#create()],
      [
        2,
        'drop',
        () => this.#withData((name) => this.#unlessHeld(name, () => this.#database.drop(name))),
      ],
      [
        1,
        'index',
        () =>
          this.#withData((name) => this.#database.createIndex(name, `i${this.#random.below(99)}`)),
      ],
      [1, 'noop', () => this.#database.noop()],
    ];
    if (renames) choices.push([4, 'rename', () => this.#rename()]);
    if (transactions) choices.push([16, 'transaction', () => this.#transact()]);
    if (truncations) choices.push([2, 'truncate', () => this.#truncate()]);
    if (stepDowns) choices.push([1, 'step down', () => this.#stepDown()]);
    if (unknownEntries) choices.push([1, 'unknown entry', () => this.#frobnicate()]);
    let pick = this.#random.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, name, run] of choices) {
      pick -= weight;
      if (pick >= 0) continue;
      run();
      return name;
    }
    return 'nothing';
  }

  /** Ends what is open, so that everything can settle. */
  settle(): void {
    for (const transaction of this.#open) {
      if (this.#random.below(2) === 0) transaction.commit();
      else transaction.abort();
    }
    this.#open = [];
    this.#database.noop();
    this.#database.advanceMajority();
  }

  key(): Uint8Array {
    return Buffer.from(`k${String(this.#random.below(this.#habits.keyCount)).padStart(4, '0')}`);
  }

  #value(): Uint8Array {
    const filler = String.fromCharCode(97 + this.#random.below(26));
    return Buffer.from(
      `${this.#random.below(1e9)}${filler.repeat(this.#random.below(this.#habits.valueBytesMax))}`,
    );
  }

  #put(): void {
    this.#withData((name) => {
      const count = this.#random.below(4) === 0 ? 1 + this.#random.below(12) : 1;
      const records = new Map<string, { key: Uint8Array; value: Uint8Array }>();
      for (let i = 0; i < count; i++) {
        const key = this.key();
        if (!this.#isHeld(name, key)) records.set(String(key), { key, value: this.#value() });
      }
      if (records.size > 0) this.#database.putAll(name, [...records.values()]);
    });
  }

  #patch(): void {
    this.#withRecord((name, key) =>
      this.#database.patch(name, key, { bytes: this.#value().subarray(0, 9) }),
    );
  }

  #delete(): void {
    this.#withRecord((name, key) => this.#database.delete(name, key));
  }

  #create(): void {
    const free = namespaces.filter((name) => !this.#database.definition(name));
    const name = free[this.#random.below(free.length || 1)];
    if (!name) return;
    const role = this.#random.below(12) === 0 ? 'definitions' : 'data';
    this.#database.create(name, { role });
  }

  #rename(): void {
    this.#withData((from) => {
      const to = namespaces[this.#random.below(namespaces.length)] as string;
      const target = this.#database.definition(to);
      const moved = this.#database.definition(from);
      if (to === from || !moved || (target && this.#touched(to)) || this.#touched(from)) return;
      this.#database.rename(from, to, { dropTarget: true });
      if (!scopeHolds(this.#scope, from) && scopeHolds(this.#scope, to)) {
        this.entered.push({ dataset: moved.dataset, time: this.#database.now });
      }
    });
  }

  #transact(): void {
    const at = this.#random.below(this.#open.length + 1);
    const transaction = this.#open[at] ?? this.#database.begin();
    if (at === this.#open.length && at < 3) this.#open.push(transaction);
    else if (at === this.#open.length) return void transaction.abort();
    const prepared = transaction.preparedAt !== undefined;
    const pick = this.#random.below(10);
    if (pick < 5 && !prepared) this.#within(transaction);
    else if (pick < 7 && !prepared) transaction.prepare();
    else if (pick < 9) this.#end(at, () => transaction.commit());
    else this.#end(at, () => transaction.abort());
  }

  #within(transaction: MemoryTransaction): void {
    for (let i = 1 + this.#random.below(4); i > 0; i--) {
      this.#withData((name) => {
        const key = this.key();
        const dataset = this.#database.datasetOf(name);
        if (this.#open.some((each) => each !== transaction && each.holds(dataset, key))) return;
        const there = this.#database.get(dataset, key) !== undefined;
        const mine = transaction.holds(dataset, key);
        if (there && !mine && this.#random.below(2) === 0) {
          transaction.patch(name, key, { bytes: this.#value().subarray(0, 9) });
        } else if (there && !mine && this.#random.below(4) === 0) transaction.delete(name, key);
        else transaction.put(name, key, this.#value());
      });
    }
  }

  #end(at: number, decide: () => void): void {
    decide();
    this.#open.splice(at, 1);
  }

  /** Forgets the log's start, but nothing of a transaction that is open, or was where a survey would begin. */
  #truncate(): void {
    const [log] = this.#database.logs;
    if (!log) return;
    const count = log.end - log.first;
    const kept =
      log.at(log.first + this.#random.below(count + 1))?.position.time ?? this.#database.now;
    const { now, settled } = this.#database;
    const open = [now, settled].flatMap((at) => [...log.openUntil(at).values()]);
    const firsts = open.map(({ time }) => time);
    this.#database.truncateLogs(firsts.reduce(minTime, minTime(kept, this.#database.majorityTime)));
    this.breaks++;
  }

  #stepDown(): void {
    const kept = this.#database.majorityTime;
    this.#database.stepDown();
    this.entered = this.entered.filter(({ time }) => time <= kept);
    this.unknown = this.unknown.filter(({ time }) => time <= kept);
    this.#open = [];
    this.breaks++;
  }

  #frobnicate(): void {
    const names = this.#database.definitionsAt(this.#database.now);
    const one = names[this.#random.below(names.length * 2 || 1)];
    this.#database.frobnicate(one?.namespace);
    const time = this.#database.now;
    this.unknown.push({ time, ...(one && { dataset: one.dataset }) });
  }

  #withData(work: (namespace: string) => void): void {
    const there = this.#database.definitionsAt(this.#database.now);
    const one = there[this.#random.below(there.length || 1)];
    if (one) work(one.namespace);
  }

  #withRecord(work: (namespace: string, key: Uint8Array) => void): void {
    this.#withData((name) => {
      const dataset = this.#database.datasetOf(name);
      const key = this.key();
      if (this.#isHeld(name, key) || this.#database.get(dataset, key) === undefined) return;
      work(name, key);
    });
  }

  #isHeld(name: string, key: Uint8Array): boolean {
    const dataset = this.#database.datasetOf(name);
    return this.#open.some((transaction) => transaction.holds(dataset, key));
  }

  #touched(name: string): boolean {
    const dataset = this.#database.datasetOf(name);
    return this.#open.some((transaction) => transaction.touches(dataset));
  }

  #unlessHeld(name: string, work: () => void): void {
    if (!this.#touched(name)) work();
  }
}
