// User types that a keyspace of the target has already: one of the same name is kept, so it must have the same fields in
// the same order, or values would be others.
import { CodrError } from '../../../base/error.ts';
import { quoted } from '../schema/read-schema.ts';
import type { Made } from './table-statements.ts';

export interface StandingType {
  readonly name: string;
  readonly fieldNames: readonly string[];
  readonly fieldTypes: readonly string[];
}

/** Errors: `target-unfit`, by name. */
export function refuseOtherTypes(
  keyspace: string,
  wanted: readonly Made[],
  there: readonly StandingType[],
): void {
  for (const { name, statement } of wanted) {
    const standing = there.find((one) => one.name === name);
    if (!standing) continue;
    const { fieldNames, fieldTypes } = standing;
    const found = plain(fieldNames.map((field, i) => `${field} ${fieldTypes[i]}`).join(', '));
    const open = statement.indexOf('(');
    const fields = plain(statement.slice(open + 1, statement.lastIndexOf(')')));
    if (fields === found) continue;
    const message = `the type ${keyspace}.${quoted(name)} is there with other fields`;
    throw new CodrError('target-unfit', message, {
      object: `${keyspace}.${name}`,
      remedy: 'restore into another keyspace by --rename',
      facts: { wanted: fields, found },
    });
  }
}

const plain = (text: string): string => text.replaceAll('"', '').replace(/\s+/g, ' ').trim();
