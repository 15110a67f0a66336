// What an operation leaves for whoever takes it over, in the coordinator:
//   operation-results/<id>/handover                 which of them counts
//   operation-results/<id>/handover-<claim>-<n>     what one owner left, sealed, in parts
// It lies beside the result, and is forgotten with it.
import type { Handover } from '../../api/call.ts';
import { CodrError } from '../../base/error.ts';
import type { Coordinator } from '../../coordination/coordinator.ts';
import { openedText, ownerKey, partsOf, resultKey, sealedText } from './operation-records.ts';
import type { ValueSeal } from './value-seal.ts';

interface Head {
  readonly claim: number;
  readonly parts: number;
}

/** Of the owner whose claim is given: what those before it have left, and what it leaves itself. */
export function handoverOf(
  coordinator: Coordinator,
  seal: ValueSeal,
  { id, claim }: { readonly id: string; readonly claim: number },
): Handover {
  const headKey = resultKey(id, 'handover');
  const partKey = (owner: number, n: number): string =>
    resultKey(id, `handover-${owner}-${String(n).padStart(6, '0')}`);
  return {
    async read() {
      const entry = await coordinator.get(headKey);
      if (!entry) return undefined;
      const head = JSON.parse(entry.value) as Head;
      const texts: string[] = [];
      for (let n = 0; n < head.parts; n++) {
        const part = await coordinator.get(partKey(head.claim, n));
        if (!part) return undefined;
        texts.push(part.value);
      }
      return openedText(seal, texts.join(''));
    },
    async write(value) {
      const parts = partsOf(sealedText(seal, value));
      const head = JSON.stringify({ claim, parts: parts.length } satisfies Head);
      const guard = { key: ownerKey(id), createRevision: claim };
      const puts = parts.map((part, n) => ({ put: partKey(claim, n), value: part }));
      // Each under the claim: what comes after the operation is forgotten would lie there for ever.
      for (const put of [...puts, { put: headKey, value: head }]) {
        if ((await coordinator.transact([guard], [put])).done) continue;
        throw new CodrError('lease-lost', 'another peer has taken the operation over', {
          object: id,
        });
      }
    },
  };
}
