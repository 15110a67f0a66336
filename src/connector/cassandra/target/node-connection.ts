// A raw connection to one node of a target, with the login and the certificates of its configuration, at the port at which
// the driver reaches that node.
import { forEachLimit } from '../../../base/async.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import { type CqlSession, readTls } from '../session/cql.ts';
import { type NodePages, WireConnection } from '../wire/wire-connection.ts';

/** Far more than the rows of a sampled slice have. */
const answerBytesMax = 64 * 1024 * 1024;
const nodesAtOnce = 8;

/** Errors: `target-unfit` and `target-rights`, naming the node. */
export async function nodeConnection(
  { username, password, tls }: CassandraConfig,
  cql: Pick<CqlSession, 'hosts'>,
  address: string,
  signal: AbortSignal,
): Promise<NodePages> {
  const port = cql.hosts().find((host) => host.address === address)?.port;
  if (port === undefined) {
    const message = `${address} is not known to the driver: its rows cannot be asked for`;
    throw new CodrError('target-unfit', message, { object: address });
  }
  const login = username === undefined ? undefined : { username, password: password ?? '' };
  const options = { answerBytesMax, login, tls: tls && (await readTls(tls)) };
  return await WireConnection.open({ host: address, port }, options, signal);
}

/** What a plan says of nodes that the proof could not ask. */
export async function unaskable(
  config: CassandraConfig,
  cql: Pick<CqlSession, 'hosts'>,
  nodes: Iterable<{ readonly nativeAddress: string }>,
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  const look = async ({ nativeAddress }: { readonly nativeAddress: string }): Promise<void> => {
    try {
      using _ = await nodeConnection(config, cql, nativeAddress, signal);
    } catch (error) {
      if (!isCodrError(error)) throw error;
      warnings.push(`the proof cannot ask a node for its rows: ${error.message}`);
    }
  };
  await forEachLimit(nodes, nodesAtOnce, look, signal);
  return warnings.sort();
}
