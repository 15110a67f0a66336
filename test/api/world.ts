// A peer in this process on a repository in a folder, and clients of it over loopback.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { everybody } from '../../src/api/access.ts';
import type { AuditEntry } from '../../src/api/audit-log.ts';
import { RemoteApi, type RemoteOptions } from '../../src/api/client/remote-api.ts';
import type { Call, Progress } from '../../src/api/codr-api.ts';
import { type Served, type ServeOptions, serve } from '../../src/api/grpc/serve.ts';
import { LocalOperations } from '../../src/api/local-operations.ts';
import { silentLogger } from '../../src/base/log.ts';
import { loadConfig } from '../../src/node/config.ts';
import { EmbeddedNode } from '../../src/node/embedded-node.ts';
import { redactText } from '../../src/node/logger-redact.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { systemRandom } from '../../src/node/system-random.ts';
import { TemporarySpill } from '../../src/node/temporary-spill.ts';

/** A call that nobody interrupts. */
export const calm: Call = { signal: new AbortController().signal };

/** A call that can be interrupted, and remembers what it was told. */
export function heardCall(): { call: Call; told: Progress[]; stop: () => void } {
  const stop = new AbortController();
  const told: Progress[] = [];
  const call = { signal: stop.signal, progress: (report: Progress) => void told.push(report) };
  return { call, told, stop: () => stop.abort(new Error('stopped by the test')) };
}

/** Options of a server that only a test could want: no TLS, no access control, an audit log in memory. */
export function openServe(
  parts: Pick<ServeOptions, 'api' | 'operations'>,
  audit: AuditEntry[] = [],
): ServeOptions {
  return {
    ...parts,
    listen: '127.0.0.1:0',
    credentials: 'insecure',
    authorise: everybody,
    audit: {
      append: async (entry) => {
        audit.push(entry);
      },
    },
    clock: systemClock,
    log: silentLogger,
    redact: redactText,
  };
}

export function clientOf(
  served: Pick<Served, 'address'>,
  options: Partial<RemoteOptions> = {},
): RemoteApi {
  const { address } = served;
  return new RemoteApi({
    address,
    tls: 'insecure',
    retryMs: 20,
    clock: systemClock,
    random: systemRandom,
    ...options,
  });
}

/** Of a backup that was done. */
export const backupResult = {
  ...{ source: 'shop', datasets: 1, records: 7, changes: 0, bytesRead: 1, bytesStored: 1 },
  ...{ bytesDeduplicated: 0, holes: [], warnings: [], seconds: 1 },
  point: { id: 'p', time: '1:1', wall: 'w' },
  interval: { from: { time: '1:1', wall: 'w' }, to: { time: '1:1', wall: 'w' } },
};

export const localOptions = { clock: systemClock, random: systemRandom, redact: redactText };

/** One peer on a new, empty folder; `init` has not been called. */
export class PeerWorld implements AsyncDisposable {
  readonly folder: string;
  readonly node: EmbeddedNode;
  readonly operations: LocalOperations;
  readonly served: Served;
  readonly remote: RemoteApi;
  readonly audit: readonly AuditEntry[];

  private constructor(parts: {
    readonly folder: string;
    readonly node: EmbeddedNode;
    readonly operations: LocalOperations;
    readonly served: Served;
    readonly audit: readonly AuditEntry[];
  }) {
    this.folder = parts.folder;
    this.node = parts.node;
    this.operations = parts.operations;
    this.served = parts.served;
    this.audit = parts.audit;
    this.remote = clientOf(parts.served);
  }

  static async open(options: Partial<ServeOptions> = {}): Promise<PeerWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'codr-api-'));
    const flags = { repo: join(folder, 'repository'), tempDir: folder };
    const node = await EmbeddedNode.open(loadConfig(flags, { CODR_PASSWORD: 'of a test' }), {
      clock: systemClock,
      random: systemRandom,
      spill: new TemporarySpill(folder),
      log: silentLogger,
    });
    const operations = new LocalOperations(node, localOptions);
    const audit: AuditEntry[] = [];
    const served = await serve({ ...openServe({ api: node, operations }, audit), ...options });
    return new PeerWorld({ folder, node, operations, served, audit });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remote[Symbol.asyncDispose]();
    await this.served.close({ drainMs: 1000 });
    await this.operations[Symbol.asyncDispose]();
    await this.node[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }
}
