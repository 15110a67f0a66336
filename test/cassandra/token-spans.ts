// Which tokens a node holds, as the server's own ring says for a keyspace.
import assert from 'node:assert/strict';
import type { CassandraCluster } from '../../src/node/demo/cassandra-server.ts';

/** After `from`, up to `to`. */
export interface TokenSpan {
  readonly from: bigint;
  readonly to: bigint;
}

const service = 'org.apache.cassandra.db:type=StorageService';
/** Of Murmur3Partitioner. No key has the least one. */
const [least, greatest] = [-(2n ** 63n), 2n ** 63n - 1n];

/** Ascending, those that follow one another as one; and how many copies of each row there are. */
export async function tokenSpansOf(
  cluster: CassandraCluster,
  node: number,
  keyspace: string,
): Promise<{ spans: readonly TokenSpan[]; copies: number }> {
  const said = await cluster.jmx(node).exec(service, 'describeRingWithPortJMX', keyspace);
  const ring = (said as string[]).map((line) => ({
    from: BigInt(/start_token:(-?\d+)/.exec(line)?.[1] ?? ''),
    to: BigInt(/end_token:(-?\d+)/.exec(line)?.[1] ?? ''),
    at: (/\bendpoints:\[([^\]]*)\]/.exec(line)?.[1] ?? '').split(', '),
  }));
  const copies = new Set(ring.map(({ at }) => at.length));
  assert.equal(copies.size, 1, `each range of ${keyspace} has as many replicas`);
  const own = ring
    .filter(({ at }) => at.some((one) => one.startsWith(`${cluster.address(node)}:`)))
    .flatMap(({ from, to }) =>
      // The one that holds the ends of all numbers is two.
      from < to
        ? [{ from, to }]
        : [
            { from: least, to },
            { from, to: greatest },
          ],
    )
    .sort((a, b) => (a.from < b.from ? -1 : 1));
  const spans: { from: bigint; to: bigint }[] = [];
  for (const one of own) {
    const last = spans.at(-1);
    if (last?.to === one.from) last.to = one.to;
    else spans.push({ ...one });
  }
  return { spans, copies: [...copies][0] as number };
}
