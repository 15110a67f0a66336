// Has every replica take the SSTables that wait for it: one call for each node and table. A server that takes
// nothing may still say that all is well, so what is left in the folder is counted.
import { CodrError } from '../../../base/error.ts';
import { serverPath } from '../session/cassandra-config.ts';
import { leftover, type StagedFolder } from './staging.ts';
import { onTarget } from './target-fault.ts';

export interface ImportOptions {
  /** Prefixes of the servers' paths and ours. */
  readonly paths: Readonly<Record<string, string>>;
  /** Files stay in the level that they say. */
  readonly keepLevels: boolean;
}

/** Errors: `target-unfit`, naming node and files. */
export async function importTable(
  folders: readonly StagedFolder[],
  { keyspace, table }: { readonly keyspace: string; readonly table: string },
  { paths, keepLevels }: ImportOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    folders.map(async ({ node: { address, control }, folder }) => {
      const checks = { verify: true, extended: true, keepLevels };
      const theirs = [serverPath(paths, folder)];
      const refused = await onTarget(
        control.importSstables(keyspace, table, theirs, checks, { signal }),
      );
      const left = await leftover(folder);
      if (refused.length === 0 && left.length === 0) return;
      const files = left.length > 0 ? left.join(', ') : refused.join(', ');
      const message = `${address} did not take SSTables of ${keyspace}.${table}: ${files}`;
      throw new CodrError('target-unfit', message, {
        object: folder,
        remedy: "see the node's log for the reason, then run the same command again",
        facts: { node: address, files: left },
      });
    }),
  );
}
