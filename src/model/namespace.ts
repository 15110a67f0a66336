// Names as users write them: `db.collection`, globs over them, and renames.
import { CodrError } from '../base/error.ts';

/** Which names are meant. No include means all; an exclude wins over an include. */
export interface Scope {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const everything: Scope = { include: [], exclude: [] };

/** Errors: `usage`, for a pattern that no name fits. */
export function parseScope({ include, exclude }: Scope): Scope {
  for (const pattern of [...include, ...exclude]) {
    const fault = patternFault(pattern);
    if (fault !== undefined) throw new CodrError('usage', fault, { object: pattern });
  }
  return { include, exclude };
}

/**
 * Why this is no pattern of names; undefined when it is one. A database alone would fit nothing, since names
 * are `db.collection`; `*` means everything.
 */
export function patternFault(pattern: string): string | undefined {
  if (pattern.includes('.') || pattern === '*') return undefined;
  return `"${pattern}" is no db.collection: write "${pattern}.*" for all of a database`;
}

/** True when `namespace` is meant by `scope`. `*` matches any run of characters, `?` any one. */
export function scopeHolds(scope: Scope, namespace: string): boolean {
  const matches = (pattern: string): boolean => globMatches(pattern, namespace);
  return (
    (scope.include.length === 0 || scope.include.some(matches)) && !scope.exclude.some(matches)
  );
}

/** Includes that mean none of `names`: misspelt ones protect nothing, and nothing else would show it. */
export function idleIncludes({ include }: Scope, names: readonly string[]): string[] {
  return include.filter((pattern) => !names.some((name) => globMatches(pattern, name)));
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

/** Reads all renames of a restore. One that an earlier one leaves nothing to would be passed over silently. */
export function parseRenames(texts: readonly string[]): Rename[] {
  const renames: Rename[] = [];
  for (const text of texts) {
    const rename = parseRename(text);
    const earlier = renames.find((one) => renameFits(one, rename.from));
    if (earlier) {
      const before = `${earlier.from}=${earlier.to}`;
      throw new CodrError('usage', `"${text}" has no effect: "${before}" comes before it`, {
        object: rename.from,
        remedy: 'give each name one rename, and a single name before db.*',
      });
    }
    renames.push(rename);
  }
  return renames;
}

/** True when the rename moves what is called `namespace`. */
export function renameFits({ from }: Rename, namespace: string): boolean {
  return from === namespace || (from.endsWith('.*') && namespace.startsWith(from.slice(0, -1)));
}

/** The name that `namespace` gets; the first rename that fits decides. */
export function renamed(renames: readonly Rename[], namespace: string): string {
  const rename = renames.find((one) => renameFits(one, namespace));
  if (!rename) return namespace;
  const { from, to } = rename;
  return from === namespace ? to : to.slice(0, -1) + namespace.slice(from.length - 1);
}
