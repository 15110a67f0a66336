// `codr get`: one record as it was, or all it ever was, without a restore.
import { z } from 'zod';
import { option } from '../node/config-option.ts';
import { defineCommand } from './command.ts';
import { atOption, consent, sourceArgument } from './inputs.ts';

const andMore = 'and more: only the first records of the partition are shown';

export const getCommand = defineCommand({
  path: 'get',
  summary: 'print one record as it was, without a restore',
  about:
    'KEY is what the database calls it. MongoDB: the _id as Extended JSON; a bare word is a string. ' +
    'Cassandra: the primary key as a JSON object or as a condition; a partition key alone gives the first ' +
    '1,000 records of the partition. A row is shown like SELECT JSON, with the writetime and, where it ' +
    'expires, ttl and expiry of each cell. The history of a row is what it was at each cut.',
  examples: [
    `codr get shop shop.orders '{"$oid":"65a1b2c3d4e5f60718293a4b"}'`,
    'codr get shop shop.orders 42 --at 2026-11-22T13:05:00Z --history',
    `codr get ring shop.orders "customer = 7 AND placed = '2026-11-22T13:05:00Z'"`,
    `codr get ring shop.orders '{"customer": 7}' --at cut:12`,
  ],
  json:
    '{source, namespace, key, at:{time,wall}, value?, more?, history?:[{time,wall,change,value?,more?}]}; value is ' +
    'JSON text, more: true says that there is more than it holds',
  input: z.object({
    source: sourceArgument(),
    namespace: option(z.string().min(1), {
      text: 'db.collection or keyspace.table',
      value: 'NS',
      argument: true,
    }),
    key: option(z.string().min(1), { text: 'the key of the record', value: 'KEY', argument: true }),
    at: atOption(),
    history: consent('all stored changes of the record up to that moment'),
  }),
  run: async (input, { api, call }) => (await api()).getRecord(input, call),
  print({ at, value, more, history }, output) {
    if (!history) {
      output.line(value ?? `no such record at ${at.wall}`);
      if (more) output.line(output.paint('yellow', andMore));
      return;
    }
    for (const version of history) {
      const head = `${version.wall}  (${version.time})  ${version.change}`;
      output.line(output.paint('bold', head));
      if (version.value !== undefined) output.line(version.value);
      if (version.more) output.line(output.paint('yellow', andMore));
    }
  },
});
