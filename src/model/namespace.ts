// Names as users write them: `db.collection`, globs over them, and renames.
import { CodrError } from '../base/error.ts';

/** Which names are meant. No include means all; an exclude wins over an include. */
export interface Scope {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const everything: Scope = { include: [], exclude: [] };

/** True when `namespace` is meant by `scope`. `*` matches any run of characters, `?` any one. */
export function scopeHolds(scope: Scope, namespace: string): boolean {
  const matches = (pattern: string): boolean => globMatches(pattern, namespace);
  return (
    (scope.include.length === 0 || scope.include.some(matches)) && !scope.exclude.some(matches)
  );
}

export function globMatches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(name);
}

/** A rename as the user gave it: `db.coll=db2.coll2` or `db.*=db2.*`. */
export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** Reads `FROM=TO`. Both sides must be whole names, or both end in `.*`. */
export function parseRename(text: string): Rename {
  const [from, to, ...rest] = text.split('=');
  const wild = (name: string): boolean => name.endsWith('.*');
  const fine =
    from &&
    to &&
    rest.length === 0 &&
    from.includes('.') &&
    to.includes('.') &&
    wild(from) === wild(to);
  if (!fine) {
    throw new CodrError('usage', `"${text}" is not a rename`, {
      remedy: 'write db.coll=db2.coll2 or db.*=db2.*',
    });
  }
  return { from, to };
}

/** The name that `namespace` gets; the first rename that fits decides. */
export function renamed(renames: readonly Rename[], namespace: string): string {
  for (const { from, to } of renames) {
    if (from === namespace) return to;
    if (from.endsWith('.*') && namespace.startsWith(from.slice(0, -1))) {
      return to.slice(0, -1) + namespace.slice(from.length - 1);
    }
  }
  return namespace;
}
