// Files of a machine as an argument: this one, or one that another peer sees. What a machine says of a file is thrown
// as it is, an error with the machine's `code` (`ENOENT`); a machine that does not answer, or that does not give the
// file away, is a CodrError, so that nobody takes it for a file that is not there.

export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

export interface FileFacts {
  readonly bytes: number;
  /** ms since 1970. */
  readonly modifiedMs: number;
  /** Of its owner. */
  readonly userId: number;
  /** How many names it has. */
  readonly names: number;
  /** The file system that it is on, on its machine. */
  readonly device: string;
  /** The same for all names of one file or folder, on its machine. */
  readonly identity: string;
}

/** A file that is read; removing its names does not disturb it. */
export interface OpenFile {
  /** When it was opened. */
  readonly facts: FileFacts;
  /** Fewer bytes only where the file ends. They may lie in `into`, which has room for all. */
  read(position: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A file that is written, from its beginning on. */
export interface WrittenFile {
  /** The bytes may be reused once it resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was written is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Paths are absolute. Calls that are made side by side have no order. */
export interface FileAccess {
  /** As configured, who sees the files; undefined: whoever works with them has them on its paths. */
  readonly peer: string | undefined;
  /** They are those of this machine. */
  readonly isHere: boolean;
  list(folder: string): Promise<readonly FolderEntry[]>;
  stat(path: string): Promise<FileFacts>;
  /** Without symbolic links. */
  realPath(path: string): Promise<string>;
  /** That this process may use, on the file system of a path. */
  freeBytes(path: string): Promise<number>;
  /** A small file whole. */
  readWhole(path: string): Promise<Uint8Array>;
  open(path: string): Promise<OpenFile>;
  writeWhole(path: string, bytes: Uint8Array): Promise<void>;
  /** Empties it when it is there, unless `over`: then it is written over from its beginning. */
  create(path: string, options?: { readonly over: boolean }): Promise<WrittenFile>;
  /** `ENOENT` without the folder above, `EEXIST` when it is there. */
  makeFolder(path: string): Promise<void>;
  /** With all folders above; may be there. */
  makeFolders(path: string): Promise<void>;
  /** Another name for a file; `EEXIST` when the name is taken. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file; need not be there. */
  remove(path: string): Promise<void>;
  /** A folder with all that is in it; need not be there. */
  removeFolder(path: string): Promise<void>;
}

/** Files by the name of the peer that sees them; undefined: this machine's. */
export type FilesOf = (peer: string | undefined) => FileAccess;
