// All changes of one record, in their order, applied to what the base copy holds of it.
// Values of capped collections keep the order number before their bytes (oplog/effects.ts).
import { toHex } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import { type Change, changeKinds } from '../../../model/change.ts';
import type { SourceTime } from '../../../model/time.ts';
import { withIdFirst } from '../bson/id-first.ts';
import { documentOf, findElement } from '../bson/raw-bson.ts';
import { orderPrefixBytes } from '../oplog/effects.ts';
import { describeTime } from '../time-text.ts';
import { applyDiff, type Fit } from './diff-applier.ts';
import { applyModifiers, isModifierUpdate } from './modifier-applier.ts';

/**
 * The record's value after `change`, undefined when it is gone. A change at or before `exactFrom` that does
 * not fit is passed over. Errors: `object-damaged` for a later one, naming dataset, key and time.
 */
export function applyChange(
  value: Uint8Array | undefined,
  change: Change,
  exactFrom: SourceTime,
): Uint8Array | undefined {
  if (change.kind === changeKinds.delete) return undefined;
  const keepsOrder = change.value.length >= orderPrefixBytes && startsWithZeros(change.value);
  if (change.kind === changeKinds.put && !keepsOrder) return change.value;
  const lenient = change.time <= exactFrom;
  if (value === undefined) {
    if (lenient) return undefined;
    throw doesNotFit(change, 'changes a record that does not exist');
  }
  try {
    if (!keepsOrder) return applyUpdate(value, change.value, lenient ? 'lenient' : 'strict');
    const document = change.value.subarray(orderPrefixBytes);
    const after =
      change.kind === changeKinds.put
        ? document
        : applyUpdate(value.subarray(orderPrefixBytes), document, lenient ? 'lenient' : 'strict');
    return Buffer.concat([value.subarray(0, orderPrefixBytes), after]);
  } catch (cause) {
    throw doesNotFit(change, 'cannot be applied', cause);
  }
}

/** The document after one update as it stands in the log: `{$v: 2, diff: …}` or `{$v: 1, $set: …}`. */
function applyUpdate(document: Uint8Array, update: Uint8Array, fit: Fit): Buffer {
  if (isModifierUpdate(update)) return withIdFirst(applyModifiers(document, update, fit));
  const diff = documentOf(findElement(update, 'diff'));
  if (!diff) throw new CodrError('object-damaged', 'a difference that is no document');
  return withIdFirst(applyDiff(document, diff, fit));
}

/** A document never begins so: its length comes first. */
function startsWithZeros(bytes: Uint8Array): boolean {
  for (let i = 0; i < orderPrefixBytes; i++) if (bytes[i] !== 0) return false;
  return true;
}

function doesNotFit(change: Change, what: string, cause?: unknown): CodrError {
  const key = toHex(change.key);
  return new CodrError(
    'object-damaged',
    `the change of record ${key} of dataset ${change.dataset} at ${describeTime(change.time)} ${what}`,
    {
      object: change.dataset,
      remedy: 'report this; restore another point, or read a new base copy',
      cause,
      facts: { dataset: change.dataset, key, time: change.time.toString() },
    },
  );
}
