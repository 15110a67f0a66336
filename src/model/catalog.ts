// Names, options, indexes, users: all that is not records, as a timeline. The engine stores catalog
// changes and sorts them by time; only the connector understands their bodies.
import type { Order } from './change.ts';
import type { DatasetId } from './id.ts';

/** What ends a dataset is a change of that dataset, even where the log tells it within another's. */
export interface CatalogChange extends Order {
  /** The dataset it is about; absent for what belongs to a whole database. */
  readonly dataset?: DatasetId;
  /** The dataset begins with this change and is empty: all its records are in the log after it. */
  readonly creates?: true;
  /** For people and logs: `create`, `renameCollection`, `survey`. */
  readonly kind: string;
  /** Native bytes (MongoDB: one BSON document). */
  readonly body: Uint8Array;
}

/** What a dataset is at one moment, as far as the engine needs to know. */
export interface CatalogEntry {
  readonly dataset: DatasetId;
  /** Its name at that moment: `db.collection`. */
  readonly namespace: string;
  /**
   * `data`: user records, restored into a dataset of their own. `definitions`: records that define other
   * things (views, users, roles), handed whole to the target.
   */
  readonly role: 'data' | 'definitions';
  /** For people: `collection`, `capped`, `timeseries`, `clustered`, `views`, `users`, `roles`. */
  readonly kind: string;
  /** Native bytes for the connector: options and indexes. */
  readonly body: Uint8Array;
}
