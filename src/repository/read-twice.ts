// What does not open is read once more before it counts as damaged: memory, networks and servers give wrong bytes
// now and then, and what a check gives up for it is gone for good.
import { isCodrError } from '../base/error.ts';

/** The second outcome where the first is `object-damaged`. */
export async function readTwice<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isCodrError(error, 'object-damaged')) throw error;
    return await read();
  }
}
