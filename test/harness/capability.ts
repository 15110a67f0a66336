// What the server under test lacks: the one place where tests look at its version. What a test leaves out
// for that, the whole or a part, node:test lists as skipped with the reason.
import type { TestContext } from 'node:test';
import { mongod } from './get-mongod.ts';

/**
 * The first releases with each capability, oldest first: newer ones have it too, but of the older series
 * only those that are named. Sources: the release notes; tried on 5.0.4, 6.0.5 and 6.0.27.
 */
const firstReleases = {
  'clustered collections': ['5.3.0'],
  'images of changes for change streams': ['6.0.0'],
  'indexes that collMod makes unique': ['6.0.0'],
  'capped collections that collMod resizes': ['6.0.0'],
  'updates that change sizes in capped collections': ['5.3.0'],
  'deletes from time series': ['5.0.5'],
  // SERVER-88750 was ported back.
  'inserts that keep empty timestamps': ['5.0.29', '6.0.17', '7.0.13', '8.0.0'],
} as const;

export type Capability = keyof typeof firstReleases;

/** The reason to skip a whole test, false when the server has it: `test(name, { skip: await lacks(…) }, …)`. */
export async function lacks(capability: Capability): Promise<string | false> {
  const { version } = await mongod();
  return releaseHas(version, firstReleases[capability])
    ? false
    : `mongod ${version} has no ${capability}`;
}

/** Whether the server has it. When not, the part of `t` that needs it is listed as skipped. */
export async function has(t: TestContext, capability: Capability): Promise<boolean> {
  const skip = await lacks(capability);
  if (skip) await t.test(capability, { skip }, () => {});
  return !skip;
}

export function releaseHas(version: string, releases: readonly string[]): boolean {
  const series = version.split('.', 2).join('.');
  const inSeries = releases.find((release) => release.startsWith(`${series}.`));
  return compareVersions(version, inSeries ?? (releases.at(-1) as string)) >= 0;
}

/** By numbers: 6.0.27 comes after 6.0.5. */
function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
