// A table that one process lends to others, so that they load and read back ranges of it: what they are told, what they
// answer, and how that is checked before anything is imported.
import { dirname } from 'node:path';
import { CodrError } from '../../../base/error.ts';
import type { FrozenMoment } from '../../restore-target.ts';
import type { Replication } from '../session/replica-placement.ts';
import type { Ring } from '../session/ring.ts';
import type { FileLayout } from './file-layout.ts';
import type { SampleText } from './sample-text.ts';
import { type FileFacts, filesOfNodes, StagedSstable } from './staging.ts';
import type { LoadedFile, LoadedFiles } from './table-load.ts';
import type { TargetNode } from './target-nodes.ts';

/** Survives JSON, as all here. */
export interface LentTable {
  /** Digest of the ring that the restore was planned for. */
  readonly ring: string;
  readonly replication: Replication;
  /** The operation in the names of folders. */
  readonly word: string;
  /** Where and how it is loaded; absent once it is frozen. */
  readonly load?: LentLoad;
  readonly proof?: LentProof;
}

export interface LentLoad {
  readonly layout: FileLayout;
  /** By host id: the table's folder of files that wait. */
  readonly bases: Readonly<Record<string, string>>;
}

export interface LentProof {
  readonly tableId: string;
  /** Of the snapshots. */
  readonly tag: string;
  readonly moment: FrozenMoment;
  /** Of the sample. */
  readonly seed: number;
  /** Digest of the list of the snapshots' files. */
  readonly files: string;
}

export type TableReceipt =
  | { readonly kind: 'files'; readonly loaded: LoadedReceipt }
  | { readonly kind: 'sample'; readonly sample: SampleText };

export interface LoadedReceipt extends LoadedFiles {
  readonly files: readonly (LoadedFile & FileFacts)[];
}

/** What a process that has loaded a range says of it. Errors: `target-unfit`, when a replica got another file. */
export async function receiptOf(
  loaded: LoadedFiles,
  nodes: ReadonlyMap<string, TargetNode>,
): Promise<LoadedReceipt> {
  const files = await Promise.all(
    loaded.files.map(async (file) => {
      const [first, ...others] = await new StagedSstable(file.place, filesOfNodes(nodes)).facts();
      const odd = others.findIndex((other) => !isSame(other, first));
      if (!first || odd >= 0) {
        const { address, folder } = file.place.folders[odd + 1] ?? { address: '', folder: '' };
        const message = `${address}: ${file.place.name} was not written as it was elsewhere`;
        throw new CodrError('target-unfit', message, { object: folder });
      }
      return { ...file, ...first };
    }),
  );
  return { ...loaded, files };
}

/** The files of a receipt, which lie here as it says. Errors: `peer-lost`. */
export async function checkedFiles(
  { files, ...counts }: LoadedReceipt,
  bases: Readonly<Record<string, string>>,
  nodes: ReadonlyMap<string, TargetNode>,
): Promise<LoadedFiles> {
  const checked = await Promise.all(
    files.map(async ({ hostIds, place, bytes, digest }) => {
      const { name, folders } = place;
      const isOurs = hostIds.every((hostId, i) => {
        const { address, folder } = folders[i] ?? { address: '', folder: '' };
        return dirname(folder) === bases[hostId] && address === nodes.get(hostId)?.address;
      });
      if (!isOurs || !/^nb-[0-9]+-big$/.test(name)) throw notSeen(name);
      const facts = await new StagedSstable(place, filesOfNodes(nodes))
        .facts()
        .catch((cause: unknown) => {
          throw notSeen(`${folders[0]?.folder}: ${name}`, cause);
        });
      if (!facts.every((one) => isSame(one, { bytes, digest }))) {
        throw notSeen(`${folders[0]?.folder}: ${name}`);
      }
      return { hostIds, place, bytes };
    }),
  );
  return { ...counts, files: checked };
}

/** Of a process that knows other nodes or tokens than the one that restores. */
export function otherRing({ clusterName }: Pick<Ring, 'clusterName'>): CodrError {
  const message = 'this peer sees another ring of the target than the one that restores';
  return new CodrError('peer-lost', message, { object: clusterName });
}

const isSame = (a: FileFacts, b: FileFacts | undefined): boolean =>
  a.bytes === b?.bytes && a.digest === b.digest;

/** Done elsewhere, the range is loaded all the same. */
function notSeen(object: string, cause?: unknown): CodrError {
  const message = `${object}, which another peer made, is not here as it says`;
  return new CodrError('peer-lost', message, { object, ...(cause !== undefined && { cause }) });
}
