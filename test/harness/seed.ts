// What a test that chooses at random chooses. The seed is the same in each run, so that what fails is what a
// change broke; `CODR_SEED=7` takes another one, `CODR_SEED=random` hunts. `CODR_SAMPLE=0.3` does three tenths
// of the work, as the quick run wants it.
const seedCount = 2 ** 31;

/** The seed that CODR_SEED says, else `usual`. Throws when it is no number. */
export function testSeed(usual: number): number {
  const said = process.env.CODR_SEED ?? String(usual);
  if (said === 'random') return Math.floor(Math.random() * seedCount);
  if (!/^\d+$/.test(said)) throw new Error(`CODR_SEED=${said} is neither a number nor "random"`);
  return Number(said);
}

/** How often a property is tried, or how large its world is: `whole`, or the share of it that CODR_SAMPLE says. */
export function sampled(whole: number): number {
  return Math.max(1, Math.ceil(whole * Number(process.env.CODR_SAMPLE ?? 1)));
}
