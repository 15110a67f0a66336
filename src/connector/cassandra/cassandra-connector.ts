// Apache Cassandra: binds session, cuts, fold, catalog and target into the connector port. Datasets are tables
// by their ids, source times are cuts, records are rows with the timestamps of their cells.
import { toHex } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import type { Connector } from '../connector.ts';
import { foldCatalog, openCatalog } from './catalog/catalog-fold.ts';
import { foldRange, leadIn } from './fold-range.ts';
import { CassandraSession } from './session/cassandra-session.ts';
import { openCassandraTarget } from './target/cassandra-target.ts';
import { formatTime, timeOfWall, wallMs } from './time-text.ts';

export const cassandraConnector: Connector = {
  kind: 'cassandra',
  capabilities: {
    orderedLog: false,
    snapshotReads: false,
    ttlModes: ['keep', 'rebase', 'freeze'],
  },
  connect: (config, context, signal) => CassandraSession.open(config, context, signal),
  openTarget: openCassandraTarget,
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
  parseKey: () => {
    throw new CodrError('usage', 'a row of Cassandra cannot be asked for by its key yet', {
      remedy: 'restore its table under another name',
    });
  },
  renderValue: toHex,
  renderKey: ({ key }) => toHex(key),
  /** Expired cells are left out of what is loaded. */
  expiry: () => undefined,
  definedName: () => undefined,
  redact: (uri) => uri.replace(/^(cassandra:\/\/[^:@/?]*):[^@]*@/, '$1:***@'),
};
