// Operations of a cluster: kept in the coordinator, run by one peer at a time under its lease. When that peer is
// lost another takes the operation and runs the same request again, which resumes the work.
// Progress is not kept: who watches from elsewhere is relayed to the peer that runs it.
import type { CodrApi } from '../../api/codr-api.ts';
import { checkIdempotencyKey, keyUsedBefore } from '../../api/idempotency.ts';
import { LocalOperations } from '../../api/local-operations.ts';
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
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type {
  Coordinator,
  CoordinatorEntry,
  Lease,
  Outcome,
} from '../../coordination/coordinator.ts';
import { base, translated, translatedEvent } from './operation-events.ts';
import { handoverOf } from './operation-handover.ts';
import {
  askedHash,
  cancelKey,
  cancelsPrefix,
  describeOperation,
  forgetOld,
  idempotencyName,
  type KeyRecord,
  type OperationRecord,
  openedRequest,
  operationKey,
  operationsPrefix,
  ownerKey,
  ownersPrefix,
  recordOf,
  sealedError,
  sealedRequest,
  toldAfterTakeover,
  writeResult,
} from './operation-records.ts';
import type { ValueSeal } from './value-seal.ts';

export interface ClusterOperationsOptions {
  readonly coordinator: Coordinator;
  /** Of this peer; what it runs hangs on it. */
  readonly lease: Lease;
  readonly name: string;
  /** Carries out what is asked for. */
  readonly api: CodrApi;
  readonly seal: ValueSeal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly redact: (text: string) => string;
  /** The operations of another peer, where it can be reached. */
  relay(peer: string): OperationStore | undefined;
}

/** What this peer runs: the claim, and the work behind it. */
interface Owned {
  /** Create revision of the owner's key: later owners have larger ones. */
  readonly claim: number;
  /** In {@link LocalOperations}. */
  readonly localId: string;
  /** The source, of a backup. */
  readonly backsUp?: string;
}

const retryMs = 2000;

export class ClusterOperations implements OperationStore {
  readonly #options: ClusterOperationsOptions;
  readonly #local: LocalOperations;
  readonly #owned = new Map<string, Owned>();
  /** Operations that this peer asked to run, and does not know whether it may. */
  readonly #doubted = new Set<string>();
  /** What goes on until an end is written down. */
  readonly #endings = new Set<Promise<void>>();
  #draining = false;

  constructor(options: ClusterOperationsOptions) {
    this.#options = options;
    this.#local = new LocalOperations(options.api, options);
  }

  /** How many this peer runs. */
  get running(): number {
    return this.#owned.size;
  }

