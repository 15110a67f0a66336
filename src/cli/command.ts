// What a command is: a path, one schema for its arguments and options, what it does, how it shows the
// result. `program.ts` makes a command line of these, `test/reference.ts` a page.
import type { z } from 'zod';
import type { Call, CodrApi } from '../api/codr-api.ts';
import type { ExitCode } from '../base/error-catalogue.ts';
import type { Config } from '../node/config.ts';
import type { DemoOptions, DemoResult, TellDemo } from '../node/demo/demo-story.ts';
import type { PeerOptions } from '../node/peer/peer-options.ts';
import type { Output, TextSink } from './output.ts';

/** Everything outside, as the command line sees it. `main.ts` gives the real one, tests a made-up one. */
export interface CliWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** Calls back at SIGINT and SIGTERM until the returned function is called. */
  readonly onInterrupt: (interrupted: () => void) => () => void;
  /** Asks who sits at the terminal, and resolves with the line that was typed; absent where nobody does. */
  readonly ask?: (question: string, signal: AbortSignal) => Promise<string>;
  /** Ends the process at once. */
  readonly exitNow: (code: ExitCode) => void;
  readonly openApi: (config: Config) => Promise<CodrApi>;
  readonly runDemo: (
    options: DemoOptions,
    tell: TellDemo,
    signal: AbortSignal,
  ) => Promise<DemoResult>;
  /** Resolves with the peer's name when it has stopped. */
  readonly runPeer: (options: PeerOptions, signal: AbortSignal) => Promise<string>;
}

export interface CommandContext {
  readonly world: CliWorld;
  readonly config: Config;
  readonly call: Call;
  /** stdout for people; silent with `--json`. */
  readonly output: Output;
  /** Opened at the first call, closed when the command has ended. */
  api(): Promise<CodrApi>;
}

export interface Command<I extends z.ZodObject = z.ZodObject, R = unknown> {
  /** `backup`, `source add`. */
  readonly path: string;
  /** One clause for lists, lower case, without a full stop. */
  readonly summary: string;
  /** More for the command's own help: sentences. */
  readonly about?: string;
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** Fields of the result, for the reference page. */
  readonly json: string;
  readonly input: I;
  /** `--config` names a file with values of the command's own options. */
  readonly configFile?: {
    /** What the file is, for help. */
    readonly text: string;
    /** Values by option name. */
    read(path: string): Promise<Readonly<Record<string, unknown>>>;
    /** Options of every command that say nothing to this one: flags are refused, variables not looked at. */
    readonly without: readonly (keyof Config)[];
  };
  run(input: z.infer<I>, context: CommandContext): Promise<R>;
  /** Shows the result to people. */
  print(result: R, output: Output): void;
  /** 0 unless said. */
  exitCode?(result: R): ExitCode;
}

/** Types a command by its schema; the identity function otherwise. */
export function defineCommand<I extends z.ZodObject, R>(command: Command<I, R>): Command<I, R> {
  return command;
}
