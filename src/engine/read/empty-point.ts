// What a moment holds that users would call theirs.
import { idleIncludes } from '../../model/namespace.ts';
import type { SourceTime } from '../../model/time.ts';
import type { SourceContext } from '../source-context.ts';
import { readDefinitions } from './definitions.ts';
import { OpenedRuns } from './fold.ts';
import { resolvePoint } from './point.ts';

/** What the source's scope means at a moment. */
export interface ScopeMeaning {
  /** True when nothing is there, no dataset of role `data` and no view. */
  readonly isEmpty: boolean;
  /** Includes that fit nothing. */
  readonly idle: readonly string[];
}

/** Reads the definitions of the moment. */
export async function scopeMeaningAt(
  context: SourceContext,
  at: SourceTime,
): Promise<ScopeMeaning> {
  const { lineage, connector, scope } = context;
  const { datasets } = resolvePoint({ state: lineage.state, connector, scope }, at);
  const own = datasets.filter(({ entry }) => entry.role === 'data');
  const defined: string[] = [];
  const runs = new OpenedRuns(context);
  for (const dataset of datasets) {
    if (dataset.entry.role !== 'definitions') continue;
    for (const record of await readDefinitions(context, runs, dataset, at)) {
      const name = connector.definedName(dataset.entry, record);
      if (name !== undefined) defined.push(name);
    }
  }
  const names = [...datasets.map(({ entry }) => entry.namespace), ...defined];
  return { isEmpty: own.length + defined.length === 0, idle: idleIncludes(scope, names) };
}
