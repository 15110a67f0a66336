// Control through Jolokia: JMX as JSON over HTTP, 2 to 5 ms a call. An answer is HTTP 200 even for a failure:
// its `status` in the body decides. Operations that are overloaded carry their signature; names and
// signatures are the same in 4.0, 4.1 and 5.0 (StorageServiceMBean, ColumnFamilyStoreMBean).
import { readFile } from 'node:fs/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import { z } from 'zod';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { ControlConfig } from './cassandra-config.ts';
import {
  type CallOptions,
  deadlines,
  type NodeControl,
  type NodeIdentity,
  type NodeStrain,
  withinDeadline,
} from './control.ts';
import type { RingMember } from './ring-members.ts';

const storage = 'org.apache.cassandra.db:type=StorageService';
const metrics = 'org.apache.cassandra.metrics:type=';
/** An answer is a few KiB; a ring of a thousand nodes some MiB. */
const answerBytesMax = 64 << 20;

type Body = Readonly<Record<string, unknown>>;
type JolokiaConfig = Extract<ControlConfig, { jolokia: string }>;

const answer = z.object({
  status: z.number(),
  value: z.unknown().optional(),
  error: z.string().optional(),
});
const attributes = z.object({
  LocalHostId: z.string(),
  ClusterName: z.string(),
  ReleaseVersion: z.string(),
  OperationMode: z.string(),
});

/** By the name of the bean: its attributes. */
const beans = z.record(z.string(), z.record(z.string(), z.number()));

const ringAttributes = z.object({
  TokenToEndpointWithPortMap: z.record(z.string(), z.string()),
  EndpointWithPortToHostId: z.record(z.string(), z.string()),
  JoiningNodesWithPort: z.array(z.string()),
});

export class JolokiaControl implements NodeControl {
  readonly address: string;
  readonly kind = 'jolokia';
  readonly #url: URL;
  readonly #username: string | undefined;
  readonly #passwordFile: string | undefined;
  readonly #agent: http.Agent;

  constructor(address: string, { jolokia, username, passwordFile }: JolokiaConfig) {
    this.address = address;
    this.#url = new URL(jolokia.endsWith('/') ? jolokia : `${jolokia}/`);
    this.#username = username;
    this.#passwordFile = passwordFile;
    // Connections are made anew: a node that restarted between two cuts leaves none half dead.
    this.#agent = this.#url.protocol === 'https:' ? new https.Agent() : new http.Agent();
  }

  async identity(call: CallOptions): Promise<NodeIdentity> {
    const names = Object.keys(attributes.shape);
    const what = 'say who it is';
    const read = await this.#ask(what, { type: 'read', mbean: storage, attribute: names }, call);
    const start = await this.#read(what, 'java.lang:type=Runtime', 'StartTime', call);
    const found = this.#shape(attributes, read, what);
    return {
      hostId: found.LocalHostId,
      clusterName: found.ClusterName,
      releaseVersion: found.ReleaseVersion,
      operationMode: found.OperationMode,
      jvmStartMs: this.#shape(z.number(), start, what),
    };
  }

  async flush(keyspace: string, tables: readonly string[], call: CallOptions): Promise<void> {
    const operation = 'forceKeyspaceFlush(java.lang.String,[Ljava.lang.String;)';
    const options = { deadlineMs: deadlines.flush, ...call };
    await this.#exec(`flush ${keyspace}`, operation, [keyspace, tables], options);
  }

  async takeSnapshot(
    tag: string,
    tables: readonly string[],
    { skipFlush }: { readonly skipFlush: boolean },
    call: CallOptions,
  ): Promise<void> {
    const operation = 'takeSnapshot(java.lang.String,java.util.Map,[Ljava.lang.String;)';
    const given = [tag, { skipFlush: String(skipFlush) }, tables];
    const options = { deadlineMs: deadlines.snapshot, ...call };
    await this.#exec(`take snapshot ${tag}`, operation, given, options);
  }

  async clearSnapshot(tag: string, call: CallOptions): Promise<void> {
    const operation = 'clearSnapshot(java.lang.String,[Ljava.lang.String;)';
    const options = { deadlineMs: deadlines.snapshot, ...call };
    await this.#exec(`clear snapshot ${tag}`, operation, [tag, []], options);
  }

  async incrementalBackups(call: CallOptions): Promise<boolean> {
    const what = 'read incremental_backups';
    const value = await this.#read(what, storage, 'IncrementalBackupsEnabled', call);
    return this.#shape(z.boolean(), value, what);
  }

  async setIncrementalBackups(on: boolean, call: CallOptions): Promise<void> {
    const attribute = 'IncrementalBackupsEnabled';
    const body = { type: 'write', mbean: storage, attribute, value: on };
    await this.#ask(`set incremental_backups to ${on}`, body, call);
  }

