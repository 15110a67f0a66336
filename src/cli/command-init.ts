// `codr init`: makes the repository and says what protects its key.
import { z } from 'zod';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { printPairs } from './output.ts';

export const initCommand = defineCommand({
  path: 'init',
  summary: 'create the repository',
  about:
    'Refuses a place that holds a repository already, and a store that does not keep its promises.',
  examples: ['codr init --repo /backup/codr --password-file /etc/codr/passphrase'],
  json: '{repository:{url,id,encrypted}, key?:{id,kind,protection}}',
  input: z.object({
    encryption: option(z.boolean().default(true), {
      text: 'a repository without keys: whoever reads the store reads the data',
      env: false,
    }),
  }),
  run: async (input, { api, call }) => (await api()).init(input, call),
  print({ repository, key }, output) {
    output.line(`created repository ${repository.url}`);
    printPairs(output, [
      ['id', repository.id],
      ['key', key && `${key.kind}, ${key.protection} (slot ${key.id})`],
    ]);
    if (repository.encrypted) {
      output.line(
        'Without that secret nothing can be restored: keep it apart from the repository.',
      );
    } else {
      output.line(output.paint('yellow', 'not encrypted: whoever reads the store reads the data'));
    }
  },
});
