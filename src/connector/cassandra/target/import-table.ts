// Has every replica take the SSTables that wait for it, group by group; what is taken is noted, so that a run that
// goes on begins behind it. A server that takes nothing may still say that all is well, so what is left in the
// folder is counted.
import { forEachLimit } from '../../../base/async.ts';
import { CodrError } from '../../../base/error.ts';
import type { Logger } from '../../../base/log.ts';
import { deadlineFor, type ImportGroup } from './import-groups.ts';
import { leftover } from './staging.ts';
import type { NamedTable } from './table-statements.ts';
import { onTarget } from './target-fault.ts';
import type { TargetNode } from './target-nodes.ts';

export interface NodeImport {
  readonly node: Pick<TargetNode, 'hostId' | 'address' | 'control' | 'files' | 'serverPath'>;
  readonly groups: readonly ImportGroup[];
  /** Groups that an earlier run knows to be taken. */
  readonly taken: number;
}

export interface ImportOptions {
  /** Files stay in the level that they say. */
  readonly keepLevels: boolean;
  /** A call of an earlier run, whose answer nobody heard, may have taken what is not there any more. */
  readonly mayBeTaken: boolean;
  readonly log: Logger;
  /** Told after each group how many of the node's are taken. */
  note(hostId: string, taken: number): Promise<void>;
  /** A server does not take what waits for it, or that is `gone`; gives what the same command will do. */
  refused(how: 'waits' | 'gone'): Promise<string>;
}

/** Errors: `target-unfit`, naming node and files. */
export async function importTable(
  imports: readonly NodeImport[],
  place: NamedTable,
  options: ImportOptions,
  signal: AbortSignal,
): Promise<void> {
  const importAll = async (
    { node, groups, taken }: NodeImport,
    one: AbortSignal,
  ): Promise<void> => {
    for (const [i, group] of groups.entries()) {
      if (i < taken) continue;
      one.throwIfAborted();
      await importGroup(node, group, { place, ...options }, one);
      await options.note(node.hostId, i + 1);
      // Indexes and filters that the server made itself.
      await node.files.removeFolder(group.folder);
      const facts = { node: node.address, files: group.files, bytes: group.bytes };
      const table = `${place.keyspace}.${place.table}`;
      const count = `${i + 1} of ${groups.length} groups of files of ${table}`;
      options.log.info(facts, `${node.address} has taken ${count}`);
    }
  };
  await forEachLimit(imports, imports.length, importAll, signal);
}

async function importGroup(
  { address, control, files, serverPath = (path) => path }: NodeImport['node'],
  { folder, bytes, files: count }: ImportGroup,
  {
    place,
    keepLevels,
    mayBeTaken,
    refused: told,
  }: Omit<ImportOptions, 'log' | 'note'> & { readonly place: NamedTable },
  signal: AbortSignal,
): Promise<void> {
  const { length: waiting } = await leftover(files, folder);
  const { keyspace, table } = place;
  if (waiting < count && !mayBeTaken) {
    // The next run could not tell them from those that were taken.
    const what = `${count - waiting} of ${count} SSTables of ${keyspace}.${table}`;
    const message = `${address}: ${what} are gone from where they waited for their import`;
    const remedy = `find out who removes files there; the same command then ${await told('gone')}`;
    throw new CodrError('target-unfit', message, { object: folder, remedy });
  }
  if (waiting === 0) return;
  const call = { signal, deadlineMs: deadlineFor(bytes) };
  const theirs = [serverPath(folder)];
  const refused = await onTarget(
    control.importSstables(keyspace, table, theirs, { keepLevels }, call),
  );
  const left = await leftover(files, folder);
  if (refused.length === 0 && left.length === 0) return;
  const names = left.length > 0 ? left.join(', ') : refused.join(', ');
  const message = `${address} did not take SSTables of ${keyspace}.${table}: ${names}`;
  throw new CodrError('target-unfit', message, {
    object: folder,
    remedy: `see the node's log for the reason; the same command then ${await told('waits')}`,
    facts: { node: address, files: left },
  });
}