  async pendingCompactions(call: CallOptions): Promise<number> {
    const what = 'count pending compactions';
    const bean = `${metrics}Compaction,name=PendingTasks`;
    return this.#shape(z.number(), await this.#read(what, bean, 'Value', call), what);
  }

  async strain(call: CallOptions): Promise<NodeStrain> {
    const what = 'say whether it keeps up';
    // Stages and kinds of messages have other names in each version: all of them are read.
    const all = async (bean: string, attribute: string): Promise<number[]> => {
      const read = await this.#read(what, metrics + bean, attribute, call);
      return Object.values(this.#shape(beans, read, what)).map((bean) => bean[attribute] ?? 0);
    };
    const pending = (path: string) =>
      all(`ThreadPools,path=${path},scope=*,name=PendingTasks`, 'Value');
    const waiting = [...(await pending('transport')), ...(await pending('request'))];
    const dropped = await all('DroppedMessage,scope=*,name=Dropped', 'Count');
    const sum = dropped.reduce((total, count) => total + count, 0);
    return { waiting: Math.max(0, ...waiting), dropped: sum };
  }

  /** The bean appears with the first stream (StreamingMetrics is loaded then): until then, nothing came. */
  async streamedBytes(call: CallOptions): Promise<number | undefined> {
    const what = 'count streamed bytes';
    const bean = `${metrics}Streaming,name=TotalIncomingBytes`;
    try {
      return this.#shape(z.number(), await this.#read(what, bean, 'Count', call), what);
    } catch (error) {
      if (error instanceof CodrError && error.facts.status === 404) return 0;
      throw error;
    }
  }

  async importSstables(
    keyspace: string,
    table: string,
    folders: readonly string[],
    options: Parameters<NodeControl['importSstables']>[3],
    call: CallOptions,
  ): Promise<string[]> {
    const { keepLevels = false } = options;
    const flags = Array(7).fill('boolean').join(',');
    // resetLevel, clearRepaired, verifySSTables, verifyTokens, invalidateCaches, extendedVerify, copyData.
    const given = [folders, !keepLevels, true, true, true, true, false, false];
    const body = {
      type: 'exec',
      mbean: `org.apache.cassandra.db:type=Tables,keyspace=${keyspace},table=${table}`,
      operation: `importNewSSTables(java.util.Set,${flags})`,
      arguments: given,
    };
    const what = `import into ${keyspace}.${table}`;
    const value = await this.#ask(what, body, { deadlineMs: deadlines.import, ...call });
    return this.#shape(z.array(z.string()), value, what);
  }

  async invalidateCounterCache(call: CallOptions): Promise<void> {
    const mbean = 'org.apache.cassandra.db:type=Caches';
    const body = { type: 'exec', mbean, operation: 'invalidateCounterCache', arguments: [] };
    await this.#ask('invalidate its counter cache', body, call);
  }

  async verify(
    keyspace: string,
    tables: readonly string[],
    { extended }: { readonly extended: boolean },
    call: CallOptions,
  ): Promise<boolean> {
    const flags = Array(6).fill('boolean').join(',');
    const operation = `verify(${flags},java.lang.String,[Ljava.lang.String;)`;
    const given = [extended, false, false, false, false, false, keyspace, tables];
    const options = { deadlineMs: deadlines.verify, ...call };
    const value = await this.#exec(`verify ${keyspace}`, operation, given, options);
    return value === 0;
  }

  async dataDirectories(call: CallOptions): Promise<string[]> {
    const what = 'name its data directories';
    const value = await this.#read(what, storage, 'AllDataFileLocations', call);
    return this.#shape(z.array(z.string()), value, what);
  }

  async liveNodes(call: CallOptions): Promise<string[]> {
    const what = 'name the live nodes';
    const value = await this.#read(what, storage, 'LiveNodes', call);
    return this.#shape(z.array(z.string()), value, what).map((name) => name.replace(/^.*\//, ''));
  }

  async members(call: CallOptions): Promise<Map<string, RingMember>> {
    const what = 'name the members of the ring';
    const attribute = Object.keys(ringAttributes.shape);
    const read = await this.#ask(what, { type: 'read', mbean: storage, attribute }, call);
    const found = this.#shape(ringAttributes, read, what);
    const { EndpointWithPortToHostId: ids, JoiningNodesWithPort: joining } = found;
    const owned = Map.groupBy(Object.entries(found.TokenToEndpointWithPortMap), ([, at]) => at);
    const tokens = new Map([...owned].map(([at, own]) => [at, own.map(([token]) => token)]));
    for (const at of joining) tokens.delete(at);
    // The tokens of a node that is being replaced are told as those of who replaces it.
    const bare = joining.length === 0 ? [] : Object.keys(ids).filter((at) => !tokens.has(at));
    for (const at of bare.filter((one) => !joining.includes(one))) {
      const own = await this.#tokensOf(at, call);
      if (own.length > 0) tokens.set(at, own);
    }
    return new Map(
      [...tokens].map(([at, own]) => [
        // A node that nobody knows the id of is one that no other view has.
        ids[at] ?? at,
        { address: at.replace(/:\d+$/, ''), tokens: own },
      ]),
    );
  }

  /** None of one that is no member: the server refuses to say. */
  async #tokensOf(endpoint: string, call: CallOptions): Promise<string[]> {
    const what = `name the tokens of ${endpoint}`;
    try {
      const value = await this.#exec(what, 'getTokens(java.lang.String)', [endpoint], call);
      return this.#shape(z.array(z.string()), value, what);
    } catch (error) {
      call.signal.throwIfAborted();
      if (!isCodrError(error)) throw error;
      return [];
    }
  }

