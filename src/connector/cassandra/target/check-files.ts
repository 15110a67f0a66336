// The server's own look at its files of a table, after an import: every value is read, so how long it may take goes
// by the bytes that are there.
import type { Clock } from '../../../base/clock.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { Logger } from '../../../base/log.ts';
import { listTableFolders } from '../session/node-files.ts';
import { dataBytes, deadlineFor } from './import-groups.ts';
import type { NamedTable } from './table-statements.ts';
import { damagedThere } from './target-fault.ts';
import type { TargetNode } from './target-nodes.ts';

const triesMax = 5;
const pauseMs = 2_000;
const mib = 1024 * 1024;

export interface CheckedTable extends NamedTable {
  /** UUID of the table in the target. */
  readonly id: string;
}

/** What a server says of a file that it cannot read, where its control gives its reasons. */
const ofDamage = /Invalid SSTable|Corrupt(SSTable|Block)Exception/;

/**
 * A compaction that the server cannot end in time makes it say no as well. Errors: `proof-failed`, where it names a file that
 * is damaged; `target-unfit`.
 */
export async function checkFiles(
  node: Pick<TargetNode, 'address' | 'control' | 'files' | 'dataDirectories'>,
  { keyspace, table, id }: CheckedTable,
  { clock, log }: { readonly clock: Pick<Clock, 'sleep'>; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { address, control } = node;
  const name = `${keyspace}.${table}`;
  for (let left = triesMax; left > 0; left--) {
    const folders = await listTableFolders(node);
    const own = folders.filter(({ tableId }) => tableId === id).map(({ folder }) => folder);
    const bytes = await dataBytes(node.files, own);
    log.info(
      { node: address, bytes },
      `${address} checks ${Math.ceil(bytes / mib)} MiB of ${name}`,
    );
    const call = { signal, deadlineMs: deadlineFor(bytes) };
    const isGood = await control
      .verify(keyspace, [table], { extended: true }, call)
      .catch((error: unknown) => {
        if (!isCodrError(error) || !ofDamage.test(error.message)) throw error;
        throw damagedThere(error, address);
      });
    if (isGood) return;
    await clock.sleep(pauseMs, signal);
  }
  const message = `${address} does not find its files of ${name} good`;
  throw new CodrError('target-unfit', message, {
    object: address,
    remedy: `see the node's log; where a file is damaged drop ${name}: the same command makes it anew`,
  });
}
