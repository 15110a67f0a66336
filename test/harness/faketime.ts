// A wall clock of its own for a process of a test, which jumps while the process runs. The monotonic clock, by which
// timers go, stays what it is. Debian's libfaketime, pinned and only unpacked, does it.
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unpacked } from './debian.ts';

const packages = [
  {
    requirement: 'libfaketime=0.9.10-2.1',
    sha256: 'b09481e7690680966005330c3f907bba4b5eefc35e1faaea4783cc55655d1150',
  },
] as const;

/** The process looks at the file as often as that. */
const lookEverySeconds = 1;

export interface FakeClock {
  /** For the process whose clock it is. */
  readonly environment: Readonly<Record<string, string>>;
  /** From within a second on the clock shows so much more than the machine's. */
  set(offsetSeconds: number): Promise<void>;
}

/** `file` is made; it says how far the clock is off. */
export async function fakeClock(file: string): Promise<FakeClock> {
  const tree = await unpacked('faketime-0.9.10', packages);
  const set = async (offsetSeconds: number): Promise<void> => {
    await writeFile(`${file}.new`, `${offsetSeconds < 0 ? '-' : '+'}${Math.abs(offsetSeconds)}\n`);
    await rename(`${file}.new`, file);
  };
  await set(0);
  const environment = {
    LD_PRELOAD: join(tree, 'usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1'),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: String(lookEverySeconds),
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
  return { environment, set };
}
