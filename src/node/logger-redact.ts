// Takes secrets out of whatever is about to be shown: passwords in URIs, secret parameters, and fields
// whose name says that they hold one. Applied to log lines and to every message the CLI prints.
import { errorChain } from './error-chain.ts';

const censored = '***';
// Greedy up to the last `@` of the word: a password that holds an unescaped `@` or `/` is hidden too.
const uriPassword = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/?#"']*):[^\s"']*@/gi;
// No backslash: a quoted line of JSON must stay one.
const secretParameter =
  /([?&,;][^\s=&"',;]*(?:password|passphrase|secret|session_token|accesskey)[^\s=&"',;\\]*[=:])[^\s&"',;\\]+/gi;
const secretField = /(?:password|passphrase|secret|private_?key|session_?token|^pass$|^key$)/i;
const depthMax = 6;

/** `text` without passwords of URIs and without secret parameters. */
export function redactText(text: string): string {
  return text.replace(uriPassword, `$1:${censored}@`).replace(secretParameter, `$1${censored}`);
}

/** A copy fit for a log: secret fields hidden, byte arrays as their length, an error as one line. */
export function redactFields(fields: object): Record<string, unknown> {
  return walk(fields, 0, errorLine) as Record<string, unknown>;
}

/** The same, with each error as an object that holds its stack and its cause. */
export function redactFieldsWithStacks(fields: object): Record<string, unknown> {
  return walk(fields, 0, errorObject) as Record<string, unknown>;
}

type ShowError = (error: Error, depth: number) => unknown;

function walk(value: unknown, depth: number, show: ShowError): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (depth >= depthMax) return '…';
  if (value instanceof Error) return show(value, depth);
  if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1, show));
  if (value instanceof Date) return value.toISOString();
  const entries = Object.entries(value).map(([name, item]) => [
    name,
    hides(name, item) ? censored : walk(item, depth + 1, show),
  ]);
  return Object.fromEntries(entries);
}

/** A path to a secret's file is no secret; neither is an absent value. */
function hides(name: string, value: unknown): boolean {
  return (
    value !== undefined && value !== null && secretField.test(name) && !/file$|env$/i.test(name)
  );
}

/** `source-unreachable: db1 does not answer: connect refused`. */
function errorLine(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  const [message = '', ...causes] = errorChain(error);
  const hasCode = code !== undefined && !message.includes(String(code));
  return redactText([...(hasCode ? [String(code)] : []), message, ...causes].join(': '));
}

function errorObject(error: Error, depth: number): Record<string, unknown> {
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    message: redactText(error.message),
    ...(code !== undefined && { code }),
    ...(error.stack && { stack: redactText(error.stack) }),
    ...(error.cause !== undefined && { cause: walk(error.cause, depth + 1, errorObject) }),
  };
}
