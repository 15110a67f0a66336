// `codr get`: one record as it was, or all it ever was, without a restore.
import { z } from 'zod';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { atOption, consent, sourceArgument } from './inputs.ts';

export const getCommand = defineCommand({
  path: 'get',
  summary: 'print one record as it was, without a restore',
  about:
    'KEY is what the database calls it: for MongoDB the _id as Extended JSON; a bare word is a string.',
  examples: [
    `codr get shop shop.orders '{"$oid":"65a1b2c3d4e5f60718293a4b"}'`,
    'codr get shop shop.orders 42 --at 2026-11-22T13:05:00Z --history',
  ],
  json:
    '{source, namespace, key, at:{time,wall}, value?, history?:[{time,wall,change,value?}]}; value is ' +
    'JSON text',
  input: z.object({
    source: sourceArgument(),
    namespace: option(z.string().min(1), {
      text: 'db.collection',
      value: 'NS',
      argument: true,
    }),
    key: option(z.string().min(1), { text: 'the key of the record', value: 'KEY', argument: true }),
    at: atOption(),
    history: consent('all stored changes of the record up to that moment'),
  }),
  run: async (input, { api, call }) => (await api()).getRecord(input, call),
  print({ at, value, history }, output) {
    if (!history) {
      output.line(value ?? `no such record at ${at.wall}`);
      return;
    }
    for (const version of history) {
      const head = `${version.wall}  (${version.time})  ${version.change}`;
      output.line(output.paint('bold', head));
      if (version.value !== undefined) output.line(version.value);
    }
  },
});
