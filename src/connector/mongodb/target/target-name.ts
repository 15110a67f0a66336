// Names in the target: what an item is called while it is loaded, and which names a `drop` means.
import { createHash } from 'node:crypto';
import type { Rename, Scope } from '../../../model/namespace.ts';
import { renamed, scopeHolds } from '../../../model/namespace.ts';
import { databaseOf, workingName } from '../oplog/namespace-rules.ts';

/** Where an item is loaded beside the data it will replace: the same for the same operation. */
export function besideName(operation: string, namespace: string): string {
  const hash = createHash('sha256').update(`${operation} ${namespace}`).digest('hex').slice(0, 16);
  return workingName(databaseOf(namespace), hash);
}

/** True when the target's `namespace` is one that the restore's scope means, seen through its renames. */
export function dropMeans(scope: Scope, renames: readonly Rename[], namespace: string): boolean {
  for (const rename of renames) {
    const source = unrenamed(rename, namespace);
    if (source !== undefined) return scopeHolds(scope, source);
  }
  // A name that the renames move away stays untouched in the target.
  return renamed(renames, namespace) === namespace && scopeHolds(scope, namespace);
}

function unrenamed({ from, to }: Rename, namespace: string): string | undefined {
  if (!to.endsWith('.*')) return namespace === to ? from : undefined;
  const [fromPrefix, toPrefix] = [from.slice(0, -1), to.slice(0, -1)];
  return namespace.startsWith(toPrefix) ? fromPrefix + namespace.slice(toPrefix.length) : undefined;
}
