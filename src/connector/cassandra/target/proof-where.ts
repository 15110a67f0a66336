// What a statement says to find one row, or the rows from one to another, in a partition. Comparisons of whole keys go by
// values, the order of a partition by its columns' directions: where these differ only the last column may range.
import { view } from '../../../base/bytes.ts';
import { quoted } from '../schema/read-schema.ts';
import type { Column } from '../schema/table-schema.ts';

export interface Where {
  /** Begins with ` AND `, or is empty. */
  readonly text: string;
  readonly values: readonly Uint8Array[];
}

type Key = readonly Uint8Array[];

export function pointOf(clustering: readonly Column[], key: Key): Where {
  const text = clustering.map(({ name }) => ` AND ${quoted(name)} = ?`).join('');
  return { text, values: key };
}

/** How many of the rows, which follow each other, {@link sliceOf} can find without any other. */
export function sliceLength(clustering: readonly Column[], keys: readonly Key[]): number {
  if (isOneWay(clustering)) return keys.length;
  const [first] = keys;
  const last = clustering.length - 1;
  const odd = keys.findIndex((key) =>
    key.some((value, i) => i < last && !view(value).equals(first?.[i] ?? value)),
  );
  return odd < 0 ? keys.length : odd;
}

/** From the first key to the last, both with it, in the partition's order. */
export function sliceOf(clustering: readonly Column[], first: Key, last: Key): Where {
  const isDown = clustering.at(-1)?.type.kind === 'reversed';
  const [low, high] = isDown ? [last, first] : [first, last];
  const names = clustering.map(({ name }) => quoted(name));
  if (isOneWay(clustering)) {
    const all = `(${names.join(', ')})`;
    const marks = `(${names.map(() => '?').join(', ')})`;
    return { text: ` AND ${all} >= ${marks} AND ${all} <= ${marks}`, values: [...low, ...high] };
  }
  const equal = names.slice(0, -1);
  const name = names.at(-1);
  const text = equal.map((one) => ` AND ${one} = ?`).join('');
  return {
    text: `${text} AND ${name} >= ? AND ${name} <= ?`,
    values: [...low, ...high.slice(-1)],
  };
}

/** The words that turn a partition's order round. */
export function backwards(clustering: readonly Column[]): string {
  const each = clustering.map(
    ({ name, type }) => `${quoted(name)} ${type.kind === 'reversed' ? 'ASC' : 'DESC'}`,
  );
  return ` ORDER BY ${each.join(', ')}`;
}

/** All ascending, or all descending. */
function isOneWay(clustering: readonly Column[]): boolean {
  const down = clustering.filter(({ type }) => type.kind === 'reversed').length;
  return down === 0 || down === clustering.length;
}
