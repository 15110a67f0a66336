// Through here passes every call: who is it, may it, is that written down, does it still run. Handlers get a
// proven caller and a signal; errors leave as a status.
import type { ServerUnaryCall, ServerWritableStream, StatusObject } from '@grpc/grpc-js';
import { status as codes } from '@grpc/grpc-js';
import { Mutex } from '../../base/async.ts';
import type { Clock } from '../../base/clock.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import type { ErrorCode } from '../../base/error-catalogue.ts';
import type { Logger } from '../../base/log.ts';
import type { Authorise, Caller, CallerProof, Role } from '../access.ts';
import type { AuditEntry, AuditLog } from '../audit-log.ts';
import { errorDetail } from '../error-detail.ts';
import { asCallError, statusOf } from './status.ts';

/** What a gate needs of the options of a server. */
export interface GateWorld {
  readonly authorise: Authorise;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redact: (text: string) => string;
}

/** What is asked for, as access control and audit see it. */
export interface Deed {
  /** The command's words: `backup`, `key-add`. */
  readonly action: string;
  readonly roles: readonly Role[];
  readonly changes: boolean;
  readonly source?: string | undefined;
  readonly operation?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface Passed {
  readonly caller: Caller;
  /** Aborts when the client hangs up or its deadline has passed. */
  readonly signal: AbortSignal;
}

/** Refusals of strangers that are written down in a minute: nobody from outside is to fill the disk, which stops all work. */
const strangersMax = 60;

type AnyCall = ServerUnaryCall<object, object> | ServerWritableStream<object, object>;

export class Gate {
  readonly #world: GateWorld;
  readonly #draining = new AbortController();
  readonly #calls = new Set<AbortController>();
  /** Entries about what was done that the log could not take. */
  readonly #owed: AuditEntry[] = [];
  readonly #paying = new Mutex();
  #waiting: (() => void)[] = [];
  /** Calls of nobody that is known, in this minute. */
  #strangers = { minute: 0, count: 0 };

  constructor(world: GateWorld) {
    this.#world = world;
  }

  get running(): number {
    return this.#calls.size;
  }

