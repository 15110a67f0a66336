// Who the target is: a replica set by its own id, or a standalone server.
import { CodrError } from '../../../base/error.ts';
import { streamId } from '../../../model/id.ts';
import type { SourceIdentity } from '../../connector.ts';
import type { MongodbConnection } from '../session/connection.ts';

/** Errors: `target-unfit` for a server that takes no writes. */
export async function readTargetIdentity(
  connection: MongodbConnection,
  signal: AbortSignal,
): Promise<SourceIdentity> {
  const hello = await connection.admin({ hello: 1 }, signal);
  const { version } = await connection.admin({ buildInfo: 1 }, signal);
  if (!hello.isWritablePrimary) {
    throw new CodrError('target-unfit', `${connection.hosts} takes no writes: it is no primary`, {
      object: connection.hosts,
      remedy: 'name the replica set: mongodb://hosts/?replicaSet=NAME',
    });
  }
  const id = hello.setName ? `${hello.setName}` : `standalone ${connection.hosts}`;
  return { id, version, streams: hello.setName ? [streamId(hello.setName)] : [] };
}
