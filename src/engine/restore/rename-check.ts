// What the renames of a restore come to. One that moves nothing is a mistake that must be heard: with `drop`
// the data would go to the very name that the user wanted to spare. Two that give one name are another.
import { CodrError } from '../../base/error.ts';
import type { GivenName } from '../../connector/restore-target.ts';
import { type Rename, renamed, renameFits, type Scope, scopeHolds } from '../../model/namespace.ts';
import { readDefinitions } from '../read/definitions.ts';
import type { OpenedRuns } from '../read/fold.ts';
import type { ResolvedPoint } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/** Names that a refusal lists. */
const listedMax = 8;

/**
 * What definitions of the scope define, as the renames name it. Errors: `namespace-unknown` when a rename fits
 * nothing of the scope at the point, neither a dataset nor what one of role `definitions` defines; `usage` when
 * two names would become one.
 */
export async function checkRenames(
  context: SourceContext,
  runs: OpenedRuns,
  point: ResolvedPoint,
  { renames, scope }: { readonly renames: readonly Rename[]; readonly scope: Scope },
): Promise<GivenName[]> {
  if (renames.length === 0) return [];
  const defined = await definedNames(context, runs, point, scope);
  const entries = point.datasets.map(({ entry }) => entry);
  const data = entries.filter(({ role }) => role === 'data').map(({ namespace }) => namespace);
  const all = [...entries.map(({ namespace }) => namespace), ...defined];
  // A database may say of one thing twice that it is there: a time series is a view as well.
  const users = [...new Set([...data, ...defined])].sort();
  for (const rename of renames) {
    if (!all.some((name) => renameFits(rename, name))) throw renamesNothing(rename, users);
  }
  refuseCollisions(users.map((from) => ({ from, to: renamed(renames, from) })));
  return defined.map((from) => ({ from, to: renamed(renames, from) }));
}

function refuseCollisions(names: readonly GivenName[]): void {
  const taken = new Map<string, string>();
  for (const { from, to } of names) {
    const other = taken.get(to);
    if (other !== undefined) {
      throw new CodrError('usage', `${other} and ${from} would both be called ${to}`, {
        object: to,
        remedy: 'rename them apart, or leave one of them out',
      });
    }
    taken.set(to, from);
  }
}

/** What the scope means of the names that definitions give: views. */
async function definedNames(
  context: SourceContext,
  runs: OpenedRuns,
  { at, datasets }: ResolvedPoint,
  scope: Scope,
): Promise<string[]> {
  const names: string[] = [];
  for (const dataset of datasets) {
    if (dataset.entry.role !== 'definitions') continue;
    for (const record of await readDefinitions(context, runs, dataset, at)) {
      const name = context.connector.definedName(dataset.entry, record);
      if (name !== undefined && scopeHolds(scope, name)) names.push(name);
    }
  }
  return names;
}

function renamesNothing({ from, to }: Rename, names: readonly string[]): CodrError {
  const more = names.length - listedMax;
  const listed = `${names.slice(0, listedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  const message = `the rename ${from}=${to} fits nothing that would be restored`;
  return new CodrError('namespace-unknown', message, {
    object: from,
    remedy: `there is to rename: ${listed || 'nothing'}`,
    facts: { names },
  });
}