  /** Aborts when the peer begins to stop: streams end, and their clients go on elsewhere. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  drain(): void {
    this.#draining.abort();
  }

  /** Ends what still runs: its clients hear that the peer is stopping. */
  cut(): void {
    for (const call of this.#calls) call.abort(new StoppingError());
  }

  /** Resolves once no call runs. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Carries out `work` if the caller may; rejects with a status, which is what a handler answers. Errors of the codes
   * `elsewhere` are for the client as good as no connection: it asks again, here or at another peer.
   */
  async pass<R>(
    call: AnyCall,
    deed: (caller: Caller | undefined) => Deed,
    work: (passed: Passed) => Promise<R>,
    elsewhere: readonly ErrorCode[] = elsewhereCodes,
  ): Promise<R> {
    const stop = new AbortController();
    call.on('cancelled', () => stop.abort(new CodrError('interrupted', 'the caller hung up')));
    this.#calls.add(stop);
    try {
      return await this.#judge(call, deed, work, stop.signal);
    } catch (thrown) {
      const isCut = stop.signal.reason instanceof StoppingError;
      throw this.#statusOf(isCut ? stop.signal.reason : thrown, call, elsewhere);
    } finally {
      this.#calls.delete(stop);
      if (this.#calls.size === 0) for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  async #judge<R>(
    call: AnyCall,
    deed: (caller: Caller | undefined) => Deed,
    work: (passed: Passed) => Promise<R>,
    signal: AbortSignal,
  ): Promise<R> {
    const caller = this.#world.authorise(proofOf(call));
    const wanted = deed(caller);
    const { action, roles, changes } = wanted;
    const entry = this.#entryOf(wanted, call, caller);
    if (!caller || !roles.some((role) => caller.roles.includes(role))) {
      await this.#noteRefused({ ...entry, outcome: 'refused' });
      throw denied(caller, { action, roles });
    }
    if (!changes) return await work({ caller, signal });
    // First the log, then the deed: a log that cannot be written lets nothing happen.
    await this.#pay();
    await this.#world.audit.append({ ...entry, outcome: 'begun' });
    let result: R;
    try {
      result = await work({ caller, signal });
    } catch (thrown) {
      const { code } = errorDetail(asCallError(thrown), this.#world.redact);
      await this.#note({ ...this.#again(entry), outcome: 'failed', code });
      throw thrown;
    }
    await this.#note({ ...this.#again(entry), ...idOf(result), outcome: 'done' });
    return result;
  }

  /** Refused it is, whatever becomes of the log, of which a stranger is to hear nothing. */
  async #noteRefused(entry: AuditEntry): Promise<void> {
    const { audit, log } = this.#world;
    if (entry.by === undefined && this.#isOneStrangerTooMany(entry)) return;
    await audit.append(entry).catch((error: unknown) => {
      log.error({ error, audit: entry }, 'the audit log does not know of this');
    });
  }

  #isOneStrangerTooMany({ from }: AuditEntry): boolean {
    const minute = Math.floor(this.#world.clock.monotonic() / 60_000);
    if (minute !== this.#strangers.minute) this.#strangers = { minute, count: 0 };
    const count = ++this.#strangers.count;
    if (count === strangersMax + 1) {
      const what = 'more calls of strangers are refused than are written down in a minute';
      this.#world.log.warn({ from, written: strangersMax }, what);
    }
    return count > strangersMax;
  }

  /** What was done was done, whatever becomes of the log: that is owed the entry, and gets it before any other. */
  async #note(entry: AuditEntry): Promise<void> {
    this.#owed.push(entry);
    try {
      await this.#pay();
    } catch (error) {
      this.#world.log.error({ error, audit: entry }, 'the audit log does not know of this yet');
    }
  }

  async #pay(): Promise<void> {
    await this.#paying.run(async () => {
      for (let next = this.#owed[0]; next; next = this.#owed[0]) {
        await this.#world.audit.append(next);
        this.#owed.shift();
      }
    });
  }

  #entryOf(
    { action, source, operation, idempotencyKey }: Deed,
    call: AnyCall,
    caller: Caller | undefined,
  ): Omit<AuditEntry, 'outcome'> {
    return {
      at: this.#now(),
      ...(caller && { by: caller.name }),
      from: call.getPeer(),
      action,
      ...(source !== undefined && { source }),
      ...(operation !== undefined && { operation }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    };
  }

  #again(entry: Omit<AuditEntry, 'outcome'>): Omit<AuditEntry, 'outcome'> {
    return { ...entry, at: this.#now() };
  }

  #statusOf(thrown: unknown, call: AnyCall, elsewhere: readonly ErrorCode[]): StatusObject {
    const { log, redact } = this.#world;
    if (elsewhere.some((code) => isCodrError(thrown, code))) {
      return { ...statusOf(thrown, redact), code: codes.UNAVAILABLE };
    }
    const status = statusOf(thrown, redact);
    const isNews = !(thrown instanceof CodrError) && !call.cancelled;
    if (isNews) log.error({ error: thrown, rpc: call.getPath() }, 'a call failed');
    else log.debug({ error: thrown, rpc: call.getPath() }, 'a call ended with an error');
    return status;
  }

  #now(): string {
    return new Date(this.#world.clock.now()).toISOString();
  }
}

/** Thrown by streams when the peer stops: the client finds another one. */
export class StoppingError extends CodrError {
  constructor() {
    super('peer-unreachable', 'the peer is stopping');
  }
}

/** This peer cannot do it now, and another one may: for clients that is as good as no connection. */
export const elsewhereCodes: readonly ErrorCode[] = [
  'peer-unreachable',
  'coordinator-unreachable',
  'coordinator-replaced',
];

function proofOf(call: AnyCall): CallerProof {
  // Of a certificate that no authority of ours has signed the library shows nothing.
  const commonName: unknown = call.getAuthContext().sslPeerCertificate?.subject?.CN;
  const [header] = call.metadata.get('authorization');
  const token = /^Bearer +(\S+)$/i.exec(String(header ?? ''))?.[1];
  return {
    ...(typeof commonName === 'string' && { certificateName: commonName }),
    // A header that is no token is a wrong one.
    ...(header !== undefined && { token: token ?? '' }),
  };
}

function denied(caller: Caller | undefined, { action, roles }: Pick<Deed, 'action' | 'roles'>) {
  if (!caller) {
    return new CodrError('access-denied', 'the peer does not know the caller', {
      facts: { authenticated: false },
    });
  }
  const needed = roles.join(' or ');
  return new CodrError('access-denied', `${caller.name} may not ${action}: it needs ${needed}`, {
    object: caller.name,
    facts: { authenticated: true, roles: caller.roles, needed: roles },
  });
}

/** Of an operation that was created. */
function idOf(result: unknown): { operation?: string } {
  const made = Object(result) as { id?: unknown; sequence?: unknown };
  return typeof made.id === 'string' && made.sequence !== undefined ? { operation: made.id } : {};
}