  /** Sources whose backups this peer runs. */
  get backedUp(): readonly string[] {
    return [...this.#owned.values()].flatMap(({ backsUp }) => backsUp ?? []);
  }

  /** Takes what nobody runs, and ends what is cancelled; until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { coordinator, clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        const hints = coordinator.watch('operation', signal)[Symbol.asyncIterator]();
        do await this.#look();
        while (!(await hints.next()).done);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ error }, 'operations wait for the coordinator');
        await clock.sleep(retryMs, signal).catch(() => {});
      }
    }
  }

  /** Gives back what this peer runs, for others to go on with; takes nothing more. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#local[Symbol.asyncDispose]();
    await Promise.all(this.#endings);
  }

  async create(
    kind: OperationKind,
    request: OperationRequest,
    idempotencyKey: string,
    by: string,
  ): Promise<Operation> {
    checkIdempotencyKey(idempotencyKey);
    const { coordinator, seal, random, clock, lease, name } = this.#options;
    const key = idempotencyName(by, idempotencyKey);
    const asked = askedHash(kind, request);
    const source = sourceOf(request);
    const id = toHex(random.bytes(8));
    const record: OperationRecord = {
      ...{ id, kind, by, key, state: 'running', sequence: 0 },
      ...(source !== undefined && { source }),
      created: new Date(clock.now()).toISOString(),
      request: sealedRequest(seal, request),
    };
    const puts = [
      { put: key, value: JSON.stringify({ id, asked } satisfies KeyRecord) },
      { put: operationKey(id), value: JSON.stringify(record) },
      ...(this.#draining ? [] : [{ put: ownerKey(id), value: name, lease }]),
    ];
    const made = await this.#asking(id, () =>
      coordinator.transact([{ key, createRevision: 0 }], puts),
    ).catch(async (error: unknown) => {
      // What happened already has told its hint already; of what happens later there will be one.
      if (this.#doubted.has(id)) await this.#look();
      throw error;
    });
    if (!made.done) return await this.#madeBefore(key, asked);
    if (!this.#draining) await this.#start(record, made.revision);
    return await this.get(id);
  }

  async get(id: string): Promise<Operation> {
    const live = await this.#live(id);
    if (live) return live;
    const { record, owner, cancelling } = await this.#read(id);
    if (record.state === 'running' && owner && owner.value !== this.#options.name) {
      const there = await this.#relayed(owner.value, (store) => store.get(id));
      if (there) return there;
    }
    return await this.#describe(record, cancelling, true);
  }

  async list(): Promise<readonly Operation[]> {
    const { coordinator } = this.#options;
    const cancels = new Set((await coordinator.list(cancelsPrefix)).map(({ key }) => key));
    const records = (await coordinator.list(operationsPrefix)).map(recordOf);
    const operations: Operation[] = [];
    for (const record of records) {
      const cancelling = cancels.has(cancelKey(record.id));
      const live = await this.#live(record.id);
      operations.push(live ?? (await this.#describe(record, cancelling, false)));
    }
    return operations.sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  async *watch(
    id: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<OperationEvent> {
    const hints = this.#options.coordinator.watch('operation', signal)[Symbol.asyncIterator]();
    let seen = afterSequence;
    for (;;) {
      signal.throwIfAborted();
      const mine = this.#owned.get(id);
      const { record, owner } = await this.#read(id);
      if (record.state !== 'running') {
        if (record.sequence <= seen) return;
        const changed = await this.get(id);
        return void (yield { sequence: record.sequence, at: record.ended ?? '', changed });
      }
      const events = mine
        ? this.#local.watch(mine.localId, Math.max(0, seen - base(mine)), signal)
        : owner && this.#options.relay(owner.value)?.watch(id, seen, signal);
      try {
        for await (const event of events ?? []) {
          const told = mine ? translatedEvent(id, mine, event) : event;
          // How it ends is told once it is written down.
          if (told.changed && isEnded(told.changed)) break;
          seen = told.sequence;
          yield told;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!isCodrError(error, 'peer-unreachable') && !isCodrError(error, 'operation-unknown')) {
          throw error;
        }
      }
      // Until its owner, or how it ended, is another one.
      if ((await hints.next()).done) signal.throwIfAborted();
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

  /** One look at everything: what has no owner is taken, what is to be cancelled is told. */
  async #look(): Promise<void> {
    const { coordinator, name } = this.#options;
    const entries = await coordinator.list(operationsPrefix);
    const listed = await coordinator.list(ownersPrefix);
    const owners = new Map(listed.map((owner) => [owner.key, owner]));
    const cancels = new Set((await coordinator.list(cancelsPrefix)).map(({ key }) => key));
    for (const entry of entries) {
      const record = recordOf(entry);
      const { id } = record;
      if (record.state !== 'running') continue;
      if (!this.#owned.has(id) && !this.#draining) {
        const owner = owners.get(ownerKey(id));
        if (!owner) await this.#take(entry, record);
        else if (owner.value === name && this.#doubted.delete(id)) {
          await this.#start(record, owner.createRevision);
        }
      }
      const mine = this.#owned.get(id);
      if (mine && cancels.has(cancelKey(id))) await this.#local.cancel(mine.localId);
    }
    await forgetOld(coordinator, entries);
  }

