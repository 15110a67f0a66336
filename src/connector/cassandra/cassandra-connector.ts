// Apache Cassandra: binds session, cuts, fold, catalog and target into the connector port. Datasets are tables
// by their ids, source times are cuts, records are rows with the timestamps of their cells.
import type { Connector } from '../connector.ts';
import { foldCatalog, openCatalog } from './catalog/catalog-fold.ts';
import { foldRange, leadIn } from './fold-range.ts';
import { parseKey, parseQuery, parseTokenRange } from './render/key-ranges.ts';
import { renderKey, renderRows } from './render/render-rows.ts';
import { tableBodyOf } from './schema/table-body.ts';
import { servedFiles } from './served-files.ts';
import { CassandraSession, leftAtNodes, openPartReader } from './session/cassandra-session.ts';
import { openCassandraTarget } from './target/cassandra-target.ts';
import { formatTime, timeOfWall, wallMs } from './time-text.ts';

export const cassandraConnector: Connector = {
  kind: 'cassandra',
  capabilities: {
    orderedLog: false,
    snapshotReads: false,
    ttlModes: ['keep', 'rebase', 'freeze'],
    keepsDeletions: true,
    datacenters: true,
  },
  connect: (config, context, signal) => CassandraSession.open(config, context, signal),
  openTarget: openCassandraTarget,
  serveFiles: servedFiles,
  openPartReader,
  foldRange,
  leadIn,
  /** There is no log, and so no entry of one. */
  reread: () => undefined,
  foldCatalog,
  openCatalog,
  nativeValue: (_, { value }) => value,
  storesNative: () => true,
  /** `cut:7` is the name of a point. */
  parseTime: () => undefined,
  formatTime,
  wallMs,
  timeOfWall,
  parseKey: (entry, text) => parseKey(tableBodyOf(entry).schema, text),
  parseQuery: (entry, text) => parseQuery(tableBodyOf(entry).schema, text),
  parseRange: parseTokenRange,
  renderValue: (entry, records) => renderRows(tableBodyOf(entry).schema, records),
  renderKey: (entry, record) => renderKey(tableBodyOf(entry).schema, record),
  /** Expired cells are left out of what is loaded. */
  expiry: () => undefined,
  definedName: () => undefined,
  leftUnreleased({ settings }) {
    // A URI has no nodes. The settings were checked when they came; the password may be gone since.
    const nodes = Object.keys((settings?.nodes ?? {}) as object);
    return nodes.length === 0 ? undefined : leftAtNodes(nodes);
  },
  redact: (uri) => uri.replace(/^(cassandra:\/\/[^:@/?]*):[^@]*@/, '$1:***@'),
};
