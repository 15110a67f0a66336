// The thread behind `frozen-reader.ts`: reads files of this machine, none of them twice, so nothing is spilled.
import { BrokenPromiseError } from '../../../base/assert.ts';
import type { Spill } from '../../../base/spill.ts';
import { serveBlocks } from '../session/block-server.ts';
import { type FrozenRead, frozenBlocks } from './read-frozen.ts';

const spill: Spill = {
  open: async () => {
    throw new BrokenPromiseError('a thread is given no files that need scratch space');
  },
};

serveBlocks<FrozenRead>((read, filesOf, signal) =>
  frozenBlocks(read, { filesOf: () => filesOf(undefined), spill }, signal),
);
