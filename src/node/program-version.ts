// The version of this program, from the package that it stands in.
import { readFileSync } from 'node:fs';

/** `0.1.0`. The package is two folders up, from `src/cli` as from `dist/cli`. */
export function programVersion(): string {
  const path = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}
