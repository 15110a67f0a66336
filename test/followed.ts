// What node:test follows of a process (`untracked.ts`), and until when it has to.
import type { AsyncHook } from 'node:async_hooks';

let following: AsyncHook | undefined;
let loading = 0;

export function follows(hook: AsyncHook): void {
  following = hook;
}

/** Loads a file whose tests are named meanwhile. When no other one is being loaded, nothing is followed any more. */
export async function whileLoading(load: () => Promise<void>): Promise<void> {
  loading++;
  try {
    await load();
  } finally {
    loading--;
    if (loading === 0) following?.disable();
  }
}
