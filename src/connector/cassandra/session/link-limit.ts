// How much disk the links of a node may hold. A link costs nothing while something else names the same file; it
// holds the file from the moment compaction lets go of it. Past the limit the links are given up: a full disk
// stops the server, a cut that has to read more does not.
import { forEachLimit } from '../../../base/async.ts';
import { CodrError, isCodrError } from '../../../base/error.ts';
import type { NodeControl } from './control.ts';
import { markDoubt } from './links-owner.ts';
import {
  deleteAllLinks,
  isMissing,
  linkPaths,
  listTableFolders,
  type NodeData,
} from './node-files.ts';

/** Bytes of a node, or a part of what would be free on its disks without the links. */
export type LinkLimit = { readonly bytes: number } | { readonly share: number };

const units = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** `20GiB` or `25%`; undefined for anything else. */
export function parseLinkLimit(text: string): LinkLimit | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB|TiB|%)$/.exec(text.trim());
  if (!match) return undefined;
  const number = Number(match[1]);
  const unit = match[2] as keyof typeof units | '%';
  if (unit === '%') return number <= 100 ? { share: number / 100 } : undefined;
  return { bytes: Math.floor(number * units[unit]) };
}

/** Looked at side by side. */
const tablesAtOnce = 16;
const linksAtOnce = 64;

interface LinkUse {
  readonly heldBytes: number;
  readonly limitBytes: number;
}

/** What the links hold where that is more than they may; undefined within the limit. */
async function pastLimit(node: NodeData, limit: LinkLimit): Promise<LinkUse | undefined> {
  const disks = await heldByDisk(node);
  if ('bytes' in limit) {
    const heldBytes = disks.reduce((sum, disk) => sum + disk.heldBytes, 0);
    return heldBytes > limit.bytes ? { heldBytes, limitBytes: limit.bytes } : undefined;
  }
  for (const { heldBytes, freeBytes } of disks) {
    const limitBytes = Math.floor((freeBytes + heldBytes) * limit.share);
    if (heldBytes > limitBytes) return { heldBytes, limitBytes };
  }
  return undefined;
}

interface LinkedNode extends NodeData {
  readonly control: NodeControl;
}

/**
 * Links off and removed where they hold more than they may; why, or undefined within the limit. The doubt is noted
 * first: whatever happens then, the next cut knows that links are not whole. A node that cannot be told to make no
 * more of them loses those that are there all the same.
 */
export async function giveUpLinks(
  node: LinkedNode,
  limit: LinkLimit,
  signal: AbortSignal,
): Promise<string | undefined> {
  const use = await pastLimit(node, limit);
  if (!use) return undefined;
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  const reason = `links held ${mebibytes(use.heldBytes)}, more than ${mebibytes(use.limitBytes)}`;
  await markDoubt(node, `${reason}, and were given up`);
  try {
    await node.control.setIncrementalBackups(false, { signal });
  } finally {
    for (const folder of await listTableFolders(node)) await deleteAllLinks(folder);
  }
  return reason;
}

interface Disk {
  readonly device: string;
  readonly freeBytes: number;
  heldBytes: number;
}

/** Data directories may share a file system. */
async function heldByDisk({ files, dataDirectories }: NodeData): Promise<Disk[]> {
  const disks = new Map<string, Disk>();
  for (const directory of dataDirectories) {
    try {
      const { device } = await files.stat(directory);
      const freeBytes = await files.freeBytes(directory);
      const disk = disks.get(device) ?? { device, freeBytes, heldBytes: 0 };
      disks.set(device, disk);
      disk.heldBytes += await heldBytes({ files, dataDirectories: [directory] });
    } catch (cause) {
      if (isCodrError(cause)) throw cause;
      const message = `the space of ${directory} cannot be read: ${(cause as Error).message}`;
      throw new CodrError('source-unreachable', message, { object: directory, cause });
    }
  }
  return [...disks.values()];
}

/** Of files that no one but the link names. */
async function heldBytes(node: NodeData): Promise<number> {
  let held = 0;
  await forEachLimit(await listTableFolders(node), tablesAtOnce, async (folder) => {
    const paths = await linkPaths(folder);
    await forEachLimit(paths, linksAtOnce, async (path) => {
      // It may have been removed since it was listed.
      const found = await node.files.stat(path).catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      if (found?.names === 1) held += found.bytes;
    });
  });
  return held;
}
