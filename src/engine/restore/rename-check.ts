// What the renames of a restore come to. One that moves nothing is a mistake that must be heard: with `drop`
// the data would go to the very name that the user wanted to spare.
import { CodrError } from '../../base/error.ts';
import { type Rename, renameFits, type Scope, scopeHolds } from '../../model/namespace.ts';
import { readDefinitions } from '../read/definitions.ts';
import type { OpenedRuns } from '../read/fold.ts';
import type { ResolvedPoint } from '../read/point.ts';
import type { SourceContext } from '../source-context.ts';

/** Names that a refusal lists. */
const listedMax = 8;

/**
 * Errors: `namespace-unknown` when a rename fits nothing of the scope at the point, neither a dataset nor
 * what one of role `definitions` defines.
 */
export async function checkRenames(
  context: SourceContext,
  runs: OpenedRuns,
  point: ResolvedPoint,
  { renames, scope }: { readonly renames: readonly Rename[]; readonly scope: Scope },
): Promise<void> {
  if (renames.length === 0) return;
  const defined = await definedNames(context, runs, point, scope);
  const entries = point.datasets.map(({ entry }) => entry);
  const data = entries.filter(({ role }) => role === 'data').map(({ namespace }) => namespace);
  const all = [...entries.map(({ namespace }) => namespace), ...defined];
  for (const rename of renames) {
    if (all.some((name) => renameFits(rename, name))) continue;
    throw renamesNothing(rename, [...new Set([...data, ...defined])].sort());
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
