// Every kind of database that CODR knows; a new one is one more line here.
import type { Connector } from './connector.ts';
import { mongodbConnector } from './mongodb/mongodb-connector.ts';

export const connectors: readonly Connector[] = [mongodbConnector];
