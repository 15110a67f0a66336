// A part of a table as text for other peers: its files by host and path, what their hosts own, and where to begin.
import { fromBase64, toBase64 } from '../../../base/bytes.ts';
import { CodrError } from '../../../base/error.ts';
import type { TokenRange } from '../merge/foreign-partitions.ts';
import type { ListedSstable } from './node-files.ts';
import type { PartFile, TablePart } from './table-part.ts';

/** Rises with whatever changes the records that a part is read as. */
const version = 1;

/** Bytes are base64. */
interface PartText {
  readonly version: number;
  readonly from?: string;
  readonly to?: string;
  readonly clusteringCount: number;
  /** By host: after the first token, up to the second. */
  readonly owned: Readonly<Record<string, readonly (readonly [string, string])[]>>;
  readonly files: readonly FileText[];
}

interface FileText {
  readonly listed: ListedSstable;
  readonly start?: { readonly prefix: string; readonly position: number };
  readonly aheadEnd?: number;
}

export function partToText({ files, range, clusteringCount }: TablePart): unknown {
  const { from, to } = range;
  const owned = files.map(({ listed, owned }) => [listed.hostId, owned.map(tokensToText)]);
  const text: PartText = {
    version,
    ...(from && { from: toBase64(from) }),
    ...(to && { to: toBase64(to) }),
    clusteringCount,
    owned: Object.fromEntries(owned),
    files: files.map(({ listed, start, aheadEnd }): FileText => {
      return {
        listed,
        ...(start && { start: { ...start, prefix: toBase64(start.prefix) } }),
        ...(aheadEnd !== undefined && { aheadEnd }),
      };
    }),
  };
  return text;
}

/** Errors: `peer-lost` for the text of another version. */
export function partFromText(text: unknown): TablePart {
  const { version: given, from, to, clusteringCount, owned, files } = text as PartText;
  if (given !== version) {
    throw new CodrError('peer-lost', `parts of version ${given} are not known here`);
  }
  const tokens = new Map(Object.entries(owned).map(([host, all]) => [host, all.map(tokensOf)]));
  return {
    range: {
      ...(from !== undefined && { from: fromBase64(from) }),
      ...(to !== undefined && { to: fromBase64(to) }),
    },
    clusteringCount,
    files: files.map(({ listed, start, aheadEnd }): PartFile => {
      return {
        listed,
        owned: tokens.get(listed.hostId) ?? [],
        ...(start && { start: { ...start, prefix: fromBase64(start.prefix) } }),
        ...(aheadEnd !== undefined && { aheadEnd }),
      };
    }),
  };
}

const tokensToText = ({ fromExclusive, toInclusive }: TokenRange): [string, string] => [
  toBase64(fromExclusive),
  toBase64(toInclusive),
];

const tokensOf = ([from, to]: readonly [string, string]): TokenRange => ({
  fromExclusive: fromBase64(from),
  toInclusive: fromBase64(to),
});
