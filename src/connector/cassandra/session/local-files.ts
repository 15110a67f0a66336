// Files of this machine.
import type { Stats } from 'node:fs';
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { mapLimit } from '../../../base/async.ts';
import type { FileAccess, FileFacts, OpenFile, WrittenFile } from '../../../base/file-access.ts';

/** Symbolic links of a folder that are looked at side by side. */
const linksAtOnce = 16;

export const localFiles: FileAccess = {
  peer: undefined,
  isHere: true,
  list: async (folder) => {
    const entries = await readdir(folder, { withFileTypes: true });
    return await mapLimit(entries, linksAtOnce, async (entry) => {
      const { name } = entry;
      // A table's folder may be a symbolic link to another disk.
      const isLink = entry.isSymbolicLink();
      return { name, isFolder: isLink ? await isFolder(join(folder, name)) : entry.isDirectory() };
    });
  },
  stat: async (path) => factsOf(await stat(path)),
  realPath: (path) => realpath(path),
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
  readWhole: (path) => readFile(path),
  open: async (path) => {
    const handle = await open(path, 'r');
    try {
      return openFile(handle, factsOf(await handle.stat()));
    } catch (error) {
      await handle.close();
      throw error;
    }
  },
  writeWhole: (path, bytes) => writeFile(path, bytes),
  create: async (path, { over } = { over: false }) =>
    writtenFile(await open(path, over ? 'r+' : 'w')),
  makeFolder: async (path) => {
    await mkdir(path);
  },
  makeFolders: async (path) => {
    await mkdir(path, { recursive: true });
  },
  link: (from, to) => link(from, to),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  // Another process may still add to it.
  removeFolder: (path) =>
    rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
};

/** False also for a symbolic link that leads nowhere. */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return false;
    throw error;
  }
}

function factsOf({ size, mtimeMs, uid, nlink, dev, ino }: Stats): FileFacts {
  return {
    bytes: size,
    modifiedMs: Math.floor(mtimeMs),
    userId: uid,
    names: nlink,
    device: String(dev),
    identity: `${dev}:${ino}`,
  };
}

function openFile(handle: FileHandle, facts: FileFacts): OpenFile {
  return {
    facts,
    read: async (position, length, into = Buffer.allocUnsafe(length)) => {
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(into, done, length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return into.subarray(0, done);
    },
    close: () => handle.close(),
  };
}

function writtenFile(handle: FileHandle): WrittenFile {
  return {
    write: async (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    close: () => handle.close(),
  };
}
