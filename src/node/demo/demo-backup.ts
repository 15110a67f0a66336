// CODR inside the demo: a repository in a folder, one source, a backup that follows in the background. Every
// call opens a node of its own, as separate commands on the command line would.
import { randomBytes } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  BackupResult,
  Moment,
  RestoreResult,
  SourceFinding,
  Span,
} from '../../api/codr-api.ts';
import { type Config, loadConfig } from '../config.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { openLogger } from '../logger.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';
import { TemporarySpill } from '../temporary-spill.ts';

/** The name under which the demo registers its source. */
export const demoSource = 'shop';

const passphraseBytes = 18;
const pollMs = 200;
/** Longest wait for a point: a small database on a busy machine. */
const patienceMs = 60_000;

/** One namespace, restored beside itself. */
export interface DemoRestore {
  /** A URI, or the path of a configuration file. */
  readonly to: string;
  /** WHEN. */
  readonly at: string;
  readonly from: string;
  /** Its name in the target. */
  readonly beside: string;
}

export class DemoBackup {
  readonly repository: string;
  /** Made up for this repository alone. */
  readonly #passphrase = randomBytes(passphraseBytes).toString('base64url');
  readonly #config: Config;
  readonly #stop = new AbortController();
  /** Aborted with the error that ended following. */
  readonly #failed = new AbortController();
  #following: Promise<BackupResult> | undefined;

  /** `folder` holds the repository and scratch files; the caller removes it. */
  constructor(folder: string) {
    this.repository = join(folder, 'repository');
    this.#config = loadConfig(
      { repo: this.repository, tempDir: join(folder, 'scratch'), logLevel: 'error' },
      { CODR_PASSWORD: this.#passphrase },
    );
  }

  /** Makes the repository and registers the source: all of it, or what `include` names. */
  async prepare(
    where: { readonly uri: string } | { readonly config: string },
    signal: AbortSignal,
    include: readonly string[] = [],
  ): Promise<readonly SourceFinding[]> {
    const call = { signal };
    return await this.#with(async (node) => {
      await node.init({ encryption: true }, call);
      const request = { source: demoSource, ...where, include, exclude: [] };
      return (await node.addSource(request, call)).findings;
    });
  }

  /** One backup that ends by itself: of a kind without a log, a cut. */
  async once(signal: AbortSignal): Promise<BackupResult> {
    const request = { source: demoSource, follow: false };
    return await this.#with((node) => node.backup(request, { signal }));
  }

  /** Begins to follow; resolves with the first restorable moment. */
  async follow(rpoSeconds: number, signal: AbortSignal): Promise<Moment> {
    const request = { source: demoSource, follow: true, rpoSeconds };
    const call = { signal: this.#stop.signal };
    this.#following = this.#with((node) => node.backup(request, call));
    this.#following.catch((error: unknown) => this.#failed.abort(error));
    return (await this.restorable(signal)).from;
  }

  /** Commits once more and ends; the same result when asked again. */
  async stopFollowing(): Promise<BackupResult | undefined> {
    this.#stop.abort();
    return await this.#following;
  }

  /** The newest restorable interval; waits for one. Rejects when following has failed. */
  async restorable(signal: AbortSignal): Promise<Span> {
    return await this.#until(signal, () => true);
  }

  /** Waits until all of `second` (Unix time) can be restored. */
  async reaches(second: number, signal: AbortSignal): Promise<void> {
    await this.#until(signal, ({ to }) => Date.parse(to.wall) / 1000 > second);
  }

  async restore(what: DemoRestore, signal: AbortSignal): Promise<RestoreResult> {
    const { to, at, from, beside } = what;
    const request = {
      ...{ source: demoSource, to, at, include: [from], exclude: [] },
      ...{ renames: [`${from}=${beside}`], drop: false, ttl: 'keep' as const, verify: true },
    };
    return await this.#with((node) => node.restore(request, { signal }));
  }

  /** Bytes of all objects of the repository. */
  async storedBytes(): Promise<number> {
    const entries = await readdir(this.repository, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const sizes = await Promise.all(
      files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Leaves the passphrase in a file that only its owner can read; resolves with its path. */
  async writePassphrase(): Promise<string> {
    const path = join(this.repository, '..', 'passphrase');
    await writeFile(path, this.#passphrase, { mode: 0o600 });
    return path;
  }

  async #until(signal: AbortSignal, enough: (newest: Span) => boolean): Promise<Span> {
    const either = AbortSignal.any([signal, this.#failed.signal]);
    const end = performance.now() + patienceMs;
    for (;;) {
      either.throwIfAborted();
      const { intervals } = await this.#with((node) => node.points({ source: demoSource }));
      const newest = intervals.at(-1);
      if (newest && enough(newest)) return newest;
      if (performance.now() > end) throw new Error(`no new point within ${patienceMs} ms`);
      // An abort ends the pause; the head of the loop throws its reason.
      await sleep(pollMs, undefined, { signal: either }).catch(() => {});
    }
  }

  async #with<T>(work: (node: EmbeddedNode) => Promise<T>): Promise<T> {
    await using node = await EmbeddedNode.open(this.#config, {
      clock: systemClock,
      random: systemRandom,
      spill: new TemporarySpill(this.#config.tempDir),
      log: openLogger(this.#config.logLevel, {
        stacks: this.#config.debug,
        form: process.stderr.isTTY ? 'terminal' : 'json',
        write: (line) => void process.stderr.write(line),
      }),
    });
    return await work(node);
  }
}
