// A raw connection to one node of a target, with the login and the certificates of its configuration, at the port at which
// the driver reaches that node.
import { CodrError } from '../../../base/error.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import { type CqlSession, readTls } from '../session/cql.ts';
import { type NodeQueries, WireConnection } from '../wire/wire-connection.ts';

/** Far more than the rows of a sampled slice have. */
const answerBytesMax = 64 * 1024 * 1024;

/** Errors: `target-unfit` and `target-rights`, naming the node. */
export async function nodeConnection(
  { username, password, tls }: CassandraConfig,
  cql: CqlSession,
  address: string,
  signal: AbortSignal,
): Promise<NodeQueries> {
  const port = cql.hosts().find((host) => host.address === address)?.port;
  if (port === undefined) {
    const message = `${address} is not known to the driver: its rows cannot be asked for`;
    throw new CodrError('target-unfit', message, { object: address });
  }
  const login = username === undefined ? undefined : { username, password: password ?? '' };
  const options = { answerBytesMax, login, tls: tls && (await readTls(tls)) };
  return await WireConnection.open({ host: address, port }, options, signal);
}
