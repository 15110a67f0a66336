// The catalog as a timeline: a table as it was found at a cut, or that it was found no more.
import type { CatalogChange, CatalogEntry } from '../../../model/catalog.ts';
import { type DatasetId, datasetId } from '../../../model/id.ts';
import type { CatalogFold } from '../../connector.ts';
import { encodeTableBody, type TableBody, tableBodyOf } from '../schema/table-body.ts';

/** Kinds of {@link CatalogChange}s. */
export const catalogKinds = { table: 'table', drop: 'drop' } as const;

export function openCatalog(): CatalogFold {
  const tables = new Map<DatasetId, CatalogEntry>();
  const entries = (): CatalogEntry[] => [...tables.values()];
  return {
    apply({ kind, dataset, body }: CatalogChange): void {
      if (dataset === undefined) return;
      if (kind === catalogKinds.drop) tables.delete(dataset);
      else tables.set(dataset, entryOfBody(body));
    },
    entries,
    followed: entries,
  };
}

export function foldCatalog(changes: Iterable<CatalogChange>): CatalogEntry[] {
  const fold = openCatalog();
  for (const change of changes) fold.apply(change);
  return fold.entries();
}

export function entryOf(table: TableBody): CatalogEntry {
  return entryOfBody(encodeTableBody(table));
}

/** The table's id without dashes: it survives renames of columns and dies with the table. */
export function tableDataset(tableId: string): DatasetId {
  return datasetId(tableId.replaceAll('-', '').toLowerCase());
}

function entryOfBody(body: Uint8Array): CatalogEntry {
  const { schema } = tableBodyOf({ body });
  return {
    dataset: tableDataset(schema.id),
    namespace: `${schema.keyspace}.${schema.table}`,
    role: 'data',
    kind: schema.isCounter ? 'counter table' : 'table',
    body,
  };
}
