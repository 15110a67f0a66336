// Whether a moment holds anything that users would call theirs.
import type { SourceTime } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import { readDefinitions } from './definitions.ts';
import { OpenedRuns } from './fold.ts';
import { resolvePoint } from './point.ts';

/** True when nothing of the source's scope is there at `at`, no dataset of role `data` and no view. */
export async function isEmptyAt(context: SourceContext, at: SourceTime): Promise<boolean> {
  const { lineage, connector, scope } = context;
  const { datasets } = resolvePoint({ state: lineage.state, connector, scope }, at);
  if (datasets.some(({ entry }) => entry.role === 'data')) return false;
  const runs = new OpenedRuns(context);
  for (const dataset of datasets) {
    for (const record of await readDefinitions(context, runs, dataset, at)) {
      if (connector.definedName(dataset.entry, record) !== undefined) return false;
    }
  }
  return true;
}
