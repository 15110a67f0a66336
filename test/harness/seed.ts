// The seed of a test that chooses at random against a real server. It is the same in each run, so that what
// fails is what a change broke; `CODR_SEED=7` takes another one, `CODR_SEED=random` hunts.
const seedCount = 2 ** 31;

/** The seed that CODR_SEED says, else `usual`. Throws when it is no number. */
export function testSeed(usual: number): number {
  const said = process.env.CODR_SEED ?? String(usual);
  if (said === 'random') return Math.floor(Math.random() * seedCount);
  if (!/^\d+$/.test(said)) throw new Error(`CODR_SEED=${said} is neither a number nor "random"`);
  return Number(said);
}
