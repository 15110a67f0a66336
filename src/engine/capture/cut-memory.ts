// What a connector has to know for the next cut, in the state of the lineage: a value for each of its names, of which
// a commit holds those that differ from the cut before.
import { fromBase64 } from '../../base/bytes.ts';
import type { CutMemory } from '../../connector/connector.ts';
import type { Draft } from '../../repository/lineage/draft.ts';
import type { CutMemoryRecord } from '../../repository/lineage/records.ts';
import type { StateView } from '../../repository/lineage/state.ts';

/** Undefined before the first cut. */
export function rememberedCut(state: StateView): CutMemory | undefined {
  const parts = state.list<CutMemoryRecord>('cutstate').map(([name, record]): [string, string] => {
    // Earlier versions wrote all of it as one value, anew with every cut.
    const text = typeof record === 'string' ? record : textOf(record.state);
    return [name, text];
  });
  return parts.length === 0 ? undefined : new Map(parts);
}

export function rememberCut(draft: Draft, memory: CutMemory): void {
  for (const name of [...draft.keys('cutstate')]) {
    if (!memory.has(name)) draft.set(`cutstate/${name}`, null);
  }
  for (const [name, text] of memory) {
    const key = `cutstate/${name}`;
    if (draft.get<CutMemoryRecord>(key) !== text) draft.set(key, text);
  }
}

const textOf = (base64: string): string => Buffer.from(fromBase64(base64)).toString('utf8');
