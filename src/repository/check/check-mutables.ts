// Objects that change as chains: each authentic, and those that a lineage counts on there.
import { isCodrError } from '../../base/error.ts';
import { type MutableContext, readMutable } from '../lineage/mutable.ts';
import type { StateView } from '../lineage/state.ts';
import type { Problems } from './problems.ts';

const remedies: Readonly<Record<string, string>> = {
  pin: 'remove it: the reader that left it runs no more, or will read on without it',
  boundary: 'put it back from a copy of the repository; entries of the lineage then count from it',
  collect: 'put it back from a copy of the repository; until then `codr collect` stops here',
};

export async function checkMutables(
  context: MutableContext,
  repository: StateView | undefined,
  problems: Problems,
): Promise<void> {
  const decided = new Set<string>();
  for await (const { name } of context.store.list('mutable/')) {
    const [, what = '', id = '', n] = name.split('/');
    if (what === 'collect') decided.add(id);
    try {
      await readMutable(context, { what, id, n: Number(n) });
    } catch (error) {
      const isDamaged = isCodrError(error, 'object-damaged') || error instanceof SyntaxError;
      if (!isDamaged) throw error;
      const remedy = remedies[what] ?? 'put it back from a copy of the repository';
      problems.add({ object: name, problem: error.message, remedy });
    }
  }
  for (const id of repository?.keys('collected') ?? []) {
    if (decided.has(id)) continue;
    const remedy = 'nothing is lost: its packs are deleted already';
    problems.add({ object: `mutable/collect/${id}/00000000`, problem: 'it is missing', remedy });
  }
}
