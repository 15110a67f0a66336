// `npm run docs`: writes docs/reference from the tables in the code. With --check it writes nothing and
// fails when a page is not what it would write.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { errorCatalogue, exitCodes } from '../src/base/error-catalogue.ts';
import type { Command } from '../src/cli/command.ts';
import { commands } from '../src/cli/commands.ts';
import { globalOptions } from '../src/node/config.ts';
import { type OptionRow, optionRows } from '../src/node/config-option.ts';
import { rootFolder } from './source-files.ts';

const pages: Readonly<Record<string, string>> = {
  'errors.md': errorsPage(),
  'options.md': optionsPage(),
  'commands.md': commandsPage(),
};

const folder = `${rootFolder}docs/reference/`;
if (process.argv.includes('--check')) {
  const stale = Object.entries(pages).filter(([name, text]) => readPage(name) !== text);
  for (const [name] of stale) console.error(`docs/reference/${name} is not current: npm run docs`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(pages)) writeFileSync(folder + name, text);
}

function readPage(name: string): string | undefined {
  try {
    return readFileSync(folder + name, 'utf8');
  } catch {
    return undefined;
  }
}

function errorsPage(): string {
  const exits = Object.entries(exitCodes).map(([code, meaning]) => [code, meaning]);
  const errors = Object.entries(errorCatalogue).map(([code, { exit, meaning, remedy }]) => [
    `\`${code}\``,
    String(exit),
    meaning,
    remedy,
  ]);
  return [
    '# Errors and exit codes',
    'Generated from `src/base/error-catalogue.ts` by `npm run docs`.',
    'An error is one line: what, which object, what to do; then one line for each cause. With `--json` the ' +
      'one object on stdout is `{"error":{code,exitCode,message,object?,remedy,causes,facts?}}`.',
    '## Exit codes',
    table(['code', 'meaning'], exits),
    '## Errors',
    table(['error', 'exit code', 'meaning', 'what to do'], errors),
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

function optionsPage(): string {
  return [
    '# Options of every command',
    'Generated from `src/node/config.ts` by `npm run docs`. Options of one command stand in ' +
      '[commands.md](commands.md).',
    'A flag wins over the environment, the environment over the file named by `--config`, the file over ' +
      'the default. The file is one JSON object; its keys are in the last column.',
    table(
      ['flag', 'environment', 'meaning', 'default', 'key in the file'],
      optionRows(globalOptions).map((row) => [
        flagText(row),
        environmentText(row),
        row.text.text,
        fallbackText(row),
        row.name === 'config' ? '' : `\`${row.name}${row.text.secret ? 'File' : ''}\``,
      ]),
    ),
  ]
    .join('\n\n')
    .concat('\n');
}

function commandsPage(): string {
  return [
    '# Commands',
    'Generated from `src/cli/command-*.ts` by `npm run docs`. Every command also takes the options of ' +
      '[options.md](options.md), `codr node` of them only `--config`, `--json` and `--debug`.',
    'With `--json` a command prints one object on stdout, whose fields stand under *JSON* (`?`: absent ' +
      'when there is no value), and progress on stderr as lines ' +
      '`{"progress":{phase,records,bytes,recordsTotal?,bytesTotal?,seconds,etaSeconds?,note?}}`.',
    ...commands.map(commandSection),
  ]
    .join('\n\n')
    .concat('\n');
}

function commandSection(command: Command): string {
  const rows = optionRows(command.input);
  const names = rows.filter(({ text }) => text.argument).map(({ text }) => text.value);
  const options = rows.filter(({ text }) => !text.argument);
  const parts = [
    `## codr ${[command.path, ...names].join(' ')}`,
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}. ${command.about ?? ''}`.trim(),
  ];
  if (options.length > 0) {
    const hasKeys = options.some(({ text }) => text.key !== undefined);
    const head = ['flag', 'environment', 'meaning', 'default'];
    parts.push(
      table(
        hasKeys ? [...head, 'key in the file'] : head,
        options.map((row) => [
          ...[flagText(row), environmentText(row), row.text.text, fallbackText(row)],
          ...(hasKeys ? [`\`${row.text.key}\``] : []),
        ]),
      ),
    );
  }
  parts.push(`JSON: \`${command.json}\``, ['```sh', ...command.examples, '```'].join('\n'));
  return parts.join('\n\n');
}

/** What depends on the machine is said in words. */
function fallbackText({ name, fallback = '' }: OptionRow): string {
  if (name === 'tempDir') return 'the system’s';
  return name === 'workers' ? 'one per core, at most 16' : fallback;
}

function flagText(row: OptionRow): string {
  if (row.shape === 'switch') return `\`${row.flag}\``;
  return row.text.optionalValue
    ? `\`${row.flag}[=${row.text.value}]\``
    : `\`${row.flag} ${row.text.value}\``;
}

function environmentText({ env, text }: OptionRow): string {
  if (env === undefined) return '';
  return text.secret || text.fileToo ? `\`${env}\`, \`${env}_FILE\`` : `\`${env}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
