// What has to be folded to know the records of some ranges: a fold that begins where nothing from before bears upon
// it is the same whatever else it gives. What it gives too much is left out by `LiveForm.within`.
import type { Connector } from '../../connector/connector.ts';
import { type KeyRange, unionRanges } from '../../model/key-range.ts';

/** Ascending, disjoint ranges that hold all of `ranges` and begin at their {@link Connector.leadIn}. */
export function coveringRanges(
  { leadIn }: Pick<Connector, 'leadIn'>,
  ranges: readonly KeyRange[],
): KeyRange[] {
  return unionRanges(
    ranges.map(({ from, to }) => ({ ...(from && { from: leadIn(from) }), ...(to && { to }) })),
  );
}