  /** Runs what nobody runs. */
  async #take({ key, modifyRevision }: CoordinatorEntry, record: OperationRecord): Promise<void> {
    const { coordinator, lease, name } = this.#options;
    const owner = ownerKey(record.id);
    const guards = [
      { key: owner, createRevision: 0 },
      { key, modifyRevision },
    ];
    const taken = await this.#asking(record.id, () =>
      coordinator.transact(guards, [{ put: owner, value: name, lease }]),
    );
    if (taken.done) await this.#start(record, taken.revision);
  }

  /** When nobody says how it went, this peer may be the owner all the same: a later look shows it. */
  async #asking(id: string, transact: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await transact();
    } catch (error) {
      if (isCodrError(error, 'transaction-in-doubt')) this.#doubted.add(id);
      throw error;
    }
  }

  async #start(record: OperationRecord, claim: number): Promise<void> {
    const { coordinator, seal, log, name } = this.#options;
    const { id, kind, by, source } = record;
    this.#doubted.delete(id);
    const request = openedRequest(seal, record);
    const handover = handoverOf(coordinator, seal, { id, claim });
    const local = await this.#local.create(kind, request, `${id} ${claim}`, by, handover);
    const backsUp = kind === 'backup' && source !== undefined ? { backsUp: source } : {};
    this.#owned.set(id, { claim, localId: local.id, ...backsUp });
    log.info({ operation: id, kind, peer: name }, 'an operation runs here');
    const ending = this.#toEnd(record, { claim, localId: local.id });
    this.#endings.add(ending);
    void ending.finally(() => this.#endings.delete(ending));
  }

  /** What this peer runs; how it ended is not told before it is written down. */
  async #live(id: string): Promise<Operation | undefined> {
    const mine = this.#owned.get(id);
    if (!mine) return undefined;
    const operation = await this.#local.get(mine.localId);
    return isEnded(operation) ? undefined : translated(id, mine, operation);
  }

  /** Waits for the end of the work and writes it down, as long as this peer may. */
  async #toEnd(record: OperationRecord, owned: Owned): Promise<void> {
    const { id } = record;
    const { clock, log, lease } = this.#options;
    const forever = new AbortController().signal;
    for await (const _ of this.#local.watch(owned.localId, 0, forever));
    while (!lease.lost.aborted) {
      try {
        await this.#writeEnd(record, owned);
        break;
      } catch (error) {
        log.warn({ operation: id, error }, 'how an operation ended is not written down yet');
        await clock.sleep(retryMs, lease.lost).catch(() => {});
      }
    }
    if (this.#owned.get(id)?.claim === owned.claim) this.#owned.delete(id);
  }

  async #writeEnd(record: OperationRecord, owned: Owned): Promise<void> {
    const { coordinator, seal, clock } = this.#options;
    const { id, kind } = record;
    const request = openedRequest(seal, record);
    const ended = await this.#local.get(owned.localId);
    const guards = [{ key: ownerKey(id), createRevision: owned.claim }];
    const cancelled = await coordinator.get(cancelKey(id));
    // Stopped because this peer stops: others go on with it. What has no end of its own says so by ending well.
    const isEndless = kind === 'backup' && 'follow' in request && request.follow;
    const isStopped = ended.state === 'cancelled' || (this.#draining && isEndless);
    if (isStopped && !cancelled) {
      await coordinator.transact(guards, [{ delete: ownerKey(id) }]);
      return;
    }
    const { result, error, state } = ended;
    const told = error && (await toldAfterTakeover(coordinator, { id, claim: owned.claim }, error));
    const parts = state === 'done' ? await writeResult(coordinator, seal, { id, result }) : 0;
    const value: OperationRecord = {
      ...record,
      state,
      ended: new Date(clock.now()).toISOString(),
      sequence: base(owned) + ended.sequence,
      ...(parts > 0 && { resultParts: parts }),
      ...(told && { error: sealedError(seal, told) }),
    };
    await coordinator.transact(guards, [
      { put: operationKey(id), value: JSON.stringify(value) },
      { delete: ownerKey(id) },
      { delete: cancelKey(id) },
    ]);
  }

  async #madeBefore(key: string, asked: string): Promise<Operation> {
    const entry = await this.#options.coordinator.get(key);
    const before = entry && (JSON.parse(entry.value) as KeyRecord);
    if (before?.asked === asked) return await this.get(before.id);
    throw keyUsedBefore(before?.id ?? '');
  }

  async #read(id: string): Promise<{
    readonly entry: CoordinatorEntry;
    readonly record: OperationRecord;
    readonly owner: CoordinatorEntry | undefined;
    readonly cancelling: boolean;
  }> {
    const { coordinator } = this.#options;
    const entry = await coordinator.get(operationKey(id));
    if (!entry) {
      throw new CodrError('operation-unknown', `no operation has the id ${id}`, { object: id });
    }
    const owner = await coordinator.get(ownerKey(id));
    const cancelling = (await coordinator.get(cancelKey(id))) !== undefined;
    return { entry, record: recordOf(entry), owner, cancelling };
  }

  async #describe(
    record: OperationRecord,
    cancelling: boolean,
    withResult: boolean,
  ): Promise<Operation> {
    const { coordinator, seal } = this.#options;
    return await describeOperation(coordinator, seal, record, { cancelling, withResult });
  }

  /** Undefined when the peer cannot be asked. */
  async #relayed<T>(
    peer: string,
    ask: (store: OperationStore) => Promise<T>,
  ): Promise<T | undefined> {
    const store = this.#options.relay(peer);
    try {
      return store && (await ask(store));
    } catch (error) {
      if (isCodrError(error)) return undefined;
      throw error;
    }
  }
}
