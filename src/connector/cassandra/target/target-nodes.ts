// The nodes of a target that SSTables are written for: each member of the ring that owns data, with its control
// and its files. A member that cannot be reached so is named before anything is written.
import { CodrError } from '../../../base/error.ts';
import type { FilesOf } from '../../../base/file-access.ts';
import type { CassandraConfig } from '../session/cassandra-config.ts';
import { cutNodes } from '../session/cassandra-session.ts';
import { judgeVersion } from '../session/check-cassandra.ts';
import type { NodeControl } from '../session/control.ts';
import type { NodeData } from '../session/node-files.ts';
import { probeFiles } from '../session/probe-files.ts';
import { nodeAt, type Ring } from '../session/ring.ts';
import { onTarget } from './target-fault.ts';

export interface TargetNode extends NodeData {
  readonly hostId: string;
  /** As configured. */
  readonly address: string;
  readonly nativeAddress: string;
  readonly control: NodeControl;
  /** What the server calls a path → what it is for who sees it. */
  readonly ourPath?: (path: string) => string;
  /** The way back. */
  readonly serverPath?: (path: string) => string;
}

/** Members of the ring that are configured, by host id. */
export function configuredNodes(
  config: CassandraConfig,
  filesOf: FilesOf,
  ring: Ring,
): Map<string, TargetNode> {
  const found = new Map<string, TargetNode>();
  for (const node of cutNodes(config, filesOf)) {
    const { address } = node;
    const member = nodeAt(ring, address);
    if (!member) {
      const message = `${address} is not a member of cluster ${ring.clusterName}`;
      throw new CodrError('target-unfit', message, { object: address, remedy: 'correct nodes' });
    }
    const { hostId, nativeAddress } = member;
    found.set(hostId, { ...node, hostId, nativeAddress });
  }
  return found;
}

/**
 * Proves that all owners of data can be given files. Errors: `target-unfit`, which names all nodes that are not
 * configured; `target-rights`.
 */
export async function checkNodes(
  ring: Ring,
  nodes: ReadonlyMap<string, TargetNode>,
  owners: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const missing = ring.nodes.filter(({ hostId }) => owners.has(hostId) && !nodes.has(hostId));
  if (missing.length > 0) {
    const names = missing.map(({ address }) => address).join(', ');
    throw new CodrError('target-unfit', `nodes that own data are not configured: ${names}`, {
      object: names,
      remedy: 'add them to nodes, with dataDirectories and control',
    });
  }
  const down = ring.nodes.filter(({ hostId }) => owners.has(hostId) && !ring.up.includes(hostId));
  if (down.length > 0) {
    const names = down.map(({ address }) => address).join(', ');
    throw new CodrError('target-unfit', `nodes that own data are down: ${names}`, {
      object: names,
      remedy: 'start them: each replica gets its own copy',
    });
  }
  const owning = [...nodes.values()].filter(({ hostId }) => owners.has(hostId));
  await Promise.all(owning.map((node) => onTarget(checkNode(node, signal))));
}

/** Errors: also those of the control, which have the codes of a source. */
async function checkNode(
  { hostId, address, control, files, dataDirectories, ourPath = same }: TargetNode,
  signal: AbortSignal,
): Promise<void> {
  const unfit = (message: string, remedy: string): CodrError =>
    new CodrError('target-unfit', `${address}: ${message}`, { object: address, remedy });
  const identity = await control.identity({ signal });
  if (identity.hostId !== hostId) {
    const message = `its control answers for another host, ${identity.hostId}`;
    throw unfit(message, `correct nodes.${address}.control`);
  }
  const version = judgeVersion(identity.releaseVersion);
  if (version !== undefined) throw unfit(version, 'see the supported versions');
  if (identity.operationMode !== 'NORMAL') {
    throw unfit(`it is in mode ${identity.operationMode}`, 'wait for NORMAL');
  }
  const served = (await control.dataDirectories({ signal })) ?? [];
  const ours = served.map((path) => plain(ourPath(path)));
  for (const directory of dataDirectories) {
    if (ours.length > 0 && !ours.includes(plain(directory))) {
      throw unfit(`it keeps no data in ${directory}`, `correct nodes.${address}.dataDirectories`);
    }
    const fault = await probeFiles(files, directory, signal);
    if (fault !== undefined) throw unfit(fault, "run as the server's user");
  }
  const known = new Set(dataDirectories.map(plain));
  for (const [i, directory] of ours.entries()) {
    // The server may move what it imports into any of its directories: the proof must find it there.
    if (known.has(directory)) continue;
    const message = `it keeps data in ${served[i]} too, which is not configured`;
    throw unfit(message, `add it to nodes.${address}.dataDirectories`);
  }
}

/** The directory of a node that has most room, and how much. Errors: `target-unfit`. */
export async function roomiest({
  address,
  files,
  dataDirectories,
}: Pick<TargetNode, 'address' | 'files' | 'dataDirectories'>) {
  const rooms = await Promise.all(
    dataDirectories.map(async (directory) => {
      try {
        return { directory, free: await files.freeBytes(directory) };
      } catch (cause) {
        const message = `${address}: ${directory} cannot be looked at`;
        throw new CodrError('target-unfit', message, { object: directory, cause });
      }
    }),
  );
  return rooms.reduce((most, room) => (room.free > most.free ? room : most));
}

const same = (path: string): string => path;
const plain = (path: string): string => path.replace(/\/+$/, '');
