// Control through spawned `nodetool`: always there, but each call starts a JVM, 1 to 3 s. The configured
// command is split at spaces, quotes group; a password belongs into nodetool's own password file (-pwf), so
// that no secret stands in a list of processes. Output read: that of 4.0 to 5.0.
import { spawn } from 'node:child_process';
import { CodrError } from '../../../base/error.ts';
import {
  type CallOptions,
  deadlines,
  type NodeControl,
  type NodeIdentity,
  withinDeadline,
} from './control.ts';
import type { RingMember } from './ring-members.ts';

const outputBytesMax = 16 << 20;
/** Of all words in one: Linux takes 128 KiB. */
const wordsLengthMax = 100_000;
/** No login, a wrong one, and one without the rights; a stack trace does not always come with them. */
const refusedLogin = /SecurityException|Access denied|credentials|invalid username or password/i;
/** A JVM that starts on a machine with too much to do takes long; a node that is away is refused at once. */
const readMs = 3 * deadlines.read;
/** `-pw secret`, `-pwsecret`, `--password secret`, in a command within a word too; `-pwf` names a file. */
const holdsPassword = /(?:^|\s)(?:-pw(?!f(?:[\s=]|$))|--password(?=[\s=]|$))/;

export class NodetoolControl implements NodeControl {
  readonly address: string;
  readonly kind = 'nodetool';
  readonly #command: readonly string[];

  /** Errors: `config-invalid` for a command with a password in it. */
  constructor(address: string, command: string) {
    this.address = address;
    this.#command = words(command);
    if (this.#command.some((word) => holdsPassword.test(word))) {
      throw new CodrError('config-invalid', 'the nodetool command holds a password', {
        object: `nodes.${address}.control.nodetool`,
        remedy: 'use nodetool -pwf FILE',
      });
    }
  }

  async identity(call: CallOptions): Promise<NodeIdentity> {
    const what = 'say who it is';
    const askedAt = Date.now();
    const info = await this.#run(what, ['info'], call);
    const [cluster, version, net] = await Promise.all([
      this.#run(what, ['describecluster'], call),
      this.#run(what, ['version'], call),
      this.#run(what, ['netstats'], call),
    ]);
    const uptime = Number(field(info, 'Uptime (seconds)'));
    return {
      hostId: this.#need(field(info, 'ID'), what),
      clusterName: this.#need(field(cluster, 'Name'), what),
      releaseVersion: this.#need(field(version, 'ReleaseVersion'), what),
      operationMode: this.#need(field(net, 'Mode'), what),
      // Whole seconds, read some seconds before they are printed: for people, never a proof.
      jvmStartMs: Number.isFinite(uptime) ? askedAt - uptime * 1000 : undefined,
    };
  }

  async flush(keyspace: string, tables: readonly string[], call: CallOptions): Promise<void> {
    const options = { deadlineMs: deadlines.flush, ...call };
    for (const some of wordsAtOnce(tables)) {
      await this.#run(`flush ${keyspace}`, ['flush', '--', keyspace, ...some], options);
    }
  }

  async takeSnapshot(
    tag: string,
    tables: readonly string[],
    { skipFlush }: { readonly skipFlush: boolean },
    call: CallOptions,
  ): Promise<void> {
    const skip = skipFlush ? ['-sf'] : [];
    const options = { deadlineMs: deadlines.snapshot, ...call };
    // That a tag is new is asked of each table by itself.
    for (const some of wordsAtOnce(tables)) {
      const given = ['snapshot', '-t', tag, ...skip, '-kt', some.join(',')];
      await this.#run(`take snapshot ${tag}`, given, options);
    }
  }

  async clearSnapshot(tag: string, call: CallOptions): Promise<void> {
    const options = { deadlineMs: deadlines.snapshot, ...call };
    await this.#run(`clear snapshot ${tag}`, ['clearsnapshot', '-t', tag], options);
  }

  async incrementalBackups(call: CallOptions): Promise<boolean> {
    const what = 'read incremental_backups';
    const output = await this.#run(what, ['statusbackup'], call);
    if (/\bnot running\b/.test(output)) return false;
    return this.#need(/\brunning\b/.exec(output)?.[0], what) !== '';
  }

  async setIncrementalBackups(on: boolean, call: CallOptions): Promise<void> {
    const command = on ? 'enablebackup' : 'disablebackup';
    await this.#run(`set incremental_backups to ${on}`, [command], call);
  }

