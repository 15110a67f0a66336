// The connections of one session: the cluster as the user's URI names it, and direct ones to the members
// that long reads go to. A member is read when it holds data with all indexes and is not delayed; hidden
// secondaries first, then secondaries, then the primary.
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb';
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { Position, SourceTime } from '../../../model/time.ts';
import { positionOf, timeOf } from './native-time.ts';
import type { Reading } from './raw-cursor.ts';
import {
  codeOf,
  invalidUri,
  isPassing,
  type Side,
  serverCodes,
  translated,
} from './translate-error.ts';

const selectionMsMax = 10_000;
const memberSelectionMsMax = 3_000;
const membersFreshMs = 5_000;
const secondaryState = 2;
/** A member that is further behind what a majority holds is not read, s. */
const lagSecondsMax = 10;
/** A member that does not begin to answer for this long is passed over. */
const answerMsMax = 10_000;
const passedOverMs = 60_000;
/** How long work waits for a primary, and how often it looks for one. */
const electionMsMax = 30_000;
const electionRetryMs = 250;
/** A majority that does not confirm a no-op for this long is an error, not a wait. */
const majorityMsMax = 30_000;

export class MongodbConnection implements AsyncDisposable {
  /** By the URI as given: finds the primary. */
  readonly client: MongoClient;
  /** For messages: host names without login. */
  readonly hosts: string;
  readonly side: Side;
  readonly #uri: string;
  readonly #clock: Clock;
  readonly #direct = new Map<string, MongoClient>();
  #members: { readonly hosts: readonly string[]; readonly readAt: number } | undefined;
  /** Until when a member is left alone after a failure, on the monotonic clock. */
  readonly #passedOver = new Map<string, number>();
  #turn = 0;

  private constructor(client: MongoClient, uri: string, clock: Clock, side: Side) {
    this.client = client;
    this.#uri = uri;
    this.#clock = clock;
    this.side = side;
    this.hosts = client.options.hosts?.map(String).join(',') || (client.options.srvHost ?? '');
  }

  /** Errors: `config-invalid`, `source-unreachable`, `source-rights` or `target-rights`. */
  static async open(
    uri: string,
    clock: Clock,
    side: Side,
    signal: AbortSignal,
  ): Promise<MongodbConnection> {
    let client: MongoClient;
    try {
      // Whatever the URI prefers, writes and the catalog need the primary.
      client = new MongoClient(uri, {
        ...clientOptions(uri, selectionMsMax),
        readPreference: 'primary',
      });
    } catch (error) {
      throw invalidUri(error, uri, side);
    }
    const connection = new MongodbConnection(client, uri, clock, side);
    try {
      await connection.admin({ ping: 1 }, signal);
      return connection;
    } catch (error) {
      await client.close().catch(() => {});
      throw isCodrError(error, `${side}-rights`) ? withoutPassword(error, client) : error;
    }
  }

