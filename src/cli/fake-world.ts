// A made-up world for the tests of the command line: text sinks that remember, an API whose answers the
// test sets, an interrupt that the test pulls.
import type { CodrApi } from '../api/codr-api.ts';
import type { Config } from '../node/config.ts';
import type { CliWorld } from './command.ts';
import { runProgram } from './program.ts';

/** The methods of the API that a test needs; any other call fails. */
export type FakeApi = Partial<Omit<CodrApi, typeof Symbol.asyncDispose>>;

export interface FakeOptions {
  readonly api?: FakeApi;
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  readonly runDemo?: CliWorld['runDemo'];
  readonly runPeer?: CliWorld['runPeer'];
  readonly ask?: CliWorld['ask'];
}

export interface FakeRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Exit codes with which the process was ended at once. */
  readonly exits: readonly number[];
  /** The configuration with which the API was opened. */
  readonly config: Config | undefined;
  readonly closed: boolean;
}

/** Runs one command line; `interrupt` is what the test calls to press Ctrl-C. */
export async function runFake(
  argv: readonly string[],
  options: FakeOptions = {},
  interruptible: (interrupt: () => void) => void = () => {},
): Promise<FakeRun> {
  const [stdout, stderr] = [[] as string[], [] as string[]];
  let [milliseconds, closed] = [0, false];
  let config: Config | undefined;
  const exits: number[] = [];
  const isTerminal = options.terminal ?? false;
  const world: CliWorld = {
    env: options.env ?? {},
    stdout: { write: (text) => void stdout.push(text), isTerminal, columns: 100 },
    stderr: { write: (text) => void stderr.push(text), isTerminal, columns: 100 },
    monotonic() {
      milliseconds += 10_000;
      return milliseconds;
    },
    onInterrupt(interrupted) {
      interruptible(interrupted);
      return () => {};
    },
    ...(options.ask && { ask: options.ask }),
    exitNow: (code) => void exits.push(code),
    async openApi(given) {
      config = given;
      const close = async (): Promise<void> => {
        closed = true;
      };
      return { ...options.api, [Symbol.asyncDispose]: close } as CodrApi;
    },
    runPeer: options.runPeer ?? (() => Promise.reject(new Error('no peer in this test'))),
    runDemo: options.runDemo ?? (() => Promise.reject(new Error('no demo in this test'))),
  };
  const exitCode = await runProgram(argv, world);
  return { exitCode, stdout: stdout.join(''), stderr: stderr.join(''), exits, config, closed };
}
