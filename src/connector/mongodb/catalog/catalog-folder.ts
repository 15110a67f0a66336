// What there was at a time: surveys and the log's commands, folded per collection UUID, so that names can
// move between collections. A dropped UUID never comes back. Page: docs/format/mongodb-catalog.md.
import type { CatalogChange, CatalogEntry } from '../../../model/catalog.ts';
import { type DatasetId, datasetId } from '../../../model/id.ts';
import type { CatalogFold } from '../../connector.ts';
import { documentOf, findElement, flagOf, stringOf, uuidOf } from '../bson/raw-bson.ts';
import {
  databaseOf,
  definitionKind,
  followsRecords,
  restorable,
  userName,
} from '../oplog/namespace-rules.ts';
import {
  addIndex,
  type CollectionState,
  entryBody,
  stateOfCreate,
  stateOfSurvey,
} from './catalog-body.ts';
import {
  dropIndexes,
  indexesOfBuild,
  indexOfCommand,
  modifyCollection,
} from './collection-modifier.ts';

/**
 * The restorable collections after `changes`, which ascend by time, ordered by name. Temporary collections
 * and what a node keeps for itself are left out; a time series has the name that users know. Errors: `object-damaged`.
 */
export function foldCatalog(changes: Iterable<CatalogChange>): CatalogEntry[] {
  const fold = openCatalog();
  for (const change of changes) fold.apply(change);
  return fold.entries();
}

/** The same fold, held open for changes that are still to come. */
export function openCatalog(): CatalogFold {
  return new MongodbCatalogFold();
}

class MongodbCatalogFold implements CatalogFold {
  readonly #collections = new Map<DatasetId, CollectionState>();
  readonly #dropped = new Set<DatasetId>();

  apply(change: CatalogChange): void {
    const { dataset, kind, body } = change;
    if (kind === 'survey') {
      if (dataset && !this.#dropped.has(dataset))
        this.#collections.set(dataset, stateOfSurvey(body));
      return;
    }
    const o = documentOf(findElement(body, 'o'));
    if (!o) return;
    const database = databaseOf(stringOf(findElement(body, 'ns')) ?? '');
    if (kind === 'dropDatabase') this.#dropDatabase(database);
    else if (dataset && kind === 'create') {
      if (!this.#dropped.has(dataset)) this.#collections.set(dataset, stateOfCreate(database, o));
    } else if (dataset && kind === 'drop') this.#drop(dataset);
    else if (dataset && kind === 'renameCollection') this.#rename(dataset, o);
    else if (dataset) this.#modify(dataset, kind, o);
  }

  entries(): CatalogEntry[] {
    return this.#entriesOf(
      ({ namespace, options }) => restorable(namespace) && !flagOf(options.get('temp')),
    );
  }

  followed(): CatalogEntry[] {
    return this.#entriesOf(({ namespace }) => followsRecords(namespace));
  }

  #entriesOf(isWanted: (state: CollectionState) => boolean): CatalogEntry[] {
    const entries: CatalogEntry[] = [];
    for (const [dataset, state] of this.#collections) {
      if (!isWanted(state)) continue;
      const defined = definitionKind(state.namespace);
      const kind = defined ?? kindOf(state);
      const namespace = kind === 'timeseries' ? userName(state.namespace) : state.namespace;
      const role = defined ? 'definitions' : 'data';
      entries.push({ dataset, namespace, role, kind, body: entryBody(state) });
    }
    return entries.sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  }

  #modify(dataset: DatasetId, kind: string, o: Buffer): void {
    const state = this.#collections.get(dataset);
    if (!state) return;
    switch (kind) {
      case 'collMod':
        modifyCollection(state, o);
        break;
      case 'createIndexes':
        addIndex(state, indexOfCommand(o));
        break;
      case 'commitIndexBuild':
        for (const spec of indexesOfBuild(o)) addIndex(state, spec);
        break;
      default: // dropIndexes and its three older names
        dropIndexes(state, o);
    }
  }

  #rename(dataset: DatasetId, o: Buffer): void {
    const to = stringOf(findElement(o, 'to'));
    const target = findElement(o, 'dropTarget');
    const targetUuid = uuidOf(target);
    if (targetUuid !== undefined) this.#drop(datasetId(targetUuid));
    else if (flagOf(target)) this.#dropNamed(to);
    const state = this.#collections.get(dataset);
    if (!state || to === undefined) return;
    state.namespace = to;
    if (!flagOf(findElement(o, 'stayTemp'))) state.options.delete('temp');
  }

  #drop(dataset: DatasetId): void {
    this.#collections.delete(dataset);
    this.#dropped.add(dataset);
  }

  #dropNamed(namespace: string | undefined): void {
    for (const [dataset, state] of this.#collections) {
      if (state.namespace === namespace) this.#drop(dataset);
    }
  }

  #dropDatabase(database: string): void {
    for (const [dataset, state] of this.#collections) {
      if (databaseOf(state.namespace) === database) this.#drop(dataset);
    }
  }
}

function kindOf({ options }: CollectionState): string {
  if (options.has('timeseries')) return 'timeseries';
  if (flagOf(options.get('capped'))) return 'capped';
  return options.has('clusteredIndex') ? 'clustered' : 'collection';
}
