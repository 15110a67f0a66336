// The operating system's random source as a Random. Good for secrets.
import { randomBytes, randomInt } from 'node:crypto';
import type { Random } from '../base/random.ts';

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  below: (bound) => randomInt(bound),
};