  async movingNodes(call: CallOptions): Promise<string[]> {
    const what = 'name nodes that move';
    const attribute = ['JoiningNodes', 'LeavingNodes', 'MovingNodes'];
    const read = await this.#ask(what, { type: 'read', mbean: storage, attribute }, call);
    const found = this.#shape(z.record(z.string(), z.array(z.string())), read, what);
    const names = Object.values(found).flat();
    // The colons of IPv6 are no port's.
    return names.map((name) => name.replace(/^.*\//, '').replace(/^(\[.*\]|[^:]+):\d+$/, '$1'));
  }

  /** Anything else; for tests and proofs, with the operation's signature. */
  exec(operation: string, given: readonly unknown[], call: CallOptions): Promise<unknown> {
    return this.#exec(operation, operation, given, call);
  }

  #exec(what: string, operation: string, given: readonly unknown[], call: CallOptions) {
    return this.#ask(what, { type: 'exec', mbean: storage, operation, arguments: given }, call);
  }

  #read(what: string, mbean: string, attribute: string, call: CallOptions): Promise<unknown> {
    return this.#ask(what, { type: 'read', mbean, attribute }, call);
  }

  #ask(what: string, body: Body, call: CallOptions): Promise<unknown> {
    const options = { deadlineMs: deadlines.read, ...call };
    return withinDeadline(this.address, what, options, async (signal) => {
      const { status, text } = await this.#post(JSON.stringify(body), await this.#login(), signal);
      if (status === 401 || status === 403) {
        throw new CodrError('source-rights', `${this.address}: Jolokia refuses the login`, {
          object: this.address,
          remedy: 'set username and passwordFile of its control',
        });
      }
      if (status !== 200) throw new Error(`Jolokia answers with HTTP ${status}`);
      const read = this.#shape(answer, JSON.parse(text), what);
      if (read.status === 200) return read.value;
      throw refused(this.address, what, read.status, read.error ?? 'no reason given');
    });
  }

  /** The file is read at each call: a password may be changed while a backup follows. */
  async #login(): Promise<string | undefined> {
    const file = this.#passwordFile;
    if (this.#username === undefined) return undefined;
    if (file === undefined) return `${this.#username}:`;
    try {
      return `${this.#username}:${(await readFile(file, 'utf8')).replace(/\r?\n$/, '')}`;
    } catch (cause) {
      const object = `nodes.${this.address}.control.passwordFile`;
      throw new CodrError('config-invalid', `${file} cannot be read`, { object, cause });
    }
  }

  #post(
    data: string,
    login: string | undefined,
    signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const { request } = this.#url.protocol === 'https:' ? https : http;
    const asked = request(
      this.#url,
      {
        method: 'POST',
        agent: this.#agent,
        signal,
        ...(login !== undefined && { auth: login }),
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(data) },
      },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          if (bytes > answerBytesMax) asked.destroy(new Error('the answer is too long'));
          else parts.push(part);
        });
        response.on('error', reject);
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(parts).toString('utf8'),
          });
        });
      },
    );
    asked.on('error', reject);
    asked.end(data);
    return promise;
  }

  #shape<T>(shape: z.ZodType<T>, value: unknown, what: string): T {
    const read = shape.safeParse(value);
    if (read.success) return read.data;
    throw refused(this.address, what, 0, 'its answer is not understood');
  }
}

function refused(address: string, what: string, status: number, reason: string): CodrError {
  const rights = status === 403;
  const message = `${address} cannot ${what}: ${reason}`;
  return new CodrError(rights ? 'source-rights' : 'source-unreachable', message, {
    object: address,
    facts: { status },
    remedy: rights ? 'allow it in the policy of Jolokia' : "see the node's log",
  });
}
