// Loaded into each process of a test run before all else. node:test follows every promise and handle, to know whose
// test an error is that nobody caught; code that lives of promises takes up to three times as long by it. It needs
// that while tests are named. Once they run it is told to stop: an uncaught error then fails the process, not a test.
import hooks, { type AsyncHook } from 'node:async_hooks';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const { createHook } = hooks;
  let following: AsyncHook | undefined;
  hooks.createHook = (callbacks) => {
    following ??= createHook(callbacks);
    return following;
  };
  const { before } = await import('node:test');
  before(() => void following?.disable());
  hooks.createHook = createHook;
  if (!following) throw new Error('node:test follows nothing any more: this file is of no use');
}
