// Who answers: the replica set's own id, which stays over restarts, renames and new addresses.
import { CodrError } from '../../../base/error.ts';
import { streamId } from '../../../model/id.ts';
import type { SourceIdentity } from '../../connector.ts';
import type { MongodbConnection } from './connection.ts';

/** Errors: `source-unfit` for what is no replica set, a router or a shard. */
export async function readIdentity(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<SourceIdentity> {
  const hello = await connection.admin({ hello: 1 }, signal);
  const { version } = await connection.admin({ buildInfo: 1 }, signal);
  if (hello.msg === 'isdbgrid')
    throw unfit(connection, 'a router (mongos) is not a source', version);
  if (!hello.setName) {
    throw new CodrError(
      'source-unfit',
      `${connection.hosts} is no replica set: it keeps no oplog`,
      {
        object: connection.hosts,
        remedy: 'start mongod with --replSet and run rs.initiate(); a set of one will do',
      },
    );
  }
  const { config } = await connection.admin({ replSetGetConfig: 1 }, signal);
  const id = config.settings?.replicaSetId;
  return {
    id: id ? String(id) : String(config._id),
    version,
    streams: [streamId(hello.setName)],
  };
}

function unfit(connection: MongodbConnection, why: string, version: string): CodrError {
  return new CodrError('source-unfit', `${connection.hosts} (${version}): ${why}`, {
    object: connection.hosts,
    remedy: 'name the members of a replica set',
  });
}
