// Errors as people and scripts see them: one line per cause, each with what, which object, what to do.
// Nothing secret passes; stacks only with --debug.
import { BrokenPromiseError } from '../base/assert.ts';
import { CodrError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-catalogue.ts';
import { errorChain, messageOf, oneLine } from '../node/error-chain.ts';
import { redactFields, redactText } from '../node/logger-redact.ts';

/** The one JSON object of a command that failed. */
export interface ErrorReport {
  readonly error: {
    readonly code: ErrorCode;
    readonly exitCode: number;
    readonly message: string;
    readonly object?: string;
    readonly remedy: string;
    readonly causes: readonly string[];
    readonly facts?: Readonly<Record<string, unknown>>;
    readonly stack?: string;
  };
}

export function reportError(thrown: unknown, options: { readonly debug: boolean }): ErrorReport {
  const error = asCodrError(thrown);
  const [, ...causes] = errorChain(thrown).map(redactText);
  const stack = thrown instanceof Error ? fullStack(thrown) : undefined;
  const object = error.object;
  return {
    error: {
      code: error.code,
      exitCode: error.exitCode,
      message: safe(error.message),
      ...(object !== undefined && { object: redactText(object) }),
      remedy: safe(error.remedy),
      causes,
      ...(Object.keys(error.facts).length > 0 && { facts: redactFields(error.facts) }),
      ...(options.debug && stack && { stack }),
    },
  };
}

/** `error: what (object): what to do`, then one line for each cause. */
export function errorLines({ error }: ErrorReport): string[] {
  const { message, object, remedy, causes, stack } = error;
  const about = object === undefined || message.includes(object) ? '' : ` (${object})`;
  const lines = [`error: ${message}${about}: ${remedy}`];
  for (const cause of causes) lines.push(`  because: ${cause}`);
  if (stack) lines.push(stack);
  return lines;
}

function asCodrError(thrown: unknown): CodrError {
  if (thrown instanceof CodrError) return thrown;
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  if (thrown instanceof BrokenPromiseError) {
    return new CodrError('failed', `a defect of CODR: ${thrown.message}`, {
      remedy: 'report it, with the output of --debug',
      cause,
    });
  }
  const remedy = limits.find(([words]) => words.test(messageOf(thrown)))?.[1];
  if (remedy !== undefined)
    return new CodrError('limit-reached', messageOf(thrown), { cause, remedy });
  return new CodrError('failed', messageOf(thrown), { cause });
}

/** What the machine says where this program may have no more of something, by whatever it was needed for. */
const limits: readonly (readonly [words: RegExp, remedy: string])[] = [
  [/too many open files/i, 'allow more open files (`ulimit -n`, LimitNOFILE of the service)'],
  [
    /\bENOMEM\b|cannot allocate memory/i,
    'give the machine more memory, or this program less of it',
  ],
];

function fullStack(error: Error): string {
  const inner = error.cause instanceof Error ? `\ncaused by ${fullStack(error.cause)}` : '';
  return redactText(`${error.stack ?? error.message}${inner}`);
}

const safe = (text: string): string => redactText(oneLine(text));