  async pendingCompactions(call: CallOptions): Promise<number> {
    const what = 'count pending compactions';
    const output = await this.#run(what, ['compactionstats'], call);
    return Number(this.#need(/pending tasks:?\s+(\d+)/i.exec(output)?.[1], what));
  }

  async streamedBytes(): Promise<number | undefined> {
    return undefined;
  }

  /** nodetool ends with 1 and names each refused folder in a line of its own. */
  async importSstables(
    keyspace: string,
    table: string,
    folders: readonly string[],
    { keepLevels }: Parameters<NodeControl['importSstables']>[3],
    call: CallOptions,
  ): Promise<string[]> {
    const given = ['import', ...(keepLevels ? ['-l'] : []), '--', keyspace, table, ...folders];
    const options = { deadlineMs: deadlines.import, ...call };
    const what = `import into ${keyspace}.${table}`;
    const { code, output } = await this.#spawn(what, given, options);
    const lines = output.split('\n').map((line) => line.trim().replace(/\/$/, ''));
    const failed = folders.filter((folder) => lines.includes(folder.replace(/\/$/, '')));
    if (code !== 0 && failed.length === 0) throw this.#failed(what, code, output);
    return failed;
  }

  async invalidateCounterCache(call: CallOptions): Promise<void> {
    await this.#run('invalidate its counter cache', ['invalidatecountercache'], call);
  }

  async verify(
    keyspace: string,
    tables: readonly string[],
    { extended }: { readonly extended: boolean },
    call: CallOptions,
  ): Promise<boolean> {
    const given = ['verify', '-f', ...(extended ? ['-e'] : []), '--', keyspace, ...tables];
    const options = { deadlineMs: deadlines.verify, ...call };
    const { code, output } = await this.#spawn(`verify ${keyspace}`, given, options);
    // 2 with a stack trace is what a bad file gives; no connection ends with 1.
    if (code === 1) throw this.#failed(`verify ${keyspace}`, code, output);
    return code === 0;
  }

  async dataDirectories(): Promise<string[] | undefined> {
    return undefined;
  }

  async liveNodes(call: CallOptions): Promise<string[]> {
    const output = await this.#run('name the live nodes', ['status'], call);
    return [...output.matchAll(/^U[NLJM]\s+(\S+)/gm)].map((match) => match[1] as string);
  }

  async members(call: CallOptions): Promise<Map<string, RingMember>> {
    const what = 'name the members of the ring';
    const ring = await this.#run(what, ['ring'], call);
    const status = await this.#run(what, ['status'], call);
    const ids = new Map(
      [...status.matchAll(/^[UD?][NLM]\s+(\S+)\s.*\s([0-9a-f-]{36})\s/gm)].map(
        ([, address, hostId]) => [address, hostId],
      ),
    );
    const line = /^(\S+)\s+\S+\s+(?:Up|Down|\?)\s+(?:Normal|Leaving|Moving)\s.*\s(-?\d+)\s*$/gm;
    const tokens = Map.groupBy(ring.matchAll(line), ([, address]) => address as string);
    this.#need(tokens.size > 0 ? 'some' : undefined, what);
    return new Map(
      [...tokens].map(([address, own]) => [
        // A node that nobody knows the id of is one that no other view has.
        ids.get(address) ?? address,
        { address, tokens: own.map(([, , token]) => token as string) },
      ]),
    );
  }

  async movingNodes(call: CallOptions): Promise<string[]> {
    const output = await this.#run('name nodes that move', ['status'], call);
    return [...output.matchAll(/^[UD?][LJM]\s+(\S+)/gm)].map((match) => match[1] as string);
  }

  async #run(what: string, given: readonly string[], call: CallOptions): Promise<string> {
    const { code, output } = await this.#spawn(what, given, call);
    if (code !== 0) throw this.#failed(what, code, output);
    return output;
  }

  /** Standard output and errors together. At the deadline or the signal the process is ended. */
  #spawn(
    what: string,
    given: readonly string[],
    call: CallOptions,
  ): Promise<{ code: number; output: string }> {
    const options = { deadlineMs: readMs, ...call };
    return withinDeadline(this.address, what, options, (signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<{
        code: number;
        output: string;
      }>();
      const [program, ...before] = this.#command;
      const child = spawn(program as string, [...before, ...given], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: withoutOurs(process.env),
        signal,
        killSignal: 'SIGKILL',
      });
      let output = '';
      const take = (part: Buffer): void => {
        if (output.length < outputBytesMax) output += part.toString('utf8');
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.on('error', (cause) => reject(this.#unstarted(what, cause)));
      child.on('close', (code) => {
        if (signal.aborted) reject(signal.reason);
        else resolve({ code: code ?? -1, output });
      });
      return promise;
    });
  }

  /** The node is not to blame when its tool cannot be started. */
  #unstarted(what: string, cause: Error): Error {
    if (!('syscall' in cause)) return cause;
    const message = `${this.address} cannot ${what}: nodetool cannot be started: ${cause.message}`;
    return new CodrError('config-invalid', message, {
      ...{ object: `nodes.${this.address}.control.nodetool`, cause },
      remedy: 'give the path of nodetool on the machine that does the work',
    });
  }

  #failed(what: string, code: number, output: string): CodrError {
    const line = output.split('\n').find((one) => /error|exception|failed|refused/i.test(one));
    const reason = (line ?? output.trim().split('\n').at(-1) ?? '').trim().slice(0, 300);
    const rights = refusedLogin.test(output);
    const message = `${this.address} cannot ${what}: nodetool ended with ${code}: ${reason}`;
    return new CodrError(rights ? 'source-rights' : 'source-unreachable', message, {
      object: this.address,
      ...(rights && { remedy: 'give nodetool a user with -u and -pwf' }),
    });
  }

  #need(value: string | undefined, what: string): string {
    if (value !== undefined) return value;
    const message = `${this.address} cannot ${what}: nodetool's output is not understood`;
    throw new CodrError('source-unreachable', message, { object: this.address });
  }
}

/** As many as a command takes; without any, once none. A keyspace and a table have 97 characters at most. */
function wordsAtOnce(all: readonly string[]): (readonly string[])[] {
  const batches: string[][] = [[]];
  let length = 0;
  for (const word of all) {
    length += word.length + 1;
    if (length > wordsLengthMax) batches.push([]);
    if (length > wordsLengthMax) length = word.length + 1;
    batches.at(-1)?.push(word);
  }
  return batches;
}

/** The value of `name : value` or `name: value` at the start of a line. */
function field(output: string, name: string): string | undefined {
  const line = output.split('\n').find((one) => one.split(':')[0]?.trim() === name);
  return line?.slice(line.indexOf(':') + 1).trim();
}

/** What is set for CODR may be a secret, and is nothing to nodetool. */
function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !name.startsWith('CODR_')),
  );
}

/** Splits at spaces; single and double quotes group. */
export function words(command: string): string[] {
  const parts = command.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g);
  return [...parts].map(([part]) => part.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}
