// `codr completion`: a script for the shell, made from the same table as the commands themselves.
import { z } from 'zod';
import { globalOptions } from '../node/config.ts';
import { type OptionRow, option, optionRows } from '../node/config-option.ts';
import { type Command, defineCommand } from './command.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** The command needs the list that it is itself part of. */
export const completionCommand = (commands: () => readonly Command[]) =>
  defineCommand({
    path: 'completion',
    summary: 'print a completion script for a shell',
    examples: [
      'source <(codr completion bash)',
      'source <(codr completion zsh)',
      'codr completion fish > ~/.config/fish/completions/codr.fish',
    ],
    json: '{shell, script}',
    input: z.object({
      shell: option(z.enum(shells, { error: 'not bash, zsh or fish' }), {
        text: 'bash, zsh or fish',
        value: 'SHELL',
        argument: true,
      }),
    }),
    run: async ({ shell }) => ({ shell, script: scripts[shell](offersOf(commands())) }),
    print: ({ script }, output) => output.line(script),
  });

interface Offers {
  /** For each path and group, the words that may follow it. */
  readonly words: ReadonlyMap<string, readonly string[]>;
  /** For each flag that takes a value, the values that it may have; none where any will do. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

function offersOf(commands: readonly Command[]): Offers {
  const global = optionRows(globalOptions);
  const globalFlags = global.map(({ flag }) => flag);
  const words = new Map<string, string[]>([['', [...globalFlags, '--help', '--version', 'help']]]);
  const offer = (path: string, more: readonly string[]): void => {
    words.set(path, [...new Set([...(words.get(path) ?? []), ...more])]);
  };
  for (const { path, input } of commands) {
    const [group, sub] = path.split(' ') as [string, string?];
    offer('', [group]);
    offer('help', [group]);
    if (sub !== undefined) offer(group, [sub]);
    const rows = optionRows(input);
    const choices = rows.flatMap((row) => (row.text.argument ? (row.choices ?? []) : []));
    const flags = rows.filter(({ text }) => !text.argument).map(({ flag }) => flag);
    offer(path, [...choices, ...flags, ...globalFlags, '--help']);
  }
  const takesValue = ({ shape, text }: OptionRow): boolean =>
    shape !== 'switch' && !text.argument && !text.optionalValue;
  const valued = [...global, ...commands.flatMap(({ input }) => optionRows(input))].filter(
    takesValue,
  );
  return { words, values: new Map(valued.map(({ flag, choices = [] }) => [flag, choices])) };
}

const scripts: Record<Shell, (offers: Offers) => string> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** What bash and zsh share: patterns of a `case`. */
function patterns({ words, values }: Offers) {
  const free = [...values].filter(([, choices]) => choices.length === 0).map(([flag]) => flag);
  return {
    paths: [...words.keys()]
      .filter(Boolean)
      .map((path) => `"${path}"`)
      .join('|'),
    valued: [...values.keys()].join('|'),
    /** Their values are files or anything else. */
    free: free.join('|'),
    chosen: [...values].filter(([, choices]) => choices.length > 0),
  };
}

function bashScript(offers: Offers): string {
  const { paths, valued, free, chosen } = patterns(offers);
  return `_codr() {
  local at="" word words="" previous=""
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$previous" in ${valued}) previous=""; continue ;; esac
    previous="$word"
    case "\${at:+$at }$word" in
      ${paths}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$previous" in
${chosen.map(([flag, choices]) => `    ${flag}) words="${choices.join(' ')}" ;;`).join('\n')}
    ${free}) return ;;
    *) case "$at" in
${[...offers.words].map(([path, list]) => `      "${path}") words="${list.join(' ')}" ;;`).join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _codr codr`;
}

/** May be sourced, or lie as \`_codr\` in a folder of \`fpath\`. \`path\` is a name that zsh itself needs. */
function zshScript(offers: Offers): string {
  const { paths, valued, free, chosen } = patterns(offers);
  return `#compdef codr
_codr() {
  local at="" word previous=""
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$previous" in (${valued}) previous=""; continue ;; esac
    previous="$word"
    case "\${at:+$at }$word" in
      (${paths}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$previous" in
${chosen.map(([flag, choices]) => `    (${flag}) offers=(${choices.join(' ')}) ;;`).join('\n')}
    (${free}) _files; return ;;
    (*) case "$at" in
${[...offers.words].map(([path, list]) => `      ("${path}") offers=(${list.join(' ')}) ;;`).join('\n')}
    esac ;;
  esac
  compadd -a -- offers
}
if [ "$funcstack[1]" = "_codr" ]; then
  _codr "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _codr codr
fi`;
}

function fishScript({ words, values }: Offers): string {
  const lines = ['complete -c codr -f'];
  for (const [path, list] of words) {
    const seen = path
      .split(' ')
      .filter(Boolean)
      .map((word) => `__fish_seen_subcommand_from ${word}`);
    const condition = seen.length === 0 ? '__fish_use_subcommand' : seen.join('; and ');
    for (const word of list) {
      const what = word.startsWith('--') ? fishFlag(word, values.get(word)) : `-a ${word}`;
      lines.push(`complete -c codr -n '${condition}' ${what}`);
    }
  }
  return lines.join('\n');
}

/** `-x` takes a value and no file, `-rF` a value that may be a file. */
function fishFlag(flag: string, choices: readonly string[] | undefined): string {
  const long = `-l ${flag.slice(2)}`;
  if (choices === undefined) return long;
  return choices.length > 0 ? `${long} -x -a '${choices.join(' ')}'` : `${long} -rF`;
}
