// Operations of a cluster: kept in the coordinator, run by one peer at a time under its lease. When that peer is
// lost another takes the operation and runs the same request again, which resumes the work.
// Progress is not kept: who watches from elsewhere is relayed to the peer that runs it.
import { checkIdempotencyKey, keyUsedBefore } from '../../api/idempotency.ts';
import {
  isEnded,
  type Operation,
  type OperationEvent,
  type OperationKind,
  type OperationRequest,
  type OperationStore,
  sourceOf,
} from '../../api/operations.ts';
import { toHex } from '../../base/bytes.ts';
import { isCodrError } from '../../base/error.ts';
import type { CoordinatorEntry, Outcome } from '../../coordination/coordinator.ts';
import { entryOf, listRecords, tidyEnded } from './operation-archive.ts';
import { isStream } from './operation-end.ts';
import { OperationHints } from './operation-hints.ts';
import {
  askedMarks,
  cancelKey,
  cancelsPrefix,
  describeOperation,
  type EndedRecord,
  endedRecordOf,
  idempotencyName,
  type KeyRecord,
  type OperationRecord,
  operationKey,
  operationsPrefix,
  ownerKey,
  ownersPrefix,
  recordOf,
  sealedRequest,
  unknownOperation,
} from './operation-records.ts';
import { OperationRunner, type OperationRunnerOptions } from './operation-runner.ts';
import { OperationTurns } from './operation-turns.ts';

export interface ClusterOperationsOptions extends OperationRunnerOptions {
  /** The operations of another peer, where it can be reached. */
  relay(peer: string): OperationStore | undefined;
}

/** What nobody runs, as a look finds it. */
interface Orphan {
  readonly entry: CoordinatorEntry;
  readonly record: OperationRecord;
  readonly isCancelled: boolean;
}

const retryMs = 2000;
/** After a look so many times what it took, up to that. */
const restShare = 3;
const restMsMax = 1000;
/** How long another peer is asked how an operation goes: a frozen one does not say. */
const relayMs = 3000;
/** Before a peer that did not answer is asked again for what it runs. */
const relayAgainMs = 1500;

export class ClusterOperations implements OperationStore {
  readonly #options: ClusterOperationsOptions;
  readonly #runner: OperationRunner;
  readonly #turns: OperationTurns;
  /** Of the loop that looks for work. */
  #hints: OperationHints | undefined;
  /** Ended ones that an older version left among those that run. */
  #left: readonly CoordinatorEntry[] = [];
  /** Something has ended since ended ones were tidied up. */
  #isUntidy = false;
  #tidying: Promise<void> | undefined;