  reading(signal: AbortSignal): Reading {
    return { signal, clock: this.#clock };
  }

  /** Runs a command on `admin` of the primary. Errors are translated. */
  async admin(command: Document, signal?: AbortSignal): Promise<Document> {
    return this.command('admin', command, signal);
  }

  async command(database: string, command: Document, signal?: AbortSignal): Promise<Document> {
    signal?.throwIfAborted();
    try {
      return await this.client.db(database).command(command, signal && { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw translated(error, this.hosts, this.side);
    }
  }

  /** Newest entry that a majority holds, as the primary knows it. */
  async majority(signal?: AbortSignal): Promise<Position> {
    const hello = await this.admin({ hello: 1 }, signal);
    return positionOf(hello.lastWrite.majorityOpTime);
  }

  /** Newest time of the primary, majority or not; undefined for a server without a replica set. */
  async latest(signal?: AbortSignal): Promise<SourceTime | undefined> {
    const hello = await this.admin({ hello: 1 }, signal);
    return hello.lastWrite?.opTime && positionOf(hello.lastWrite.opTime).time;
  }

  /** Forces the log past now: writes a no-op that a majority holds; its time. Errors: `source-unreachable`. */
  async note(text: string, signal?: AbortSignal): Promise<SourceTime> {
    const reply = await this.admin(
      {
        appendOplogNote: 1,
        data: { msg: text },
        writeConcern: { w: 'majority', wtimeout: majorityMsMax },
      },
      signal,
    );
    return timeOf(reply.operationTime);
  }

  /**
   * Does `work`, and does it again while elections and failing members keep it from ending, for as long as an
   * election may take. For work that may be done twice. A majority that is silent is not asked again.
   */
  async patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const end = this.#clock.monotonic() + electionMsMax;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const isSilent = codeOf(error) === serverCodes.writeConcernTimeout;
        if (!isPassing(error) || isSilent || this.#clock.monotonic() > end) throw error;
        this.#members = undefined;
        await this.#clock.sleep(electionRetryMs, signal);
      }
    }
  }

  /** Members to read from, best first; equal ones take turns. */
  async readers(signal: AbortSignal): Promise<[MongoClient, ...MongoClient[]]> {
    const now = this.#clock.monotonic();
    if (!this.#members || now - this.#members.readAt > membersFreshMs) {
      this.#members = { hosts: await this.#secondaries(signal), readAt: now };
    }
    const hosts = this.#members.hosts.filter((host) => !(now < (this.#passedOver.get(host) ?? 0)));
    const turn = this.#turn++;
    const ordered = hosts.map((_, i) => hosts[(i + turn) % hosts.length] as string);
    const [first, ...others] = ordered.map((host) => this.#directTo(host));
    return first ? [first, ...others, this.client] : [this.client];
  }

  /** After an error of a member: it is left alone for a while, and the set is looked at anew. */
  passOver(client: MongoClient): void {
    this.#members = undefined;
    for (const [host, direct] of this.#direct) {
      if (direct === client) this.#passedOver.set(host, this.#clock.monotonic() + passedOverMs);
    }
  }

  /**
   * Runs `work` on a member of {@link readers}, which must end within ten seconds unless it is the primary:
   * a read at a time that a member never reaches would wait for ever. Errors: `source-unreachable`.
   */
  async within<T>(
    client: MongoClient,
    signal: AbortSignal,
    work: (client: MongoClient, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (client === this.client) return work(client, signal);
    const late = new AbortController();
    const ended = new AbortController();
    const host = client.options.hosts.join(',');
    this.#clock.sleep(answerMsMax, ended.signal).then(
      () => {
        const message = `${host} does not answer within ${answerMsMax / 1000} s`;
        late.abort(new CodrError('source-unreachable', message, { object: host }));
      },
      () => {},
    );
    try {
      return await work(client, AbortSignal.any([signal, late.signal]));
    } finally {
      ended.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [this.client, ...this.#direct.values()];
    await Promise.all(all.map((client) => client.close().catch(() => {})));
  }

  async #secondaries(signal: AbortSignal): Promise<string[]> {
    if (this.client.options.directConnection) return [];
    try {
      const { config } = await this.admin({ replSetGetConfig: 1 }, signal);
      const status = await this.admin({ replSetGetStatus: 1 }, signal);
      const up = new Set<string>();
      const committed = secondsOf(status.optimes?.lastCommittedOpTime);
      for (const member of status.members) {
        const isNear = committed - secondsOf(member.optime) <= lagSecondsMax;
        if (member.state === secondaryState && member.health === 1 && isNear) up.add(member.name);
      }
      const fit = (config.members as Document[]).filter(
        (member) => isReadable(member) && up.has(member.host),
      );
      const hidden = fit.filter((member) => member.hidden);
      return (hidden.length > 0 ? hidden : fit).map((member) => member.host as string);
    } catch (error) {
      signal.throwIfAborted();
      if (codeOf(error) === serverCodes.unauthorized) return [];
      throw error;
    }
  }

  #directTo(host: string): MongoClient {
    const known = this.#direct.get(host);
    if (known) return known;
    const uri = directUri(this.#uri, host, this.client);
    const client = new MongoClient(uri, clientOptions(uri, memberSelectionMsMax));
    this.#direct.set(host, client);
    return client;
  }
}

/** A login that was refused for want of a password says so. */
function withoutPassword(error: CodrError, client: MongoClient): CodrError {
  const { username, password, mechanism } = client.options.credentials ?? {};
  const isByPassword = mechanism === undefined || /^(DEFAULT|SCRAM|PLAIN)/.test(mechanism);
  if (!username || password || !isByPassword) return error;
  return new CodrError(error.code, `${error.message}: no password was given for ${username}`, {
    ...(error.object !== undefined && { object: error.object }),
    remedy: 'put the password into the URI, or name a file of it',
    cause: error.cause,
  });
}

/** Not an arbiter, not delayed (`slaveDelay` before 5.0), with all indexes. */
function isReadable(member: Document): boolean {
  const delay = Number(member.secondaryDelaySecs ?? member.slaveDelay ?? 0);
  return !member.arbiterOnly && delay === 0 && member.buildIndexes !== false;
}

/** Whole seconds of an optime of `replSetGetStatus`; 0 when the member has none. */
function secondsOf(optime: Document | undefined): number {
  return optime?.ts ? Number(timeOf(optime.ts) >> 32n) : 0;
}

/** What the URI says wins over our limits. */
function clientOptions(uri: string, waitMsMax: number): MongoClientOptions {
  const options: MongoClientOptions = { appName: 'codr' };
  for (const name of ['serverSelectionTimeoutMS', 'connectTimeoutMS'] as const) {
    if (!uri.toLowerCase().includes(`${name.toLowerCase()}=`)) options[name] = waitMsMax;
  }
  return options;
}

/** Options of a URI that have no meaning for one member. */
const clusterOptions = /^(replicaset|readpreference\w*|directconnection|loadbalanced|srv\w*)$/i;

/** The same login, TLS and other options, for one member alone. */
function directUri(uri: string, host: string, client: MongoClient): string {
  const [, scheme, login = '', , rest = ''] =
    /^(mongodb(?:\+srv)?):\/\/(?:([^@/]*)@)?([^/?]*)\/?(.*)$/s.exec(uri) ?? [];
  const [, query = ''] = /\?(.*)$/s.exec(rest) ?? [];
  const kept = query.split('&').filter((pair) => pair && !clusterOptions.test(pair.split('=')[0]!));
  const has = (name: string): boolean =>
    kept.some((pair) => pair.toLowerCase().startsWith(`${name.toLowerCase()}=`));
  const source = client.options.credentials?.source;
  if (source && !has('authSource')) kept.push(`authSource=${encodeURIComponent(source)}`);
  // The driver turns TLS on by itself for mongodb+srv only.
  if (scheme === 'mongodb+srv' && !has('tls') && !has('ssl')) kept.push('tls=true');
  kept.push('directConnection=true');
  return `mongodb://${login && `${login}@`}${host}/?${kept.join('&')}`;
}
