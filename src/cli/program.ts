// Makes a command line of the table of commands and runs one of them: parses, opens the API, shows
// progress, listens for interrupts, prints the result or the error, and answers with the exit code.
import { Command as Commander, CommanderError, Option } from 'commander';
import type { CodrApi } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import type { ExitCode } from '../base/error-catalogue.ts';
import { type Config, globalOptions, loadConfig } from '../node/config.ts';
import {
  type OptionOrigins,
  type OptionRow,
  optionRows,
  readOptions,
} from '../node/config-option.ts';
import { programVersion } from '../node/program-version.ts';
import type { CliWorld, Command, CommandContext } from './command.ts';
import { commands, groups } from './commands.ts';
import { errorLines, reportError } from './error-lines.ts';
import { openOutput } from './output.ts';
import { ProgressLine } from './progress-line.ts';

/** Runs one command line (without program names) and resolves with its exit code; never rejects. */
export async function runProgram(argv: readonly string[], world: CliWorld): Promise<number> {
  let ran: { command: Command; args: string[]; own: Flags } | undefined;
  const root = buildProgram(world, (command, args, own) => {
    ran = { command, args, own };
  });
  try {
    root.parse([...argv], { from: 'user' });
    if (!ran) return 0;
    return await runCommand(ran.command, ran.args, ran.own, flagsOf(root), world);
  } catch (error) {
    if (error instanceof OtherWords) {
      return runProgram([...error.words, ...argv.filter((word) => word === '--json')], world);
    }
    if (error instanceof CommanderError) return usageExit(error, argv, world);
    return showError(
      error,
      { json: argv.includes('--json'), debug: argv.includes('--debug') },
      world,
    );
  }
}

const versionOption = new Option('--version', 'print the version');

type Flags = Readonly<Record<string, unknown>>;
type Chosen = (command: Command, args: string[], own: Flags) => void;

/** Thrown while parsing: what was written means these words. */
class OtherWords extends Error {
  readonly words: readonly string[];

  constructor(words: readonly string[]) {
    super(words.join(' '));
    this.words = words;
  }
}

function buildProgram(world: CliWorld, chosen: Chosen): Commander {
  const json = { wanted: false };
  const root = new Commander('codr')
    .description('Consistent, orchestrated, distributed recovery for clusters of databases.')
    .version(programVersion(), '--version', versionOption.description)
    .exitOverride()
    .showHelpAfterError('see `codr --help`')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => {
        if (!json.wanted) world.stderr.write(text);
      },
      getOutHelpWidth: () => world.stdout.columns,
      getErrHelpWidth: () => world.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .on('option:json', () => {
      json.wanted = true;
    });
  for (const row of optionRows(globalOptions)) root.addOption(commanderOption(row));
  const parents = new Map<string, Commander>();
  for (const command of commands) {
    const [first, second] = command.path.split(' ') as [string, string?];
    const name = second ?? first;
    let parent = root;
    if (second !== undefined) {
      parent = parents.get(first) ?? root.command(first).description(groups[first] ?? '');
      parents.set(first, parent);
    }
    addCommand(parent, name, command, chosen);
  }
  for (const [name, parent] of parents) addHelp(parent, name);
  addHelp(root);
  return root;
}

/** Help is asked for by `help backup`, `help source add` or `--help`; of a command that is none, it is an error. */
function addHelp(parent: Commander, ...path: readonly string[]): void {
  const known = (at: Commander, word: string): Commander | undefined =>
    at.commands.find((command) => command.name() === word);
  parent
    .helpCommand(false)
    .addHelpText('before', ({ command }) => {
      const [word] = command.args;
      const isCommand = word === undefined || word.startsWith('-') || known(command, word);
      if (!isCommand) throw new OtherWords([...path, word]);
      return '';
    })
    .command('help')
    .argument('[command...]')
    .description('show help for a command')
    .action((words: string[]) => {
      let at: Commander | undefined = parent;
      for (const [i, word] of words.entries()) {
        at = known(at, word);
        if (!at) throw new OtherWords([...path, ...words.slice(0, i + 1)]);
      }
      throw new OtherWords([...path, ...words, '--help']);
    });
}

