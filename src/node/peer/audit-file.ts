// The audit log of a peer: one JSON object a line, appended and made durable before the deed goes on. What a full
// disk took of a line goes again, so that each line is whole.
import { type FileHandle, open } from 'node:fs/promises';
import type { AuditEntry, AuditLog } from '../../api/audit-log.ts';
import { Mutex } from '../../base/async.ts';
import { CodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';

export class AuditFile implements AuditLog, AsyncDisposable {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #writing = new Mutex();
  /** It ends within a line. */
  #isTorn: boolean;

  private constructor(file: FileHandle, path: string, isTorn: boolean) {
    this.#file = file;
    this.#path = path;
    this.#isTorn = isTorn;
  }

  /** Errors: `config-invalid`. */
  static async open(path: string): Promise<AuditFile> {
    try {
      const file = await open(path, 'a+', 0o640);
      const { size } = await file.stat();
      const last = Buffer.alloc(1);
      if (size > 0) await file.read(last, 0, 1, size - 1);
      return new AuditFile(file, path, size > 0 && last.toString() !== '\n');
    } catch (cause) {
      const message = `the audit log ${path} cannot be written`;
      throw new CodrError('config-invalid', message, { object: path, cause });
    }
  }

  async append(entry: AuditEntry): Promise<void> {
    await this.#writing.run(async () => {
      try {
        await this.#write(`${JSON.stringify(entry)}\n`);
      } catch (cause) {
        throw new CodrError('failed', `the audit log ${this.#path} cannot be written`, {
          object: this.#path,
          remedy: 'make room for it; this peer begins nothing that changes something meanwhile',
          cause,
        });
      }
    });
  }

  async #write(line: string): Promise<void> {
    // Others may move it or cut it off meanwhile, as those do that rotate logs.
    const { size } = await this.#file.stat();
    const before = this.#isTorn ? '\n' : '';
    try {
      await this.#file.appendFile(before + line);
      this.#isTorn = false;
      await this.#file.datasync();
    } catch (error) {
      await this.#file.truncate(size).catch(() => {
        this.#isTorn = true;
      });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** For a peer without a file: entries go to a log that leaves none out. */
export function auditToLog(log: Logger): AuditLog {
  return { append: async (entry) => log.warn({ audit: entry }, `audit: ${entry.action}`) };
}
