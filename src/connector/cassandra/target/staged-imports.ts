// Tables whose records all lie in files that wait on their nodes: noted in the marker, so that a run which goes on
// neither folds nor encodes them again and imports only what no node has taken yet.
import type { Logger } from '../../../base/log.ts';
import { groupBytesMax } from './import-groups.ts';
import { importTable } from './import-table.ts';
import type { FinishedPlace, LoadedRow, RestoreMarker } from './restore-marker.ts';
import type { StagedTable } from './staging.ts';
import type { FinishedLoad } from './table-load.ts';
import type { TargetNode } from './target-nodes.ts';
import type { PlannedTable } from './target-plan.ts';

export interface ImportContext {
  readonly marker: RestoreMarker;
  readonly nodes: ReadonlyMap<string, TargetNode>;
  readonly log: Logger;
  /** For tests. */
  readonly groupBytes?: number;
}

interface Waiting {
  readonly row: LoadedRow;
  readonly tableId: string;
  /** A run before this one loaded it. */
  readonly isResumed: boolean;
}

export class StagedImports {
  /** By the table's name in the target. */
  readonly #waiting = new Map<string, Waiting>();

  /** Tables whose files stay if this run ends now. */
  get kept(): ReadonlySet<string> {
    return new Set(this.#waiting.keys());
  }

  /** What an earlier run has loaded of it, when nothing has to be loaded again. */
  resumed(namespace: string): LoadedRow | undefined {
    const waiting = this.#waiting.get(namespace);
    return waiting?.isResumed ? waiting.row : undefined;
  }

  /** True when what an earlier run has loaded can be gone on with: every file that nobody took is there. */
  async resume(
    { item: { namespace } }: Pick<PlannedTable, 'item'>,
    place: FinishedPlace,
    { marker, nodes }: Pick<ImportContext, 'marker' | 'nodes'>,
  ): Promise<boolean> {
    const row = marker.loaded(namespace, place);
    if (!row) return false;
    const { tableId } = place;
    for (const [hostId, groups] of Object.entries(row.nodes)) {
      const node = nodes.get(hostId);
      if (!node) return false;
      for (const { folder } of groups.slice(marker.taken(tableId, hostId))) {
        const isThere = await node.files.stat(folder).then(
          () => true,
          () => false,
        );
        if (!isThere) return false;
      }
    }
    this.#waiting.set(namespace, { row, tableId, isResumed: true });
    return true;
  }

  /** All its files are closed and wait. */
  async note(
    { item: { namespace } }: Pick<PlannedTable, 'item'>,
    place: FinishedPlace,
    { staged, load }: { readonly staged: StagedTable; readonly load: FinishedLoad },
    { marker, nodes, groupBytes = groupBytesMax }: ImportContext,
    signal: AbortSignal,
  ): Promise<void> {
    const { records, bytes, hasLevels: keepLevels, files } = load;
    const groups = await staged.groups(files, nodes, groupBytes);
    const row = { records, bytes, keepLevels, nodes: groups };
    await marker.noteLoaded(namespace, place, row, signal);
    this.#waiting.set(namespace, { row, tableId: place.tableId, isResumed: false });
  }

  /** Every node has taken every file when this returns. What a run that goes on is refused as well is not kept. */
  async import(
    { item: { namespace }, keyspace, table }: PlannedTable,
    { marker, nodes, log }: ImportContext,
    signal: AbortSignal,
  ): Promise<void> {
    const { row, tableId, isResumed } = this.#waiting.get(namespace) as Waiting;
    const imports = Object.entries(row.nodes).map(([hostId, groups]) => ({
      node: nodes.get(hostId) as TargetNode,
      groups,
      taken: isResumed ? marker.taken(tableId, hostId) : 0,
    }));
    const note = (hostId: string, taken: number): Promise<void> =>
      marker.noteTaken(tableId, hostId, taken, signal);
    const refused = async (how: 'waits' | 'gone'): Promise<string> => {
      if (!isResumed && how === 'waits') return 'goes on with the files that wait';
      // Nothing else ends what is refused each time, such as a file that has gone bad meanwhile.
      await marker.forget(namespace, signal);
      this.#waiting.delete(namespace);
      return 'makes the table anew';
    };
    const options = { keepLevels: row.keepLevels, mayBeTaken: isResumed, log, note, refused };
    await importTable(imports, { keyspace, table }, options, signal);
    this.#waiting.delete(namespace);
  }
}
