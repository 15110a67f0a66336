// A cut state as texts by name, for a repository that stores of each cut what differs from the one before. Files of a
// table on a host are in chunks that a file which comes or goes changes one of, whatever their number: the sorted
// files are cut before those whose hash says so, and a chunk is called by its first file.
import { z } from 'zod';
import { CodrError } from '../../../base/error.ts';
import type { CutMemory } from '../../connector.ts';
import { type CutState, firstState, type KnownTable, parseCutState } from './cut-state.ts';

/** The name under which earlier versions kept all of it, as JSON. */
const whole = 'current';
/** Files in a chunk, about. */
const filesPerChunk = 8;

const head = z.object({
  version: z.literal(2),
  cut: z.number(),
  ringDigest: z.string(),
  schemaDigest: z.string(),
  horizonMs: z.number().optional(),
  strangers: z.record(z.string(), z.number().nullable()).optional(),
});

export function memoryOf(state: CutState): CutMemory {
  const memory = new Map<string, string>();
  const set = (name: string, value: unknown): unknown => memory.set(name, JSON.stringify(value));
  const { cut, ringDigest, schemaDigest, strangers, epochs, pasts, horizon, hosts } = state;
  const horizonMs = horizon?.beginMs;
  const first = { version: 2, cut, ringDigest, schemaDigest, horizonMs, strangers } as const;
  set('head', first satisfies z.infer<typeof head>);
  for (const [id, atMs] of Object.entries(epochs)) set(`epoch/${id}`, atMs);
  for (const [id, past] of Object.entries(pasts ?? {})) set(`past/${id}`, past);
  for (const [keyspace, own] of Object.entries(horizon?.ranges ?? {}))
    set(`range/${keyspace}`, own);
  for (const [id, floor] of Object.entries(horizon?.floors ?? {})) set(`floor/${id}`, floor);
  for (const [hostId, { tables, owned, ...host }] of Object.entries(hosts)) {
    set(`host/${hostId}`, host);
    // It hardly ever differs, the rest of a host always does.
    if (owned) set(`owned/${hostId}`, owned);
    for (const [id, { files, floors, rows, ...table }] of Object.entries(tables)) {
      set(`table/${hostId}/${id}`, table);
      for (const [first, lines] of chunksOf({ files, floors, rows })) {
        memory.set(`files/${hostId}/${id}/${first}`, lines.join('\n'));
      }
    }
  }
  return memory;
}

/** Undefined: nothing is known. Errors: `format-unknown`. */
export function stateOfMemory(memory: CutMemory | undefined): CutState {
  if (memory === undefined) return firstState;
  const earlier = memory.get(whole);
  if (earlier !== undefined) return parseCutState(jsonOf(whole, earlier));
  const read = head.safeParse(jsonOf('head', memory.get('head') ?? 'null'));
  if (!read.success) throw notUnderstood('head');
  const { horizonMs, version: _, ...rest } = read.data;
  const parts = partsOf(memory);
  const tables = new Map<string, [id: string, table: object][]>();
  for (const [name, table] of parts('table')) {
    const [hostId = '', id = ''] = name.split('/');
    const known = { files: [], floors: [], rows: [], ...(table as object) };
    tables.set(hostId, [...(tables.get(hostId) ?? []), [id, known]]);
  }
  const owned = new Map(parts('owned'));
  const hosts = [...parts('host')].map(([hostId, host]) => {
    const own = { tables: Object.fromEntries(tables.get(hostId) ?? []) };
    const more = owned.has(hostId) ? { owned: owned.get(hostId) } : {};
    return [hostId, { ...(host as object), ...more, ...own }] as const;
  });
  const pasts = parts('past');
  const state = {
    ...(pasts.length > 0 && { pasts: Object.fromEntries(pasts) }),
    ...{ version: 1, ...rest, hosts: Object.fromEntries(hosts) },
    epochs: Object.fromEntries(parts('epoch')),
    ...(horizonMs !== undefined && {
      horizon: {
        beginMs: horizonMs,
        ranges: Object.fromEntries(parts('range')),
        floors: Object.fromEntries(parts('floor')),
      },
    }),
  };
  return withFiles(parseCutState(state), memory);
}

/** Names and values of a kind; a name is what follows the kind. */
function partsOf(memory: CutMemory): (kind: string) => [name: string, value: unknown][] {
  const kinds = Map.groupBy(memory, ([name]) => name.split('/', 1)[0] as string);
  return (kind) =>
    (kinds.get(kind) ?? []).map(([name, text]) => [
      name.slice(kind.length + 1),
      jsonOf(name, text),
    ]);
}

function withFiles(state: CutState, memory: CutMemory): CutState {
  for (const [name, text] of memory) {
    const match = /^files\/([^/]*)\/([^/]*)\//.exec(name);
    if (!match) continue;
    const [, hostId = '', id = ''] = match;
    const table = state.hosts[hostId]?.tables[id];
    if (!table?.floors || !table.rows) throw notUnderstood(name);
    for (const line of text.split('\n')) {
      const [file = '', floor = '', rows = ''] = line.split(' ');
      table.files.push(file);
      table.floors.push(numberOf(floor));
      table.rows.push(numberOf(rows));
    }
  }
  for (const { tables } of Object.values(state.hosts)) Object.values(tables).forEach(sortFiles);
  return state;
}

/** Chunks come in the order of the names that a store gives. */
function sortFiles(table: KnownTable): void {
  const { files, floors, rows } = table;
  const order = files
    .map((_, i) => i)
    .sort((a, b) => ((files[a] ?? '') < (files[b] ?? '') ? -1 : 1));
  table.files = order.map((i) => files[i] ?? '');
  table.floors = order.map((i) => floors?.[i] ?? null);
  table.rows = order.map((i) => rows?.[i] ?? null);
}

const numberOf = (text: string): number | null => (text === '' ? null : Number(text));

function chunksOf({
  files,
  floors,
  rows,
}: Pick<KnownTable, 'files' | 'floors' | 'rows'>): Map<string, string[]> {
  const chunks = new Map<string, string[]>();
  let lines: string[] = [];
  files.forEach((file, i) => {
    const begins = i === 0 || hashOf(file) % filesPerChunk === 0;
    if (begins) {
      lines = [];
      // The first chunk keeps its name whatever comes before its files.
      chunks.set(i === 0 ? '' : file, lines);
    }
    lines.push(`${file} ${floors?.[i] ?? ''} ${rows?.[i] ?? ''}`);
  });
  return chunks;
}

/** FNV-1a. Kept for good: another one would write all chunks anew. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notUnderstood(name);
  }
}

function notUnderstood(name: string): CodrError {
  const message = 'what the last cut remembered is not understood';
  return new CodrError('format-unknown', message, { object: name });
}
