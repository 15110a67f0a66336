// A CodrApi whose answers a test gives one by one, and which remembers what it was asked.
import { assert } from '../base/assert.ts';
import { type ApiMethod, apiMethods } from './api-methods.ts';
import type { Call, CodrApi } from './codr-api.ts';

export interface Asked {
  readonly method: ApiMethod;
  readonly request: object | undefined;
  readonly call: Call;
}

export type Answer = (asked: Asked) => Promise<object>;

/** Every method answers by `answer`. */
export function fakeApi(answer: Answer): CodrApi & { readonly asked: readonly Asked[] } {
  const asked: Asked[] = [];
  const methods = Object.keys(apiMethods) as ApiMethod[];
  const api = Object.fromEntries(
    methods.map((method) => [
      method,
      async (...args: readonly object[]) => {
        const call = args.at(-1) as Call | undefined;
        assert(call?.signal instanceof AbortSignal, `${method} is given a call`);
        const one = { method, request: args.length > 1 ? args[0] : undefined, call };
        asked.push(one);
        return await answer(one);
      },
    ]),
  );
  const close = async (): Promise<void> => {};
  return { ...api, asked, [Symbol.asyncDispose]: close } as unknown as CodrApi & {
    readonly asked: readonly Asked[];
  };
}

/** Never resolves; rejects when the call is ended. */
export function untilStopped({ call }: Asked): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(call.signal.reason);
    if (call.signal.aborted) stop();
    else call.signal.addEventListener('abort', stop, { once: true });
  });
}
