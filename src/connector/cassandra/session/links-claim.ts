// Whether a source may keep links at a node. They have one owner: who deletes links that another needs for its next
// cut takes data from it unseen, so what is not surely ours is refused by name, unless the source file says
// `ownsBackups: true`. What was another's until now is in doubt for a source that has captured the node before.
import { CodrError } from '../../../base/error.ts';
import type { CallOptions, NodeControl } from './control.ts';
import { type LinksOwner, linksOwner } from './links-owner.ts';
import { linkPaths, listTableFolders, type NodeData } from './node-files.ts';

export interface LinksClaim {
  /** The source, as no other source of any CODR is called. */
  readonly owner: string;
  /** As configured: whatever links there are, they are this source's. */
  readonly ownsBackups: boolean;
  /** It took cuts of the cluster before: marks without an owner are its own, from an earlier version. */
  readonly hasCaptured: boolean;
}

interface ClaimedNode extends NodeData {
  readonly address: string;
  readonly control: NodeControl;
}

export interface ClaimedLinks {
  readonly areOn: boolean;
  /** Whose they were, where they become ours now; undefined: ours, or there were none. */
  readonly takenFrom: string | undefined;
}

/** Changes nothing. Errors: `source-unfit` for links of somebody else. */
export async function claimLinks(
  node: ClaimedNode,
  { owner, ownsBackups, hasCaptured }: LinksClaim,
  call: CallOptions,
): Promise<ClaimedLinks> {
  const { address, control } = node;
  const areOn = await control.incrementalBackups(call);
  const found = await linksOwner(node, owner);
  const mayTake = ownsBackups || (found.is === 'unnamed' && hasCaptured);
  if (found.is === 'ours') return { areOn, takenFrom: undefined };
  if (found.is !== 'nobody') {
    if (!mayTake) throw otherLinks(address, found);
    return { areOn, takenFrom: whose(found) };
  }
  if (!mayTake && areOn) throw foreignLinks(address, 'makes incremental backups already');
  if (!mayTake && (await hasLinks(node))) {
    throw foreignLinks(address, 'keeps links in backups folders already');
  }
  return { areOn, takenFrom: areOn ? whose(found) : undefined };
}

function whose(found: LinksOwner): string {
  if (found.is === 'other') return `the links were those of source ${found.owner}`;
  return found.is === 'unnamed' ? 'the links had a mark without an owner' : 'the links had no mark';
}

async function hasLinks(node: NodeData): Promise<boolean> {
  for (const folder of await listTableFolders(node)) {
    if ((await linkPaths(folder)).length > 0) return true;
  }
  return false;
}

/** Links that somebody else may use are not ours to remove. */
function foreignLinks(address: string, what: string): CodrError {
  return new CodrError('source-unfit', `${address} ${what}, and they may be somebody else's`, {
    object: address,
    remedy:
      'set ownsBackups: true if nothing else uses them, or switch them off and remove the files in ' +
      'every backups folder',
    facts: { foreignLinks: true },
  });
}

/** The mark of another source: it counts on its links. */
export function otherLinks(address: string, found: LinksOwner): CodrError {
  const path = 'path' in found ? found.path : address;
  const who =
    found.is === 'other' ? `another source, ${found.owner}` : 'an earlier version of CODR';
  const message = `${address}: the links are kept by ${who}, as the mark ${path} says`;
  return new CodrError('source-unfit', message, {
    object: path,
    remedy:
      'let one source back the cluster up: remove the other by codr source remove, or if it is gone take its ' +
      'links over with ownsBackups: true',
    facts: { foreignLinks: true, ...(found.is === 'other' && { owner: found.owner }) },
  });
}
