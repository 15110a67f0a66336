// What peers say to each other about files, as plain objects: proto/codr/peer/v1/files.proto.
import type { FileFacts, FolderEntry } from '../base/file-access.ts';

export type FileActKind =
  | 'list'
  | 'stat'
  | 'real-path'
  | 'free-bytes'
  | 'read-whole'
  | 'open'
  | 'write-whole'
  | 'create'
  | 'write-over'
  | 'make-folder'
  | 'make-folders'
  | 'link'
  | 'rename'
  | 'remove'
  | 'remove-folder'
  | 'sync'
  | 'close';

export interface FileAct {
  readonly kind: FileActKind;
  readonly path?: string;
  readonly to?: string;
  readonly bytes?: Uint8Array;
  readonly lease?: number;
  readonly file?: number;
}

export interface FileResult {
  readonly fault?: FileFault;
  readonly entries?: readonly FolderEntry[];
  readonly facts?: FileFacts;
  readonly path?: string;
  readonly bytesFree?: number;
  readonly bytes?: Uint8Array;
  readonly file?: number;
}

export interface FileFault {
  /** The machine's own, or one of the catalogue. */
  readonly code: string;
  readonly message: string;
  readonly isOurs: boolean;
  readonly object?: string;
  readonly remedy?: string;
}

/** Code of a fault: the lease has ended, or the file is not open under it. */
export const leaseLost = 'ELEASE';
