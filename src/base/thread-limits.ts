// What threads of the program may hold. They hand blocks on and keep little: with the young generation that V8 gives a
// thread by itself each would hold 25 MB more, and be no faster.
import type { ResourceLimits } from 'node:worker_threads';

export const threadLimits: ResourceLimits = { maxYoungGenerationSizeMb: 8 };
