// `codr ops` and `codr cancel`: the long work of peers.
import { z } from 'zod';
import type { OperationDescription } from '../api/codr-api.ts';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { consent } from './inputs.ts';
import { type Output, printTable } from './output.ts';
import { progressText } from './progress-line.ts';

const operationJson = '{id,kind,source?,state,by,created,ended?,progress?,cancelling,failure?}';

export const opsCommand = defineCommand({
  path: 'ops',
  summary: 'list the long work of peers, newest first',
  about:
    'Work goes on at the peer when the command that began it is gone. What has ended is kept for a ' +
    'while. With --repo there is none: each command does its own work.',
  examples: ['codr ops --node n1.example:7420', 'codr ops --running --json'],
  json: `{operations:[${operationJson}]}`,
  input: z.object({ running: consent('only what runs') }),
  run: async (input, { api, call }) => (await api()).listOperations(input, call),
  print({ operations }, output) {
    if (operations.length === 0) return output.line('no operations');
    printTable(
      output,
      ['OPERATION', 'KIND', 'SOURCE', 'STATE', 'BY', 'SINCE', ''].map((title) => ({ title })),
      operations.map((one) => [
        one.id,
        one.kind,
        one.source ?? '',
        stateText(one, output),
        one.by,
        one.created,
        one.failure ?? (one.progress && one.state === 'running' ? progressText(one.progress) : ''),
      ]),
    );
  },
});

export const cancelCommand = defineCommand({
  path: 'cancel',
  summary: 'ask long work of a peer to end at its next safe place',
  about:
    'What was committed stays, and the same command resumes it. Answers at once: `codr ops` shows when ' +
    'it has ended. A backup that follows commits once more and is done.',
  examples: ['codr cancel 7f3a91c2d4e5f607 --node n1.example:7420'],
  json: operationJson,
  input: z.object({
    id: option(z.string().min(1), {
      text: 'an operation, see codr ops',
      value: 'OP',
      argument: true,
    }),
  }),
  run: async (input, { api, call }) => (await api()).cancelOperation(input, call),
  print(operation, output) {
    const { id, kind, state } = operation;
    if (state === 'running') output.line(`asked ${kind} ${id} to end`);
    else output.line(`${kind} ${id} has ended already: ${state}`);
  },
});

function stateText({ state, cancelling }: OperationDescription, output: Output): string {
  if (cancelling) return output.paint('yellow', 'ending');
  if (state === 'failed') return output.paint('red', state);
  return state === 'done' ? output.paint('green', state) : state;
}
