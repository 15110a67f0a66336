// `codr key …`: the ways to open the repository.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { AddKeyRequest, KeySlot } from '../api/codr-api.ts';
import { CodrError } from '../base/error.ts';
import { option, readSecret } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { printTable } from './output.ts';

const slotJson = '{id,kind,protection}';

export const keyAddCommand = defineCommand({
  path: 'key add',
  summary: 'add a passphrase or key file that opens the repository',
  examples: ['codr key add --new-password-file /etc/codr/second'],
  json: '{id,kind,protection, openSlot?}',
  input: z.object({
    newPasswordFile: option(z.string().min(1).optional(), {
      text: 'file with the new passphrase',
      value: 'FILE',
    }),
    newKeyFile: option(z.string().min(1).optional(), {
      text: 'new key file, at least 32 bytes',
      value: 'FILE',
    }),
  }),
  async run({ newPasswordFile, newKeyFile }, { api, call }) {
    if ((newPasswordFile === undefined) === (newKeyFile === undefined)) {
      throw new CodrError('usage', 'one new secret is needed', {
        remedy: 'give either --new-password-file or --new-key-file',
      });
    }
    const request: AddKeyRequest = {
      ...(newPasswordFile !== undefined && {
        passphrase: readSecret(newPasswordFile, '--new-password-file'),
      }),
      ...(newKeyFile !== undefined && { keyFileBase64: readKeyFile(newKeyFile) }),
    };
    const codr = await api();
    const slot = await codr.addKey(request, call);
    const open = (await codr.listKeys(call)).keys.find(({ kind }) => kind === 'open');
    return { ...slot, ...(open && { openSlot: open.id }) };
  },
  print({ openSlot, ...slot }, output) {
    output.line(`added ${slotText(slot)}`);
    if (openSlot !== undefined) output.line(output.paint('yellow', stillOpen(openSlot)));
  },
});

export const keyRemoveCommand = defineCommand({
  path: 'key remove',
  summary: 'remove a way to open the repository',
  about:
    'The root key stays: who kept the secret and a copy of the slot can still open all that is stored, ' +
    'also what is stored later. To shut somebody out, make a new repository. The last slot stays.',
  examples: ['codr key remove 7f3a'],
  json: slotJson,
  input: z.object({
    id: option(z.string().min(1), {
      text: 'a slot, see codr key list',
      value: 'SLOT',
      argument: true,
    }),
  }),
  run: async (input, { api, call }) => (await api()).removeKey(input, call),
  print: (slot, output) => output.line(`removed ${slotText(slot)}`),
});

export const keyListCommand = defineCommand({
  path: 'key list',
  summary: 'list the ways to open the repository',
  examples: ['codr key list'],
  json: `{keys:[${slotJson}]}`,
  input: z.object({}),
  run: async (_input, { api, call }) => (await api()).listKeys(call),
  print({ keys }, output) {
    if (keys.length === 0) output.line(output.paint('yellow', 'this repository is not encrypted'));
    printTable(
      output,
      [{ title: 'SLOT' }, { title: 'KIND' }, { title: 'PROTECTION' }],
      keys.map((slot) => [slot.id, slot.kind, slot.protection]),
    );
    const open = keys.find(({ kind }) => kind === 'open');
    if (open && keys.length > 1) output.line(output.paint('yellow', stillOpen(open.id)));
  },
});

/** A secret beside a slot without one protects nothing. */
const stillOpen = (id: string): string =>
  `warning: the repository is not encrypted, and slot ${id} still opens it to everyone`;
const slotText = ({ id, kind }: KeySlot): string => `slot ${id}: ${kind}`;

function readKeyFile(path: string): string {
  try {
    return readFileSync(path).toString('base64');
  } catch (cause) {
    throw new CodrError('usage', `--new-key-file: the file ${path} cannot be read`, {
      object: path,
      remedy: 'name a file that exists and that this user can read',
      cause,
    });
  }
}
