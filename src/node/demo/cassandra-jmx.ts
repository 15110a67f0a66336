// Speaks JMX to a Cassandra node over HTTP, by the Jolokia agent in the node's JVM: what `nodetool` does,
// without a JVM for each call (2 to 5 ms instead of seconds).
import { request } from 'node:http';

/** MBean of the node as a whole. */
export const storageService = 'org.apache.cassandra.db:type=StorageService';

/** Which checks an import makes; sources are moved unless `copy`. */
export interface ImportOptions {
  readonly verify?: boolean;
  readonly verifyTokens?: boolean;
  readonly extendedVerify?: boolean;
  readonly copy?: boolean;
}

const callMsMax = 120_000;

/** One node's operations. Every failure is an `Error` with the message of the Java exception. */
export class CassandraJmx {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async read(mbean: string, attribute: string): Promise<unknown> {
    return await this.#post({ type: 'read', mbean, attribute });
  }

  async write(mbean: string, attribute: string, value: unknown): Promise<void> {
    await this.#post({ type: 'write', mbean, attribute, value });
  }

  /** `operation` carries its signature when it is overloaded: `f(java.lang.String,boolean)`. */
  async exec(mbean: string, operation: string, ...args: readonly unknown[]): Promise<unknown> {
    return await this.#post({ type: 'exec', mbean, operation, arguments: args });
  }

  /** Writes memtables out; no tables: all of the keyspace. */
  async flush(keyspace: string, ...tables: readonly string[]): Promise<void> {
    const operation = 'forceKeyspaceFlush(java.lang.String,[Ljava.lang.String;)';
    await this.exec(storageService, operation, keyspace, tables);
  }

  /** Major compaction; no tables: all of the keyspace. */
  async compact(keyspace: string, ...tables: readonly string[]): Promise<void> {
    const operation = 'forceKeyspaceCompaction(boolean,java.lang.String,[Ljava.lang.String;)';
    await this.exec(storageService, operation, false, keyspace, tables);
  }

  /** Extended verify, which walks every row; true: all is well. */
  async verify(keyspace: string, ...tables: readonly string[]): Promise<boolean> {
    const flags = Array.from({ length: 6 }, () => 'boolean').join(',');
    const operation = `verify(${flags},java.lang.String,[Ljava.lang.String;)`;
    const values = [true, false, false, false, false, false];
    return (await this.exec(storageService, operation, ...values, keyspace, tables)) === 0;
  }

  /** `what`: keyspaces, or tables as `keyspace.table`. Flushes first unless `skipFlush: 'true'`. */
  async snapshot(
    tag: string,
    what: readonly string[],
    options: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const operation = 'takeSnapshot(java.lang.String,java.util.Map,[Ljava.lang.String;)';
    await this.exec(storageService, operation, tag, options, what);
  }

  /** An empty tag: every snapshot. No keyspaces: all. */
  async clearSnapshot(tag: string, ...keyspaces: readonly string[]): Promise<void> {
    const operation = 'clearSnapshot(java.lang.String,[Ljava.lang.String;)';
    await this.exec(storageService, operation, tag, keyspaces);
  }

  /** Takes the SSTables in `folders`; gives the folders that were refused, with no reason. */
  async importTables(
    keyspace: string,
    table: string,
    folders: readonly string[],
    options: ImportOptions = {},
  ): Promise<readonly string[]> {
    const { verify = true, verifyTokens = true, extendedVerify = false, copy = false } = options;
    const flags = Array.from({ length: 7 }, () => 'boolean').join(',');
    const refused = await this.exec(
      `org.apache.cassandra.db:type=Tables,keyspace=${keyspace},table=${table}`,
      `importNewSSTables(java.util.Set,${flags})`,
      folders,
      ...[true /* level 0 */, true /* not repaired */, verify, verifyTokens],
      ...[true /* caches */, extendedVerify, copy],
    );
    return refused as string[];
  }

  /** Addresses of the nodes that this one knows and holds for alive. */
  async ringSize(): Promise<number> {
    const live = (await this.read(storageService, 'LiveNodes')) as unknown[];
    const hosts = (await this.read(storageService, 'EndpointToHostId')) as object;
    // Host ids are known a little later than liveness; before that a driver finds too few peers.
    return Math.min(live.length, Object.keys(hosts).length);
  }

  async #post(body: object): Promise<unknown> {
    const text = await post(this.url, JSON.stringify(body));
    // HTTP says 200 even of a failure.
    const answer = JSON.parse(text) as { status: number; value?: unknown; error?: string };
    if (answer.status !== 200) throw new Error(`${this.url}: ${answer.error ?? text}`);
    return answer.value;
  }
}

function post(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    // No kept connection: it would hold the process open, and break when the node is restarted.
    const options = { method: 'POST', headers, agent: false, timeout: callMsMax };
    const call = request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`${url}: no answer for ${callMsMax} ms`)));
    call.on('error', reject);
    call.end(body);
  });
}
