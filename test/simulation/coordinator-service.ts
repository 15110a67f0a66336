// What stands behind the coordinators of all peers of a simulated world, as etcd would: one store of keys with
// leases that end unless they are confirmed. It can lose its quorum, count the time of leases too fast or too
// slowly, and be wiped, whereupon another life of it begins. It looks at all that is written, and fails the world
// for a write that must never succeed.
import assert from 'node:assert/strict';
import { decodeSlots } from '../../src/cluster/slot-codec.ts';
import type { Guard, Lease, Operation, Outcome } from '../../src/coordination/coordinator.ts';
import { MemoryCoordinator } from '../../src/coordination/memory/memory-coordinator.ts';
import {
  endedKey,
  endedRecordOf,
  operationKey,
  ownerKey,
  recordOf,
} from '../../src/node/peer/operation-records.ts';
import type { ManualClock } from '../harness/manual-clock.ts';

/** Of one that runs, or has ended. */
const recordName = /^operations(?:-ended)?\/(.+)$/;

interface Granted {
  readonly lease: Lease;
  readonly ttlMs: number;
  /** When it ends unless it is confirmed before, monotonic. */
  endsMs: number;
}

export class CoordinatorService {
  hasQuorum = true;
  /** How long leases last here, as a share of what was agreed: members' clocks differ. */
  leaseShare = 1;
  memory: MemoryCoordinator;
  /** Counts the lives of the store. */
  life = 1;
  /** Terms of leaders so far, and ends of operations. */
  readonly counts = { terms: 0, ends: 0, expired: 0 };
  /** What must not be and was: errors of the checks. */
  readonly broken: unknown[] = [];
  readonly #clock: ManualClock;
  #granted = new Map<string, Granted>();

  constructor(clock: ManualClock) {
    this.#clock = clock;
    this.memory = new MemoryCoordinator(clock, 'life-1');
  }

  /** All is forgotten. */
  async wipe(): Promise<void> {
    const before = this.memory;
    this.#granted = new Map();
    this.memory = new MemoryCoordinator(this.#clock, `life-${++this.life}`);
    await before[Symbol.asyncDispose]();
  }

  async grant(ttlMs: number): Promise<Lease> {
    const lease = await this.memory.lease(ttlMs);
    const granted = { lease, ttlMs, endsMs: this.#clock.monotonic() + ttlMs * this.leaseShare };
    this.#granted.set(lease.id, granted);
    void this.#watch(granted, this.memory);
    return lease;
  }

  /** False: the lease has ended. */
  confirm(id: string): boolean {
    const granted = this.#granted.get(id);
    if (granted) granted.endsMs = this.#clock.monotonic() + granted.ttlMs * this.leaseShare;
    return granted !== undefined;
  }

  async revoke(id: string): Promise<void> {
    const granted = this.#granted.get(id);
    this.#granted.delete(id);
    await granted?.lease[Symbol.asyncDispose]();
  }

  async transact(
    peer: string,
    guards: readonly Guard[],
    operations: readonly Operation[],
  ): Promise<Outcome> {
    // Asked for in one go: nothing falls between what is read and what is written.
    const before = this.#before(operations);
    const done = this.memory.transact(guards, operations);
    const known = await before;
    const outcome = await done;
    if (!outcome.done) return outcome;
    for (const operation of operations) {
      if (!('put' in operation)) continue;
      try {
        this.#look(peer, operation.put, operation.value, known, outcome.revision);
      } catch (error) {
        this.broken.push(error);
      }
    }
    return outcome;
  }

  async #watch(granted: Granted, memory: MemoryCoordinator): Promise<void> {
    const { lease } = granted;
    while (this.memory === memory && this.#granted.get(lease.id) === granted) {
      const leftMs = granted.endsMs - this.#clock.monotonic();
      // Who cannot agree ends no lease; whoever leads then counts their time anew.
      if (leftMs > 0) await this.#clock.sleep(leftMs);
      else if (!this.hasQuorum) granted.endsMs += granted.ttlMs;
      else {
        this.#granted.delete(lease.id);
        this.counts.expired++;
        memory.expire(lease);
      }
    }
  }

  /** What the checks need to know of the time before a transaction. */
  async #before(operations: readonly Operation[]) {
    const values = new Map<string, string>();
    const need = ['coordinator'];
    for (const operation of operations) {
      const [, id] = ('put' in operation && recordName.exec(operation.put)) || [];
      if (id !== undefined) need.push(operationKey(id), endedKey(id), ownerKey(id));
    }
    let leader = 0;
    const entries = await Promise.all(need.map((key) => this.memory.get(key)));
    for (const [i, key] of need.entries()) {
      const entry = entries[i];
      if (entry) values.set(key, entry.value);
      if (key === 'coordinator') leader = entry?.createRevision ?? 0;
    }
    return { values, leader };
  }

  #look(
    peer: string,
    key: string,
    value: string,
    { values, leader }: { values: ReadonlyMap<string, string>; leader: number },
    revision: number,
  ): void {
    if (key === 'coordinator') {
      assert.equal(leader, 0, `${peer} leads at ${revision} though ${leader} is still led`);
      this.counts.terms++;
    } else if (key === 'slots') {
      const { epoch } = decodeSlots(value);
      const mine = values.get('coordinator') === peer;
      assert.ok(mine && epoch.revision === leader, `${peer} writes slots for a term of the past`);
      assert.equal(epoch.clusterId, this.memory.clusterId);
    } else if (recordName.test(key)) this.#lookAtOperation(peer, key, value, values);
  }

  #lookAtOperation(
    peer: string,
    key: string,
    value: string,
    values: ReadonlyMap<string, string>,
  ): void {
    const { id, state } = endedRecordOf({ value });
    assert.ok(!values.has(endedKey(id)), `${key} is written though it has ended`);
    const before = values.get(operationKey(id));
    if (key === operationKey(id)) {
      assert.equal(state, 'running', `${key} begins at its end`);
      assert.equal(before, undefined, `${key} begins twice`);
      return;
    }
    assert.equal(before && recordOf({ value: before }).state, 'running', `${key} never ran`);
    assert.notEqual(state, 'running', `${key} ends and runs`);
    const owner = values.get(ownerKey(id));
    assert.equal(owner, peer, `${peer} ends ${key}, which ${owner} runs`);
    this.counts.ends++;
  }
}
