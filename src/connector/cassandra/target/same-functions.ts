// Functions and aggregates that a keyspace of the target has already: one of the same name and arguments is kept, so it
// must be the same, or views, masks and the users' own statements would silently mean something else.
import { CodrError } from '../../../base/error.ts';
import { functionOf } from './ddl-text.ts';

/** Statements that make them, as DESCRIBE gives them. Errors: `target-unfit`, by name. */
export function refuseOtherFunctions(
  keyspace: string,
  wanted: readonly string[],
  there: readonly string[],
): void {
  const standing = new Map(there.map(functionOf).map((one) => [one.signature, one]));
  for (const { kind, signature, text } of wanted.map(functionOf)) {
    const found = standing.get(signature);
    if (!found || (found.text === text && found.kind === kind)) continue;
    const name = `${keyspace}.${signature}`;
    throw new CodrError('target-unfit', `the ${kind} ${name} is there and does something else`, {
      object: name,
      remedy: 'restore into another keyspace by --rename, or drop it in the target',
      facts: { wanted: text, found: found.text },
    });
  }
}
