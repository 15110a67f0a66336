// An exhaustive model of collection by the log itself. One pack; sources A and B; a writer each, which may
// stall anywhere and whose answers from dedup may be arbitrarily old; two collectors, which may crash, start
// again and overlap; retention in between. A state is a few short strings. Every state that the bounds
// allow is visited, breadth first, so that a counter-example is a shortest one.

/** The rules that make collection safe; each can be left out to see what it is for. */
export const rules = [
  /** A writer drops a condemned pack before it commits. */
  'check',
  /** A commit fails when another one has taken its place in the log. */
  'create-only',
  /** A condemn entry goes to the lineage of A, and to that of B. */
  'barrier0',
  'barrier1',
  /** A condemned pack that a version uses is off the list. */
  'rescue',
  /** The rescue looks at the versions retained as of the barrier, not at later ones. */
  'before-barrier',
] as const;
export type Rule = (typeof rules)[number];

export interface Bounds {
  /** Versions that each writer makes. */
  readonly versionsPerWriter: number;
  /** Collections that may begin. */
  readonly collectionCount: number;
}

export interface Exploration {
  /** True when no state loses the pack while a retained version uses it. */
  readonly safe: boolean;
  readonly states: number;
  /** The steps to a state that does. */
  readonly counterExample?: readonly string[];
}

/**
 * Logs: `p` a version that uses the pack, `n` one that does not, `d` retention drops all before, a digit the
 * barrier of that collection. Writers: step (`i`dle, `h`as decided, `r`ead the head, p`u`ts), versions left,
 * uses the pack, log length read. Collectors: step and what it needs (see {@link collectorSteps}).
 */
interface State {
  readonly logs: readonly [string, string];
  readonly writers: readonly [string, string];
  readonly collectors: readonly [string, string];
  /** Result of each condemned list: `-` undecided, `0` rescued, `1` to be deleted. */
  readonly results: string;
  readonly stored: boolean;
  readonly dropsLeft: number;
  readonly collectionsLeft: number;
}

type Visit = (step: string, state: State) => void;

export function explore(rulesLeftOut: readonly Rule[], bounds: Bounds): Exploration {
  const holds = new Set<Rule>(rules.filter((rule) => !rulesLeftOut.includes(rule)));
  const first = firstState(bounds);
  const numbers = new Map<string, number>([[keyOf(first), 0]]);
  const parents: number[] = [-1];
  const steps: string[] = [''];
  let level: State[] = [first];
  let levelStart = 0;
  while (level.length > 0) {
    const next: State[] = [];
    const nextStart = numbers.size;
    let lost = false;
    for (const [i, state] of level.entries()) {
      forEachStep(state, holds, (step, after) => {
        const key = keyOf(after);
        if (lost || numbers.has(key)) return;
        numbers.set(key, numbers.size);
        parents.push(levelStart + i);
        steps.push(step);
        next.push(after);
        lost = !after.stored && after.logs.some((log) => usesPack(log));
      });
      if (lost)
        return { safe: false, states: numbers.size, counterExample: pathTo(parents, steps) };
    }
    level = next;
    levelStart = nextStart;
  }
  return { safe: true, states: numbers.size };
}

function firstState({ versionsPerWriter, collectionCount }: Bounds): State {
  const writer = `i${versionsPerWriter}`;
  return {
    logs: ['p', ''],
    writers: [writer, writer],
    collectors: ['i', 'i'],
    results: '',
    stored: true,
    dropsLeft: 2,
    collectionsLeft: collectionCount,
  };
}

function keyOf({ logs, writers, collectors, results, stored, ...left }: State): string {
  const parts = `${logs[0]},${logs[1]},${writers[0]},${writers[1]},${collectors[0]},${collectors[1]}`;
  return `${parts},${results},${stored ? 1 : 0}${left.dropsLeft}${left.collectionsLeft}`;
}

function pathTo(parents: readonly number[], steps: readonly string[]): string[] {
  const path: string[] = [];
  for (let at = parents.length - 1; at > 0; at = parents[at] as number)
    path.unshift(steps[at] as string);
  return path;
}

function forEachStep(state: State, holds: ReadonlySet<Rule>, visit: Visit): void {
  for (const who of [0, 1] as const) {
    writerSteps(state, who, holds, visit);
    retentionSteps(state, who, visit);
    collectorSteps(state, who, holds, visit);
  }
}