function addCommand(parent: Commander, name: string, command: Command, chosen: Chosen): void {
  const { summary, about, examples, input } = command;
  const others = otherOptions(command).map(commanderOption);
  const leaf = parent
    .command(name)
    .showHelpAfterError(`see \`codr ${command.path} --help\``)
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: () => [versionOption, ...others],
    })
    .summary(summary)
    .description(sentence(summary) + (about === undefined ? '' : `\n\n${about}`))
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}\n`);
  for (const row of optionRows(input)) {
    if (row.text.argument) leaf.argument(argumentOf(row), row.text.text);
    else leaf.addOption(commanderOption(row));
  }
  leaf.action(() => chosen(command, leaf.args, flagsOf(leaf)));
}

/** Options of every command, but for those that the command has itself, or that say nothing to it. */
function otherOptions({ input, configFile }: Command): OptionRow[] {
  const hidden = new Set<string>([...Object.keys(input.shape), ...(configFile?.without ?? [])]);
  return optionRows(globalOptions)
    .filter(({ name }) => !hidden.has(name))
    .map((row) =>
      row.name === 'config' && configFile
        ? { ...row, text: { ...row.text, text: configFile.text } }
        : row,
    );
}

function argumentOf({ required, text: { value } }: OptionRow): string {
  return required ? `<${value}>` : `[${value}]`;
}

function commanderOption(row: OptionRow): Option {
  const { text, value, optionalValue } = row.text;
  const shown = optionalValue ? ` [${value}]` : ` <${value}>`;
  const notes = [
    row.env && `env: ${row.env}${row.text.secret || row.text.fileToo ? ` or ${row.env}_FILE` : ''}`,
    row.fallback === undefined ? undefined : `default: ${row.fallback}`,
  ].filter(Boolean);
  const description = notes.length === 0 ? text : `${text} (${notes.join(', ')})`;
  const option = new Option(row.shape === 'switch' ? row.flag : row.flag + shown, description);
  if (row.shape === 'list') {
    option.argParser((item: string, before: string[] | undefined) => [...(before ?? []), item]);
  }
  return option;
}

/** How the parser calls what the flag gave. */
const flagName = ({ name, text }: OptionRow): string => (text.secret ? `${name}File` : name);

/** Only what the user gave: defaults come from the schema, after environment and file. */
function flagsOf(command: Commander): Flags {
  const given = Object.entries(command.opts()).filter(
    ([name]) => command.getOptionValueSource(name) === 'cli',
  );
  return Object.fromEntries(given);
}

async function runCommand(
  command: Command,
  args: readonly string[],
  own: Flags,
  global: Flags,
  world: CliWorld,
): Promise<number> {
  const shown = { json: global.json === true, debug: global.debug === true };
  try {
    const rows = optionRows(command.input);
    // Global flags are taken wherever they stand; one that is the command's own too is meant for it.
    const isOwn = (name: string): boolean => rows.some((row) => flagName(row) === name);
    const given = Map.groupBy(Object.entries(global), ([name]) => isOwn(name));
    const config = configOf(command, Object.fromEntries(given.get(false) ?? []), world.env);
    Object.assign(shown, { json: config.json, debug: config.debug });
    const names = rows.filter(({ text }) => text.argument);
    const positional = names.map(({ name }, i) => [name, args[i]] as const);
    const meant = Object.fromEntries(given.get(true) ?? []);
    const flags = { ...own, ...meant, ...Object.fromEntries(positional) };
    const input = readOptions(command.input, {
      ...{ flags, env: world.env },
      ...(command.configFile && (await ownFile(command.configFile, config))),
    });
    return await perform(command, input, config, world);
  } catch (error) {
    return showError(error, shown, world);
  }
}

async function perform(
  command: Command,
  input: Record<string, unknown>,
  config: Config,
  world: CliWorld,
): Promise<ExitCode> {
  const form = config.json ? 'json' : world.stderr.isTerminal ? 'line' : 'lines';
  const progress = new ProgressLine(world.stderr, form, world.monotonic);
  const stop = new AbortController();
  const forget = world.onInterrupt(() => interrupt(stop, world, progress, config.json));
  const output = openOutput(
    config.json ? { ...world.stdout, write: () => {} } : world.stdout,
    world.env,
  );
  let opened: Promise<CodrApi> | undefined;
  const context: CommandContext = {
    world,
    config,
    output,
    call: { signal: stop.signal, progress: (report) => progress.report(report) },
    api: () => {
      opened ??= world.openApi(config);
      return opened;
    },
  };
  try {
    const result = await command.run(input, context);
    progress.end({ done: true });
    if (config.json) world.stdout.write(`${JSON.stringify(result)}\n`);
    else command.print(result, output);
    return command.exitCode?.(result) ?? 0;
  } catch (error) {
    progress.end({ done: false });
    throw stop.signal.aborted ? interrupted(error) : error;
  } finally {
    forget();
    await opened?.then(
      (api) => api[Symbol.asyncDispose](),
      () => {},
    );
  }
}

/** The first time the work is asked to stop; the second time the process ends. */
function interrupt(
  stop: AbortController,
  world: CliWorld,
  progress: ProgressLine,
  json: boolean,
): void {
  if (stop.signal.aborted) {
    world.exitNow(130);
    return;
  }
  progress.end({ done: false });
  if (!json) world.stderr.write('stopping at the next safe place; once more to stop at once\n');
  stop.abort(interrupted(undefined));
}

/** Once asked to stop, whatever ends the work counts as the interrupt; the error itself is its cause. */
function interrupted(error: unknown): CodrError {
  if (error instanceof CodrError && error.code === 'interrupted') return error;
  const expected = error === undefined || (error instanceof Error && error.name === 'AbortError');
  return new CodrError('interrupted', 'interrupted: the work can be resumed', {
    ...(!expected && { cause: error }),
  });
}

interface ErrorForm {
  readonly json: boolean;
  readonly debug: boolean;
}

function showError(thrown: unknown, { json, debug }: ErrorForm, world: CliWorld): number {
  const report = reportError(thrown, { debug });
  if (json) world.stdout.write(`${JSON.stringify(report)}\n`);
  else world.stderr.write(`${errorLines(report).join('\n')}\n`);
  return report.error.exitCode;
}

/** Help and version end with 0. Everything else that the parser refuses is wrong usage. */
function usageExit(error: CommanderError, argv: readonly string[], world: CliWorld): number {
  if (error.exitCode === 0) return 0;
  if (!argv.includes('--json')) return 2;
  // Commander shows help when no command is named, and says so in its own words.
  const isUnnamed = error.code === 'commander.help';
  const message = isUnnamed ? 'no command was given' : error.message.replace(/^error: /, '');
  return showError(new CodrError('usage', message), { json: true, debug: false }, world);
}

const sentence = (clause: string): string => `${clause[0]?.toUpperCase()}${clause.slice(1)}.`;

/** Options of every command, but those that the command has itself or that say nothing to it. */
function configOf(
  { path, input, configFile }: Command,
  flags: Readonly<Record<string, unknown>>,
  env: CliWorld['env'],
): Config {
  if (!configFile) return loadConfig(flags, env);
  const without = new Set<string>(configFile.without);
  const own = new Set(Object.keys(input.shape));
  const rows = optionRows(globalOptions);
  const given = rows.find((row) => without.has(row.name) && flagName(row) in flags);
  if (given) {
    throw new CodrError('usage', `${given.flag} says nothing to codr ${path}`, {
      remedy: `codr ${path} --help lists what does`,
    });
  }
  const unseen = rows
    .filter(({ name }) => without.has(name) || own.has(name) || name === 'config')
    .flatMap(({ env: twin }) => [twin, `${twin}_FILE`]);
  const seen = Object.entries(env).filter(([name]) => !unseen.includes(name));
  const { config = env.CODR_CONFIG, ...others } = flags;
  const common = loadConfig(others, Object.fromEntries(seen));
  return typeof config === 'string' && config !== '' ? { ...common, config } : common;
}

async function ownFile(
  { read }: NonNullable<Command['configFile']>,
  { config }: Config,
): Promise<Pick<OptionOrigins, 'file' | 'fileName'> | undefined> {
  return config === undefined ? undefined : { file: await read(config), fileName: config };
}
