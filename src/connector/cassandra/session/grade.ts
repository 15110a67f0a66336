// How sure a point is of each token range, by the replicas that its cut captured. complete: all of them, so
// the point reads like consistency ALL. quorum-safe: in every data centre at least half, rounded up, so every
// write acknowledged at QUORUM, LOCAL_QUORUM or EACH_QUORUM met one of them. Else best-effort. Pure.
import { type CutGrade, cutGrades } from '../../connector.ts';
import type { ReplicaRange, RingNode, TokenRange } from './replica-placement.ts';

export interface GradedRange extends TokenRange {
  readonly grade: CutGrade;
  /** Host ids of replicas that were not captured. */
  readonly missing: readonly string[];
}

/** `datacenters`: those that count; empty: all. A range without a replica there is best-effort. */
export function gradeRanges(
  ranges: readonly ReplicaRange[],
  nodes: readonly RingNode[],
  captured: ReadonlySet<string>,
  datacenters: readonly string[] = [],
): GradedRange[] {
  const datacenterOf = new Map(nodes.map((node) => [node.hostId, node.datacenter]));
  const counts = (hostId: string): boolean =>
    datacenters.length === 0 || datacenters.includes(datacenterOf.get(hostId) ?? '');
  const graded: GradedRange[] = [];
  for (const { from, to, replicas } of ranges) {
    const asked = replicas.filter(counts);
    const missing = asked.filter((hostId) => !captured.has(hostId)).sort();
    const grade = gradeOf(asked, missing, datacenterOf);
    const last = graded.at(-1);
    if (last?.to === from && last.grade === grade && String(last.missing) === String(missing)) {
      graded[graded.length - 1] = { ...last, to };
    } else {
      graded.push({ from, to, grade, missing });
    }
  }
  return graded;
}

/** Says which of the data centres that grades are computed for no node is in, and which there are; undefined: all are there. */
export function unknownDatacenters(
  nodes: readonly Pick<RingNode, 'datacenter'>[],
  datacenters: readonly string[],
): { readonly message: string; readonly isAll: boolean } | undefined {
  const there = new Set(nodes.map(({ datacenter }) => datacenter));
  const unknown = datacenters.filter((name) => !there.has(name));
  if (unknown.length === 0) return undefined;
  const message = `no node is in the data centre ${unknown.join(', ')} of datacenters: there is ${[...there].sort().join(', ')}`;
  return { message, isAll: unknown.length === datacenters.length };
}

/** The worst of them; `best-effort` when there is none. */
export function worstGrade(graded: readonly { readonly grade: CutGrade }[]): CutGrade {
  const worst = Math.max(...graded.map(({ grade }) => cutGrades.indexOf(grade)));
  return cutGrades[worst] ?? 'best-effort';
}

function gradeOf(
  asked: readonly string[],
  missing: readonly string[],
  datacenterOf: ReadonlyMap<string, string>,
): CutGrade {
  if (asked.length === 0) return 'best-effort';
  if (missing.length === 0) return 'complete';
  const perDatacenter = new Map<string, { all: number; missing: number }>();
  for (const hostId of asked) {
    const datacenter = datacenterOf.get(hostId) ?? '';
    const count = perDatacenter.get(datacenter) ?? { all: 0, missing: 0 };
    count.all += 1;
    if (missing.includes(hostId)) count.missing += 1;
    perDatacenter.set(datacenter, count);
  }
  const safe = [...perDatacenter.values()].every(
    (count) => count.all - count.missing >= Math.ceil(count.all / 2),
  );
  return safe ? 'quorum-safe' : 'best-effort';
}