/** Decide (an old answer may say that the pack is known), read the head, check, put. */
function writerSteps(state: State, who: 0 | 1, holds: ReadonlySet<Rule>, visit: Visit): void {
  const writer = state.writers[who];
  const log = state.logs[who];
  const [step, left, uses, view] = [
    writer[0],
    Number(writer[1]),
    writer[2] as string,
    writer.slice(3),
  ];
  const name = `writer ${sources[who]}`;
  const go = (what: string, then: string, more: Partial<State> = {}): void =>
    visit(`${name} ${what}`, { ...state, ...more, writers: replaced(state.writers, who, then) });
  if (step === 'i' && left > 0) {
    go('takes the pack as known', `h${left - 1}p`);
    go('makes a version without the pack', `h${left - 1}n`);
  } else if (step === 'h') {
    go('reads the head', `r${left}${uses}${log.length}`);
  } else if (step === 'r') {
    const condemned =
      holds.has('check') && uses === 'p' && isCondemned(state, log.slice(0, Number(view)));
    if (condemned) go('finds the pack condemned', `i${left}`);
    else go('checks', `u${left}${uses}${view}`);
  } else if (step === 'u') {
    const free = log.length === Number(view) || !holds.has('create-only');
    if (free) go('commits', `i${left}`, { logs: replaced(state.logs, who, log + uses) });
    else go('loses the race', `h${left}${uses}`);
  }
}

/** Whether a writer that has read `log` must not use the pack. */
function isCondemned({ results }: State, log: string): boolean {
  for (let i = 0; i < log.length; i++) {
    if (!isBarrier(log[i] as string)) continue;
    const result = results[Number(log[i])];
    if (result === '1') return true;
    if (result === '-' && !usesPack(log.slice(0, i))) return true; // else rescued by its own lineage
  }
  return false;
}

/** At most one drop of A and two drops in all. */
function retentionSteps(state: State, who: 0 | 1, visit: Visit): void {
  const log = state.logs[who];
  const may = state.dropsLeft > (who === 0 ? 1 : 0) && log.length > 0 && log.length < 6;
  if (!may) return;
  const logs = replaced(state.logs, who, `${log}d`);
  visit(`retention drops ${sources[who]}`, { ...state, logs, dropsLeft: state.dropsLeft - 1 });
}

/**
 * `A` looks at A, `B` + use in A: looks at B, `C` condemns, `0` and `1` + id: sets the barriers, `s` + id:
 * rescues, `x` deletes. Any list ever condemned may be finished by anyone, also one that is finished.
 */
function collectorSteps(state: State, who: 0 | 1, holds: ReadonlySet<Rule>, visit: Visit): void {
  const collector = state.collectors[who];
  const [step, needed] = [collector[0], collector.slice(1)];
  const name = `collector ${who + 1}`;
  const go = (what: string, then: string, more: Partial<State> = {}): void =>
    visit(`${name} ${what}`, {
      ...state,
      ...more,
      collectors: replaced(state.collectors, who, then),
    });
  if (step !== 'i') go('crashes', 'i');
  if (step === 'i') {
    const collectionsLeft = state.collectionsLeft - 1;
    if (collectionsLeft >= 0) go('begins', 'A', { collectionsLeft });
    for (let id = 0; id < state.results.length; id++) go(`takes up list ${id}`, `0${id}`);
  } else if (step === 'A') {
    go('looks at A', usesPack(state.logs[0]) ? 'B1' : 'B0');
  } else if (step === 'B') {
    go('looks at B', needed === '1' || usesPack(state.logs[1]) ? 'i' : 'C');
  } else if (step === 'C') {
    go('condemns', `0${state.results.length}`, { results: `${state.results}-` });
  } else if (step === '0' || step === '1') {
    const at = Number(step) as 0 | 1;
    const log = state.logs[at];
    const set = holds.has(`barrier${at}`) && !log.includes(needed);
    const logs = set ? replaced(state.logs, at, log + needed) : state.logs;
    go(`sets the barrier in ${sources[at]}`, `${at === 0 ? '1' : 's'}${needed}`, { logs });
  } else if (step === 's') {
    const results = decided(state, needed, holds);
    go('rescues', results[Number(needed)] === '1' ? 'x' : 'i', { results });
  } else if (step === 'x') {
    go('deletes the pack', 'i', { stored: false });
  }
}

/** The results with that of list `id`; whoever computes it first decides. */
function decided({ logs, results }: State, id: string, holds: ReadonlySet<Rule>): string {
  if (results[Number(id)] !== '-') return results;
  const used = logs.some((log) => {
    const barrier = holds.has('before-barrier') ? log.indexOf(id) : -1;
    return usesPack(barrier < 0 ? log : log.slice(0, barrier));
  });
  const result = used && holds.has('rescue') ? '0' : '1';
  return results.slice(0, Number(id)) + result + results.slice(Number(id) + 1);
}

/** Whether a retained version of that log uses the pack. */
function usesPack(log: string): boolean {
  return log.lastIndexOf('p') > log.lastIndexOf('d');
}

function isBarrier(entry: string): boolean {
  return entry >= '0' && entry <= '9';
}

const sources = ['A', 'B'] as const;

function replaced(
  pair: readonly [string, string],
  at: 0 | 1,
  by: string,
): readonly [string, string] {
  return at === 0 ? [by, pair[1]] : [pair[0], by];
}