  constructor(options: ClusterOperationsOptions) {
    this.#options = options;
    this.#turns = new OperationTurns(options);
    this.#runner = new OperationRunner(options, () => {
      this.#hints?.nudge();
      this.#isUntidy = true;
      this.#tidying ??= this.#tidy();
    });
  }

  /** How many this peer runs. */
  get running(): number {
    return this.#runner.running;
  }

  /** Sources whose backups this peer runs. */
  get backedUp(): readonly string[] {
    return this.#runner.backedUp;
  }

  /** Takes what nobody runs, and ends what is cancelled; until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        using hints = this.#changes(signal);
        this.#hints = hints;
        while (await hints.next(await this.#lookAndRest(signal)));
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ error }, 'operations wait for the coordinator');
        await clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }

  /** Gives back what this peer runs, for others to go on with; takes nothing more. */
  async drain(): Promise<void> {
    await this.#runner.drain();
    await this.#tidying;
  }

  /** A stream begins at the peer whose turn it is, all else here. Errors: `busy` when this peer has no room. */
  async create(
    kind: OperationKind,
    request: OperationRequest,
    idempotencyKey: string,
    by: string,
  ): Promise<Operation> {
    checkIdempotencyKey(idempotencyKey);
    const { coordinator, seal, random, clock, name, lease } = this.#options;
    const key = idempotencyName(by, idempotencyKey);
    const asked = askedMarks(seal, kind, request);
    const source = sourceOf(request);
    const id = toHex(random.bytes(8));
    const record: OperationRecord = {
      ...{ id, kind, by, key, state: 'running', sequence: 0 },
      ...(source !== undefined && { source }),
      created: new Date(clock.now()).toISOString(),
      request: sealedRequest(seal, request),
    };
    const puts = [
      { put: key, value: JSON.stringify({ id, asked: asked[0] } satisfies KeyRecord) },
      { put: operationKey(id), value: JSON.stringify(record) },
    ];
    const guard = { key, createRevision: 0 };
    const isElsewhere = isStream(kind, request) && !(await this.#turns.isFirst(record));
    let made: Promise<Outcome>;
    if (this.#runner.isDraining || isElsewhere) {
      made = this.#runner.asking(id, () => coordinator.transact([guard], puts));
    } else if (this.#runner.isFull) {
      return (await this.#madeBefore(key, asked)) ?? this.#runner.refuseMore();
    } else {
      const owning = [...puts, { put: ownerKey(id), value: name, lease }];
      made = this.#runner.claim(() => coordinator.transact([guard], owning), record, false);
    }
    return await this.#asMade(made, record, asked);
  }

  async get(id: string): Promise<Operation> {
    const live = await this.#runner.live(id);
    if (live) return live;
    const { record, owner, cancelling } = await this.#read(id);
    if (record.state === 'running' && owner && owner.value !== this.#options.name) {
      const there = await this.#relayed(owner.value, (store) => store.get(id));
      if (there) return there;
    }
    return await this.#describe(record, cancelling, true);
  }

  async list(only: 'running' | 'all' = 'all'): Promise<readonly Operation[]> {
    const { coordinator } = this.#options;
    const cancels = new Set((await coordinator.list(cancelsPrefix)).map(({ key }) => key));
    const operations: Operation[] = [];
    for (const record of await listRecords(coordinator, only)) {
      const cancelling = cancels.has(cancelKey(record.id));
      const live = await this.#runner.live(record.id);
      operations.push(live ?? (await this.#describe(record, cancelling, false)));
    }
    return operations.sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  async *watch(
    id: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEvent> {
    const { relay } = this.#options;
    using hints = this.#changes(signal);
    let seen = afterSequence;
    for (;;) {
      signal.throwIfAborted();
      const mine = this.#runner.watch(id, seen, signal);
      const { record, owner } = await this.#read(id);
      if (record.state !== 'running') {
        if (record.sequence <= seen) return;
        const changed = await this.get(id);
        return void (yield { sequence: record.sequence, at: record.ended ?? '', changed });
      }
      try {
        for await (const told of mine ??
          (owner && relay(owner.value)?.watch(id, seen, signal)) ??
          []) {
          // How it ends is told once it is written down.
          if (told.changed && isEnded(told.changed)) break;
          seen = told.sequence;
          yield told;
        }
      } catch (error) {
        signal.throwIfAborted();
        // Whatever keeps its owner from telling: how it ends is heard of all the same.
        if (!isCodrError(error)) throw error;
      }
      // Until its owner, or how it ended, is another one: of that there is a hint. Of a line that is whole again
      // there is none.
      if (!(await hints.next(owner && relayAgainMs))) signal.throwIfAborted();
    }
  }

  async cancel(id: string): Promise<Operation> {
    const { coordinator } = this.#options;
    const { entry, record } = await this.#read(id);
    if (record.state !== 'running') return await this.get(id);
    const guard = { key: entry.key, modifyRevision: entry.modifyRevision };
    await coordinator.transact([guard], [{ put: cancelKey(id), value: '' }]);
    await this.#look();
    return await this.get(id);
  }

  /**
   * One look at everything: what has no owner is taken, what is to be cancelled is told. Answers after how many ms to
   * look again, though nothing changes.
   */
  async #look(): Promise<number | undefined> {
    const { coordinator, name } = this.#options;
    const entries = await coordinator.list(operationsPrefix);
    const listed = await coordinator.list(ownersPrefix);
    const owners = new Map(listed.map((owner) => [owner.key, owner]));
    const cancels = new Set((await coordinator.list(cancelsPrefix)).map(({ key }) => key));
    const orphans: Orphan[] = [];
    const left: CoordinatorEntry[] = [];
    for (const entry of entries) {
      const record = recordOf(entry);
      const { id } = record;
      if (record.state !== 'running') {
        left.push(entry);
        continue;
      }
      const isCancelled = cancels.has(cancelKey(id));
      const owner = owners.get(ownerKey(id));
      if (this.#runner.runs(id)) {
        if (isCancelled) await this.#runner.cancel(id);
      } else if (this.#runner.isDraining) continue;
      else if (!owner) orphans.push({ entry, record, isCancelled });
      else if (owner.value === name && this.#runner.settleDoubt(id)) {
        await this.#runner.begin(record, owner.createRevision, isCancelled);
      }
    }
    this.#left = left;
    return await this.#takeInTurn(orphans, listed);
  }

  /**
   * A coordinator that is slow is asked less often: after it was away everything begins anew, each begin is a hint for
   * every peer, and each look reads all that runs.
   */
  async #lookAndRest(signal: AbortSignal): Promise<number | undefined> {
    const { clock } = this.#options;
    const beganMs = clock.monotonic();
    const nextMs = await this.#look();
    const restMs = Math.min(restMsMax, (clock.monotonic() - beganMs) * restShare);
    if (restMs > 0) await clock.sleep(restMs, signal).catch(() => {});
    return nextMs && Math.max(0, nextMs - restMs);
  }

  /** Hints of what begins, ends, or goes to another peer. */
  #changes(signal: AbortSignal): OperationHints {
    const { coordinator, clock } = this.#options;
    const prefixes = [operationsPrefix, ownersPrefix, cancelsPrefix];
    return new OperationHints(coordinator, prefixes, { clock, signal });
  }

  /** Once more for all that has ended while it was under way. */
  async #tidy(): Promise<void> {
    const { coordinator, log } = this.#options;
    while (this.#isUntidy && !this.#runner.isDraining) {
      this.#isUntidy = false;
      try {
        await tidyEnded(coordinator, this.#left);
      } catch (error) {
        log.warn({ error }, 'old operations are forgotten when the next one ends');
      }
    }
    this.#tidying = undefined;
  }

  /** What is cancelled anyone ends. Answers as {@link #look}. */
  async #takeInTurn(
    orphans: readonly Orphan[],
    owners: readonly CoordinatorEntry[],
  ): Promise<number | undefined> {
    const records = orphans.map(({ record }) => record);
    const waits = await this.#turns.waits(records, owners);
    let nextMs: number | undefined;
    for (const orphan of orphans) {
      const { id } = orphan.record;
      const waitMs = waits.get(id) ?? 0;
      if (orphan.isCancelled) await this.#take(orphan);
      else if (this.#runner.isUnfit(id) || this.#runner.isFull) continue;
      else if (waitMs > 0) nextMs = Math.min(waitMs, nextMs ?? waitMs);
      else await this.#take(orphan);
    }
    return nextMs;
  }

  /** Runs what nobody runs. */
  async #take({ entry, record, isCancelled }: Orphan): Promise<void> {
    const { coordinator, lease, name } = this.#options;
    const owner = ownerKey(record.id);
    const guards = [
      { key: owner, createRevision: 0 },
      { key: entry.key, modifyRevision: entry.modifyRevision },
    ];
    const take = () => coordinator.transact(guards, [{ put: owner, value: name, lease }]);
    await this.#runner.claim(take, record, isCancelled);
  }

  /** What became of asking for it. */
  async #asMade(
    made: Promise<Outcome>,
    { id, key }: OperationRecord,
    asked: readonly string[],
  ): Promise<Operation> {
    try {
      if ((await made).done) return await this.get(id);
    } catch (error) {
      // What happened already has told its hint already; of what happens later there will be one.
      if (this.#runner.isDoubted(id)) await this.#look();
      throw error;
    }
    return (await this.#madeBefore(key, asked)) ?? (await this.get(id));
  }

  /** What the key has made before. Errors: `usage` when that was asked for otherwise. */
  async #madeBefore(key: string, asked: readonly string[]): Promise<Operation | undefined> {
    const entry = await this.#options.coordinator.get(key);
    if (!entry) return undefined;
    const before = JSON.parse(entry.value) as KeyRecord;
    if (asked.includes(before.asked)) return await this.get(before.id);
    throw keyUsedBefore(before.id);
  }

  async #read(id: string): Promise<{
    readonly entry: CoordinatorEntry;
    readonly record: EndedRecord;
    readonly owner: CoordinatorEntry | undefined;
    readonly cancelling: boolean;
  }> {
    const { coordinator } = this.#options;
    const entry = await entryOf(coordinator, id);
    if (!entry) throw unknownOperation(id);
    const owner = await coordinator.get(ownerKey(id));
    const cancelling = (await coordinator.get(cancelKey(id))) !== undefined;
    return { entry, record: endedRecordOf(entry), owner, cancelling };
  }

  async #describe(
    record: EndedRecord,
    cancelling: boolean,
    withResult: boolean,
  ): Promise<Operation> {
    const { coordinator, seal } = this.#options;
    return await describeOperation(coordinator, seal, record, { cancelling, withResult });
  }

  /** Undefined when the peer cannot be asked, or says nothing. */
  async #relayed<T>(
    peer: string,
    ask: (store: OperationStore) => Promise<T>,
  ): Promise<T | undefined> {
    const { relay, clock } = this.#options;
    const store = relay(peer);
    if (!store) return undefined;
    const done = new AbortController();
    const silence = clock.sleep(relayMs, done.signal).then(() => undefined);
    try {
      return await Promise.race([ask(store), silence]);
    } catch (error) {
      if (isCodrError(error)) return undefined;
      throw error;
    } finally {
      done.abort();
    }
  }
}
