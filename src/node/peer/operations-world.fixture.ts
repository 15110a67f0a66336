// Peers over one coordinator, whose only work is `check`: it goes on until the test lets it end.
import assert from 'node:assert/strict';
import { ManualClock } from '../../../test/harness/manual-clock.ts';
import type { Call, CodrApi } from '../../api/codr-api.ts';
import type { OperationStore } from '../../api/operations.ts';
import { CodrError } from '../../base/error.ts';
import { silentLogger } from '../../base/log.ts';
import { SeededRandom } from '../../base/random.ts';
import { Membership, type Peer } from '../../cluster/membership.ts';
import type { Guard, Operation, Outcome } from '../../coordination/coordinator.ts';
import { MemoryCoordinator } from '../../coordination/memory/memory-coordinator.ts';
import { ClusterOperations } from './cluster-operations.ts';
import { valueSeal } from './value-seal.ts';

export const secret = Buffer.alloc(32, 7);
export const request = { readDataPercent: 10, repair: false };

/** Transactions of it go wrong as a test wants. */
export class DoubtfulCoordinator extends MemoryCoordinator {
  /** Of so many transactions to come the outcome is not told, though they happen. */
  doubts = 0;
  /** What it answers is waited for before a transaction happens. */
  hold: (operations: readonly Operation[]) => Promise<void> | undefined = () => undefined;
  /** The same, before anybody is told of a transaction that has happened. */
  tell: (operations: readonly Operation[]) => Promise<void> | undefined = () => undefined;

  override async transact(
    guards: readonly Guard[],
    operations: readonly Operation[],
  ): Promise<Outcome> {
    await this.hold(operations);
    const outcome = await super.transact(guards, operations);
    await this.tell(operations);
    if (this.doubts-- <= 0) return outcome;
    throw new CodrError('transaction-in-doubt', 'nobody says how it went');
  }
}

export class World {
  readonly coordinator = new DoubtfulCoordinator(new ManualClock({ jumps: true }), 'memory');
  readonly peers = new Map<string, OperationStore>();
  /** Names of peers that began the work, in order. */
  readonly begun: string[] = [];
  /** How many of them were told to stop. */
  stopped = 0;
  /** What each found that another had left. */
  readonly handed: unknown[] = [];
  readonly stop = new AbortController();
  readonly #clock: ManualClock | undefined;
  readonly #endings: ((result: CheckOutcome) => void)[] = [];

  /** Of all peers; each has one of its own that jumps unless given. */
  constructor(clock?: ManualClock) {
    this.#clock = clock;
  }

  /** `put` and `delete` of the owner of an operation, from now on. */
  ownersOf(id: string): readonly string[] {
    const told: string[] = [];
    this.coordinator.hold = (operations) => {
      for (const one of operations) {
        const key = 'put' in one ? one.put : one.delete;
        if (key === `operation-owners/${id}`) told.push('put' in one ? 'put' : 'delete');
      }
      return undefined;
    };
    return told;
  }

  async peer(
    name: string,
    options: { readonly runningMax?: number; readonly weight?: number } = {},
  ) {
    const address = `${name}:1`;
    const { weight, ...more } = options;
    const self = { name, address, version: '1', weight: weight ?? 1, state: 'up', startedAt: 1 };
    const membership = await Membership.join(this.coordinator, self as Peer, {
      leaseTtlMs: 10_000,
    });
    const { lease } = membership;
    const peer = new ClusterOperations({
      ...{ coordinator: this.coordinator, lease, name, seal: valueSeal(secret), ...more },
      api: {
        check: (_: unknown, call: Call) => this.#work(name, call),
        backup: (_: unknown, call: Call) => this.#work(name, call),
      } as unknown as CodrApi,
      clock: this.#clock ?? new ManualClock({ jumps: true }),
      random: new SeededRandom(this.peers.size + 1),
      log: silentLogger,
      redact: (text) => text,
      relay: (other) => this.peers.get(other),
    });
    this.peers.set(name, peer);
    const running = peer.run(this.stop.signal);
    return { peer, lease, running, membership };
  }

  /** Lets a work end: the newest one unless said, counted from the first. */
  finish(outcome: CheckOutcome, at = this.#endings.length - 1): void {
    this.#endings[at]?.(outcome);
  }

  async #work(name: string, { signal, progress, handover }: Call) {
    this.begun.push(name);
    const outcome = new Promise<CheckOutcome>((resolve, reject) => {
      this.#endings.push(resolve);
      const stop = (): void => {
        this.stopped++;
        reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
    });
    outcome.catch(() => {});
    this.handed.push(await handover?.read());
    await handover
      ?.write(`${'left by '.repeat(20_000)}${name}`)
      .catch((error) => this.handed.push(error));
    progress?.({ phase: name, records: 1, bytes: 2, seconds: 0 });
    const told = await outcome;
    if (told instanceof CodrError) throw told;
    const { bytesRead, problems } =
      typeof told === 'number' ? { bytesRead: told, problems: [] } : told;
    return { packs: 0, commits: 0, bytesRead, problems, givenUp: [], seconds: 0 };
  }
}

/** Bytes read, or more of the result; an error is thrown. */
type CheckOutcome =
  | number
  | { readonly bytesRead: number; readonly problems: readonly string[] }
  | CodrError;

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 10_000; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.fail('it never came true');
}
