// The log: pino, JSON lines on stderr with --json and when that is no terminal, else readable lines. Whatever passes is redacted first: the
// fields by their names, the whole line for passwords in URIs. An error is one line with its causes unless
// stacks are wanted.
import { type Logger as PinoLogger, pino } from 'pino';
import type { Logger } from '../base/log.ts';
import type { Config } from './config.ts';
import { redactFields, redactFieldsWithStacks, redactText } from './logger-redact.ts';

export interface LogDestination {
  /** True: errors with their stacks. */
  readonly stacks: boolean;
  /** `terminal`: for people, in place of a progress line. */
  readonly form: 'json' | 'terminal';
  /** Takes whole lines, each with its line end. */
  write(line: string): void;
}

export function openLogger(level: Config['logLevel'], to: LogDestination): Logger {
  const redact = to.stacks ? redactFieldsWithStacks : redactFields;
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label }),
        log: redact,
      },
    },
    {
      write: (line: string) => {
        const safe = redactText(line);
        to.write(to.form === 'json' ? safe : readableLine(safe));
      },
    },
  );
  return redacting(logger, redact);
}

/** Pino's formatters see the fields of a line, not those that a child carries. */
function redacting(logger: PinoLogger, redact: typeof redactFields): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (bindings) => redacting(logger.child(redact(bindings)), redact),
  };
}

/** `13:05:00.042 WARN  sentence field=value` */
function readableLine(json: string): string {
  const { time, level, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clearLine = '\r\u001b[K';
  const clock = clearLine + String(time).slice(11, 23);
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
  return `${[clock, String(level).toUpperCase().padEnd(5), msg, ...rest].join(' ')}\n`;
}

function plain(value: unknown): string {
  return typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
}
