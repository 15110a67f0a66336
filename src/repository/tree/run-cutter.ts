// Cuts a run that is known as a whole: what lies between two cuts, a whole level, or a leaf that grew too
// large. The result depends on keys and lengths alone, never on how the run came together.
import type { Keyed } from '../leaf/cut-hashing.ts';
import { CutWindow } from '../leaf/cutter.ts';
import { cutSaltMax } from './cut-parameters.ts';
import type { TreeContext, TreeLevel } from './tree-level.ts';

type CutContext = Pick<TreeContext, 'hashing' | 'cut'>;

/** A part `[from, to)` of an array of items. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The leaves or nodes of `items`, which begin at a cut (or at the start of the dataset) and are followed
 * by a cut or by nothing. No piece is longer than `leafBytesMax` unless it is one item.
 */
export function cutRun<I extends Keyed>(
  level: TreeLevel<I>,
  items: readonly I[],
  followedBy: 'cut' | 'nothing',
  context: CutContext,
): Span[] {
  const pieces: Span[] = [];
  if (items.length > 0) {
    cutWithSalt(level, items, { from: 0, to: items.length }, 0, followedBy, context, pieces);
  }
  return pieces;
}

/** Cuts one leaf or node that is over `leafBytesMax`, with the salts after 0. */
export function cutAgain<I extends Keyed>(
  level: TreeLevel<I>,
  items: readonly I[],
  span: Span,
  context: CutContext,
): Span[] {
  const pieces: Span[] = [];
  cutWithSalt(level, items, span, 1, 'nothing', context, pieces);
  return pieces;
}

/** Sum of the cut lengths of a span. */
export function cutBytesOf<I extends Keyed>(
  level: TreeLevel<I>,
  items: readonly I[],
  { from, to }: Span,
): number {
  let bytes = 0;
  for (let i = from; i < to; i++) bytes += level.cutLength(items[i]!);
  return bytes;
}

function cutWithSalt<I extends Keyed>(
  level: TreeLevel<I>,
  items: readonly I[],
  span: Span,
  salt: number,
  followedBy: 'cut' | 'nothing',
  context: CutContext,
  pieces: Span[],
): void {
  if (salt > cutSaltMax) {
    cutBySize(level, items, span, context.cut.leafBytesMax, pieces);
    return;
  }
  const hashes = new Float64Array(span.to - span.from);
  context.hashing.hash({ level: level.level, salt }, items, span.from, span.to, hashes);
  const window = new CutWindow({ halfBytes: context.cut.leafBytes / 2, startsAtCut: true });
  let from = span.from;
  let fromStart = 0;
  const close = (to: number, toStart: number): void => {
    const piece = { from, to };
    if (toStart - fromStart <= context.cut.leafBytesMax) pieces.push(piece);
    else cutWithSalt(level, items, piece, salt + 1, 'nothing', context, pieces);
    from = to;
    fromStart = toStart;
  };
  for (let i = span.from; i < span.to; i++) {
    const cut = window.push(hashes[i - span.from]!, level.cutLength(items[i]!));
    if (cut >= 0) close(span.from + cut, window.cutStart);
  }
  const last = window.end(followedBy);
  if (last >= 0) close(span.from + last, window.cutStart);
  close(span.to, window.bytes);
}

/** The last resort: as many items as fit, counted from the start of what could not be cut otherwise. */
function cutBySize<I extends Keyed>(
  level: TreeLevel<I>,
  items: readonly I[],
  span: Span,
  bytesMax: number,
  pieces: Span[],
): void {
  let from = span.from;
  let bytes = 0;
  for (let i = span.from; i < span.to; i++) {
    const length = level.cutLength(items[i]!);
    if (i > from && bytes + length > bytesMax) {
      pieces.push({ from, to: i });
      from = i;
      bytes = 0;
    }
    bytes += length;
  }
  pieces.push({ from, to: span.to });
}
