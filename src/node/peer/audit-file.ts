// The audit log of a peer: one JSON object a line, appended and made durable before the deed goes on.
import { type FileHandle, open } from 'node:fs/promises';
import type { AuditEntry, AuditLog } from '../../api/audit-log.ts';
import { Mutex } from '../../base/async.ts';
import { CodrError } from '../../base/error.ts';
import type { Logger } from '../../base/log.ts';

export class AuditFile implements AuditLog, AsyncDisposable {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #writing = new Mutex();

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Errors: `config-invalid`. */
  static async open(path: string): Promise<AuditFile> {
    try {
      return new AuditFile(await open(path, 'a', 0o640), path);
    } catch (cause) {
      const message = `the audit log ${path} cannot be written`;
      throw new CodrError('config-invalid', message, { object: path, cause });
    }
  }

  async append(entry: AuditEntry): Promise<void> {
    await this.#writing.run(async () => {
      try {
        await this.#file.appendFile(`${JSON.stringify(entry)}\n`);
        await this.#file.datasync();
      } catch (cause) {
        throw new CodrError('failed', `the audit log ${this.#path} cannot be written`, {
          object: this.#path,
          remedy: 'make room for it; nothing is changed through this peer meanwhile',
          cause,
        });
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** For a peer without a file: entries go to its log, whatever the level. */
export function auditToLog(log: Logger): AuditLog {
  return { append: async (entry) => log.warn({ audit: entry }, `audit: ${entry.action}`) };
}
