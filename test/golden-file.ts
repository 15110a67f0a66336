// The files of test/golden/: bytes that every later version must still read. UPDATE_GOLDEN=1 writes them
// anew, which is a change of format. Under CI they are only read, whatever else is set.
import { readFile, writeFile } from 'node:fs/promises';

/** The text of a golden file, after writing `made` to it if asked to. The caller compares. */
export async function goldenText(
  file: string,
  made: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const place = new URL(`golden/${file}`, import.meta.url);
  if (env.UPDATE_GOLDEN && !env.CI) await writeFile(place, made);
  return await readFile(place, 'utf8');
}
