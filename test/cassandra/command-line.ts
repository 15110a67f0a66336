// Command lines of the acceptance tests: what a user would type, run by the program itself in this process, so that
// nothing starts. What the test gets is the JSON that the program prints, or the error that ended it.
import assert from 'node:assert/strict';
import type { CodrApi } from '../../src/api/codr-api.ts';
import { CodrError } from '../../src/base/error.ts';
import type { ErrorCode } from '../../src/base/error-catalogue.ts';
import type { CliWorld } from '../../src/cli/command.ts';
import { runProgram } from '../../src/cli/program.ts';

/** Done, in part (3), and a plan with names in the way (5): all that prints a result. */
const endsWithResult = [0, 3, 5];

/** Where a command line runs. */
export interface CommandPlace {
  readonly env: CliWorld['env'];
  /** The node that does the work; the program closes it. */
  readonly open: () => Promise<CodrApi>;
  /** Gets what the program does at SIGINT. */
  readonly interruptible?: (interrupt: () => void) => void;
}

/** Runs `codr WORDS --json`. */
export async function runCodr<R>(
  words: readonly string[],
  { env, open, interruptible }: CommandPlace,
): Promise<R> {
  const said = { stdout: '', stderr: '' };
  let failure: unknown;
  const sink = (name: keyof typeof said) => ({
    write: (text: string) => {
      said[name] += text;
    },
    isTerminal: false,
    columns: 100,
  });
  const never = async (): Promise<never> => assert.fail(`codr ${words.join(' ')} starts something`);
  const exitCode = await runProgram([...words, '--json'], {
    env,
    ...{ stdout: sink('stdout'), stderr: sink('stderr') },
    monotonic: () => performance.now(),
    onInterrupt: (interrupt) => {
      interruptible?.(interrupt);
      return () => {};
    },
    exitNow: (code) => assert.fail(`codr ${words.join(' ')} wants to end with ${code}`),
    openApi: async () => {
      return heard(await open(), (error) => {
        failure = error;
      });
    },
    ...{ runDemo: never, runPeer: never },
  });
  // The printed one is the same in words; tests look at more of it.
  if (failure !== undefined) throw failure;
  const printed = JSON.parse(said.stdout) as R | ErrorReport;
  const { error } = printed as Partial<ErrorReport>;
  if (error) throw new CodrError(error.code, error.message, { remedy: error.remedy });
  assert.ok(endsWithResult.includes(exitCode), `codr ${words.join(' ')} ends with ${exitCode}`);
  return printed as R;
}

/** As the program prints it. */
interface ErrorReport {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly remedy: string;
  };
}

/** The same API, whose errors somebody else hears too. */
function heard(api: CodrApi, tell: (error: unknown) => void): CodrApi {
  return new Proxy(api, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name, target);
      if (typeof found !== 'function') return found;
      return async (...given: unknown[]): Promise<unknown> => {
        try {
          return await Reflect.apply(found, target, given);
        } catch (error) {
          tell(error);
          throw error;
        }
      };
    },
  });
}

/** `--NAME VALUE` for each value. */
export function flags(name: string, values: readonly string[] = []): string[] {
  return values.flatMap((value) => [name, value]);
}
