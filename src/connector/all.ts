// Every kind of database that CODR knows; a new one is one more line here.
import { cassandraConnector } from './cassandra/cassandra-connector.ts';
import type { Connector } from './connector.ts';
import { mongodbConnector } from './mongodb/mongodb-connector.ts';

export const connectors: readonly Connector[] = [mongodbConnector, cassandraConnector];
