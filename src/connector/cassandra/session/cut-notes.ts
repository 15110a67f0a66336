// What was not as it should be at a cut, for people: what could have slipped, and what was done about it.
import type { TableSchema } from '../schema/table-schema.ts';
import type { CutState } from './cut-state.ts';
import { unknownDatacenters } from './grade.ts';
import type { CutListing } from './list-cut.ts';
import type { Ring } from './ring.ts';

export interface NotedCut {
  readonly ring: Ring;
  readonly tables: readonly TableSchema[];
  readonly listing: CutListing;
  /** Before the cut. */
  readonly state: CutState;
  readonly datacenters: readonly string[];
}

export function notesOf(cut: NotedCut): string[] {
  const { ring, tables, listing, state, datacenters } = cut;
  const { files, doubts, anew } = listing;
  const addresses = new Map(ring.nodes.map(({ hostId, address }) => [hostId, address]));
  const addressOf = (hostId: string): string => addresses.get(hostId) ?? hostId;
  const nodes = doubts.map(({ hostId, reason }) => {
    const address = addressOf(hostId);
    return `node ${address}: ${reason}: all of its live files that were not known were read`;
  });
  const grown = files
    .filter((own) => own.grown.length > 0)
    .map((own) => {
      const what = `it may own more of ${own.grown.join(', ')} than when it was captured last`;
      return `node ${addressOf(own.hostId)}: ${what}: all of its live files there were read`;
    });
  // A decommission hands everything over, a removal and a replacement do not: nobody can tell them apart here.
  const gone = Object.entries(state.hosts)
    .filter(([hostId]) => !addresses.has(hostId))
    .map(([hostId, host]) => {
      const what = `what it alone took after cut ${host.cut} is there if it handed it over`;
      return `node ${host.address} (${hostId}) has left the ring: ${what}, as a decommission does`;
    });
  const begun = tables
    .filter(({ id }) => anew.has(id))
    .map(({ id, keyspace, table }) => `${keyspace}.${table} was read as a whole: ${anew.get(id)}`);
  const strange = unknownDatacenters(ring.nodes, datacenters);
  const centres = strange ? [strange.message] : [];
  return [...nodes.sort(), ...grown, ...gone.sort(), ...begun, ...centres];
}
