// Arguments and options that several commands share, so that they have one name and one meaning.
import { z } from 'zod';
import { patternFault } from '../model/namespace.ts';
import { option } from '../node/config-option.ts';
import { parseSeconds } from './units.ts';

export const sourceArgument = () =>
  option(z.string().min(1), {
    text: 'name of a registered source',
    value: 'SOURCE',
    argument: true,
  });

export const atOption = () =>
  option(z.string().min(1).default('latest'), {
    text: 'the moment: latest, RFC 3339, a time of the source, or a point id',
    value: 'WHEN',
    env: false,
  });

const pattern = z.string().superRefine((text, context) => {
  const fault = patternFault(text);
  if (fault !== undefined) context.addIssue(fault);
});

const namespaces = (text: string) =>
  option(z.array(pattern).default([]), { text, value: 'NS', env: false });

export const includeOption = () =>
  namespaces('only these namespaces: db.collection, db.*, globs; may be repeated');

export const excludeOption = () =>
  namespaces('not these namespaces; wins over --include; may be repeated');

/** A flag that is off unless given on the command line itself. */
export const consent = (text: string) => option(z.boolean().default(false), { text, env: false });

/** A duration of at least `secondsMin`, read as seconds; absent when it is not given. */
export const optionalDuration = (secondsMin: number) =>
  z
    .string()
    .transform((text, context) => {
      const seconds = parseSeconds(text);
      if (seconds !== undefined && seconds >= secondsMin) return seconds;
      context.addIssue(`not a duration of at least ${secondsMin} s, such as 5s, 15m or 2h`);
      return z.NEVER;
    })
    .optional();

/** Why a limit is none. */
export const noLimit = 'not a number';

/** A rate, 0 for no limit; absent when it is not given. */
export const mibPerSecondOption = (text: string) =>
  option(z.coerce.number({ error: noLimit }).min(0, { error: 'less than 0' }).optional(), {
    text,
    value: 'N',
    env: false,
  });

export const bytesOfMib = (mib: number | undefined): number | undefined =>
  mib === undefined ? undefined : Math.ceil(mib * 1024 * 1024);
