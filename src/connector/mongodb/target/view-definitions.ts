// Views: records of `system.views`, made again by `create`, those first that others stand on. Views of time
// series are passed over: they come with their buckets.
import { CodrError } from '../../../base/error.ts';
import type { DataRecord } from '../../../model/record.ts';
import { documentOf, findElement, stringOf } from '../bson/raw-bson.ts';
import { collectionOf, databaseOf } from '../oplog/namespace-rules.ts';
import type { MongodbConnection } from '../session/connection.ts';
import { dropCollection } from './create-collection.ts';
import { nativeDocument } from './native-document.ts';
import { followInPipeline } from './view-pipeline.ts';

export interface ViewDefinition {
  /** Its name in the target. */
  readonly namespace: string;
  /** What it reads, in the target. */
  readonly viewOn: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** What its pipeline reads and a view cannot: names of another database than its own. */
  readonly elsewhere: readonly string[];
}

/** The name of the view that a record of `system.views` defines: `db.view`. */
export function viewName(record: Uint8Array): string {
  return stringOf(findElement(record, '_id')) ?? '';
}

/**
 * `rename` maps names of the source to names of the target. What a view stands on and what its pipeline
 * reads follow the renames; a name that no rename moves within the view's database stays as it is.
 */
export function viewsOf(
  records: readonly DataRecord[],
  rename: (namespace: string) => string,
): ViewDefinition[] {
  const views: ViewDefinition[] = [];
  for (const { value } of records) {
    const name = viewName(value);
    const on = stringOf(findElement(value, 'viewOn'));
    if (!name || !on || on.startsWith('system.buckets.')) continue;
    const { pipeline, collation } = Object.fromEntries(nativeDocument(value));
    const namespace = rename(name);
    const elsewhere = new Set<string>();
    const follow = (collection: string): string => {
      const source = `${databaseOf(name)}.${collection}`;
      const target = rename(source);
      if (databaseOf(target) === databaseOf(namespace)) return collectionOf(target);
      elsewhere.add(target);
      return collection;
    };
    views.push({
      namespace,
      viewOn: rename(`${databaseOf(name)}.${on}`),
      options: {
        pipeline: followInPipeline(pipeline ?? [], follow),
        ...(documentOf(findElement(value, 'collation')) && { collation }),
      },
      elsewhere: [...elsewhere],
    });
  }
  return views;
}

/** In an order in which each stands on what is there; a circle, which no server holds, comes last. */
export function inDependencyOrder(views: readonly ViewDefinition[]): ViewDefinition[] {
  const ordered: ViewDefinition[] = [];
  const waiting = new Map(views.map((view) => [view.namespace, view]));
  while (waiting.size > 0) {
    const ready = [...waiting.values()].filter(({ viewOn }) => !waiting.has(viewOn));
    if (ready.length === 0) return [...ordered, ...waiting.values()];
    for (const view of ready) {
      ordered.push(view);
      waiting.delete(view.namespace);
    }
  }
  return ordered;
}

/** Why no server can make the view; undefined when nothing is known against it. */
export function misplaced({ namespace, viewOn }: ViewDefinition): string | undefined {
  if (databaseOf(viewOn) === databaseOf(namespace)) return undefined;
  return `${namespace} would read ${viewOn}: a view and its collection need one database`;
}

/** Makes the view anew. Errors: `target-unfit` when a rename put it and its collection into two databases. */
export async function createView(
  connection: MongodbConnection,
  view: ViewDefinition,
  signal: AbortSignal,
): Promise<void> {
  const database = databaseOf(view.namespace);
  const reason = misplaced(view);
  if (reason !== undefined) {
    throw new CodrError('target-unfit', reason, {
      object: view.namespace,
      remedy: 'rename both into the same database',
    });
  }
  await dropCollection(connection, view.namespace, signal);
  await connection.command(
    database,
    {
      create: collectionOf(view.namespace),
      viewOn: collectionOf(view.viewOn),
      ...view.options,
      writeConcern: { w: 'majority' },
    },
    signal,
  );
}
