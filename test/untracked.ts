// Loaded into each process of a test run before all else. node:test follows every promise and handle, to know whose
// test an error is that nobody caught; code that lives of promises takes up to three times as long by it. It needs
// that while tests are named. Once they run it is told to stop: an uncaught error then fails the process, not a test.
import hooks from 'node:async_hooks';
import { isMainThread } from 'node:worker_threads';
import { follows } from './followed.ts';

if (isMainThread) {
  const { createHook } = hooks;
  hooks.createHook = (callbacks) => {
    const hook = createHook(callbacks);
    follows(hook);
    return hook;
  };
  // It takes the function when it is loaded.
  await import('node:test');
  hooks.createHook = createHook;
}
