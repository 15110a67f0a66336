// `codr completion`: a script for the shell, made from the same table as the commands themselves.
import { z } from 'zod';
import { globalOptions } from '../node/config.ts';
import { option, optionRows } from '../node/config-option.ts';
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
    run: async ({ shell }) => ({ shell, script: scripts[shell](words(commands())) }),
    print: ({ script }, output) => output.line(script),
  });

/** For each path and group, the words that may follow it. */
type Words = ReadonlyMap<string, readonly string[]>;

function words(commands: readonly Command[]): Words {
  const global = optionRows(globalOptions).map(({ flag }) => flag);
  const map = new Map<string, string[]>([['', [...global, 'help', '--help', '--version']]]);
  for (const { path, input } of commands) {
    const [group, sub] = path.split(' ') as [string, string?];
    map.set('', [...new Set([...(map.get('') ?? []), group])]);
    if (sub !== undefined) map.set(group, [...(map.get(group) ?? []), sub]);
    const flags = optionRows(input).filter(({ text }) => !text.argument);
    map.set(path, [...flags.map(({ flag }) => flag), ...global, '--help']);
  }
  return map;
}

const scripts: Record<Shell, (words: Words) => string> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

function bashScript(map: Words): string {
  const cases = [...map].map(([path, list]) => `    "${path}") words="${list.join(' ')}" ;;`);
  return `_codr() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
      ${[...map.keys()]
        .filter(Boolean)
        .map((path) => `"${path}"`)
        .join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _codr codr`;
}

/** zsh runs the bash function through its own compatibility layer. */
function zshScript(map: Words): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(map)}`;
}

function fishScript(map: Words): string {
  const lines = ['complete -c codr -f'];
  for (const [path, list] of map) {
    const seen = path
      .split(' ')
      .filter(Boolean)
      .map((word) => `__fish_seen_subcommand_from ${word}`);
    const condition = seen.length === 0 ? '__fish_use_subcommand' : seen.join('; and ');
    for (const word of list) {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      lines.push(`complete -c codr -n '${condition}' ${what}`);
    }
  }
  return lines.join('\n');
}
