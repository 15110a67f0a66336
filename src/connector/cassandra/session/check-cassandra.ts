// What can be known of a source before work begins, per node: reach, identity, version, flush, snapshot, files, and
// whose the links are; for the cluster: what is in scope, and what grade nodes that are not configured cost.
// Each finding says what to do.
import type { Clock } from '../../../base/clock.ts';
import { isCodrError } from '../../../base/error.ts';
import { idleIncludes } from '../../../model/namespace.ts';
import type { Finding } from '../../connector.ts';
import { type KeyspaceSchema, readSchema } from '../schema/read-schema.ts';
import type { CassandraConfig } from './cassandra-config.ts';
import type { CqlSession } from './cql.ts';
import { missingDirectories, sharedDirectories } from './data-directories.ts';
import { unknownDatacenters, worstGrade } from './grade.ts';
import { claimLinks } from './links-claim.ts';
import type { CutNode } from './node-cut.ts';
import { listSstables, listTableFolders, readComponent } from './node-files.ts';
import { probeFiles } from './probe-files.ts';
import { nodeAt, type Ring, readRing, readSettledRing } from './ring.ts';
import { gradesOf } from './take-cut.ts';
import { readNodeMarks } from './truncation.ts';

export interface CheckRequest {
  readonly cql: CqlSession;
  readonly nodes: readonly CutNode[];
  readonly config: CassandraConfig;
  /** The source, as no other is called. */
  readonly owner: string;
  readonly scope: (keyspace: string, table: string) => boolean;
  /** What the scope names. */
  readonly include?: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Compression classes that the reader knows. */
const codecs = /^(LZ4|Snappy|Deflate|Zstd|Noop)Compressor$/;
/** A table that every node has, small, written at each start. */
const probe = { keyspace: 'system', table: 'local' } as const;

/** Expected failures become findings; only cancellation and defects are thrown. */
export async function checkCassandra(request: CheckRequest): Promise<Finding[]> {
  const { cql, nodes, clock, signal } = request;
  const controls = nodes.map(({ control }) => control);
  let ring: Ring;
  try {
    ring = await readSettledRing(() => readRing(cql, controls, signal), clock, signal);
  } catch (error) {
    return [finding(error, signal)];
  }
  const perNode = await Promise.all(nodes.map((node) => checkNode(request, ring, node)));
  const cluster = await checkCluster(request, ring).catch((error) => [finding(error, signal)]);
  return [...perNode.flat(), ...cluster];
}

/** Stops at the first fault of a node that makes what follows meaningless. */
async function checkNode(request: CheckRequest, ring: Ring, node: CutNode): Promise<Finding[]> {
  const { address, control } = node;
  const { signal, cql, config } = request;
  const findings: Finding[] = [];
  try {
    const identity = await control.identity({ signal });
    const member = nodeAt(ring, address);
    if (!member) {
      return [fault(`${address} is not a member of cluster ${ring.clusterName}`, 'correct nodes')];
    }
    if (member.hostId !== identity.hostId) {
      const message = `the control of ${address} answers for another host, ${identity.hostId}`;
      return [fault(message, `correct nodes.${address}.control`)];
    }
    const version = judgeVersion(identity.releaseVersion);
    if (version) findings.push(fault(`${address}: ${version}`, 'see the supported versions'));
    if (identity.operationMode !== 'NORMAL') {
      findings.push(fault(`${address} is in mode ${identity.operationMode}`, 'wait for NORMAL'));
    }
    const { schemaVersion } = await readNodeMarks(cql, member, signal);
    if (!ring.schemaVersions.includes(schemaVersion)) {
      const message = `${address} has another version of the schema than others`;
      findings.push(fault(message, 'see nodetool describecluster'));
    }
    // Whether it took cuts before, a cut knows.
    const { ownsBackups } = config;
    const claim = { owner: request.owner, ownsBackups, hasCaptured: true };
    await claimLinks(node, claim, { signal }).catch((e) => findings.push(finding(e, signal)));
    findings.push(...(await checkDirectories(request, node, member.nativeAddress)));
    for (const directory of node.dataDirectories) {
      const message = await probeFiles(node.files, directory, signal);
      if (message) findings.push(fault(`${address}: ${message}`, "run as the server's user"));
    }
    await probeSnapshot(request, node, member.hostId);
  } catch (error) {
    findings.push(finding(error, signal));
  }
  if (findings.length > 0) return findings;
  const message = `${address}: flush, snapshot, list, read, link, rename and delete work`;
  return [{ level: 'fine', message }];
}

/** Undefined when CODR reads what this release writes. */
export function judgeVersion(release: string): string | undefined {
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const supported = (major === 4 && minor <= 1) || (major === 5 && minor === 0);
  return supported ? undefined : `Cassandra ${release} is not one of 4.0, 4.1, 5.0`;
}

/** Directories that the server has and the configuration lacks would be captured by nobody. */
async function checkDirectories(
  { cql, nodes, signal }: CheckRequest,
  node: CutNode,
  host: string,
): Promise<Finding[]> {
  const { address } = node;
  const shared = (await sharedDirectories(nodes)).get(address);
  if (shared !== undefined) return [fault(shared, `correct nodes.${address}.dataDirectories`)];
  const missing = await missingDirectories(node, { cql, host, signal });
  return missing.map((path) =>
    fault(`${address} also keeps data in ${path}`, `add it to nodes.${address}.dataDirectories`),
  );
}

/** Takes and clears a snapshot of a table that every node has, and reads a file of it on our path. */
async function probeSnapshot(
  { clock, signal }: CheckRequest,
  node: CutNode,
  hostId: string,
): Promise<void> {
  const { control } = node;
  const tag = `codr-check-${clock.now()}-${process.pid}`;
  await control.flush(probe.keyspace, [probe.table], { signal });
  const name = `${probe.keyspace}.${probe.table}`;
  await control.takeSnapshot(tag, [name], { skipFlush: true }, { signal });
  try {
    for (const folder of await listTableFolders(node)) {
      if (folder.keyspace !== probe.keyspace || folder.table !== probe.table) continue;
      const { complete } = await listSstables(hostId, folder, `snapshots/${tag}`);
      if (!complete[0]) continue;
      await readComponent(complete[0], 'Statistics.db', node.files);
      return;
    }
    throw new Error(`${control.address}: its snapshot of ${name} is not below dataDirectories`);
  } finally {
    await control.clearSnapshot(tag, { signal });
  }
}

async function checkCluster(
  { cql, nodes, config, scope, include = [], signal }: CheckRequest,
  ring: Ring,
): Promise<Finding[]> {
  const findings = (ring.disputed ?? []).map((text) =>
    fault(`the nodes do not agree on the ring: ${text}`, 'see nodetool gossipinfo and peers_v2'),
  );
  if (ring.schemaVersions.length > 1) {
    const message = `the nodes do not agree on the schema: ${ring.schemaVersions.length} versions`;
    findings.push(fault(message, 'see nodetool describecluster'));
  }
  const schema = await readSchema((query) => cql.rows(query, { signal }), scope);
  findings.push(...checkScope(schema, include), ...checkDatacenters(config, ring, schema));
  if (nodes.length === 0) {
    const message = 'no node is configured: files can be read from none of them';
    return [...findings, fault(message, 'give a configuration file with nodes')];
  }
  const settings = await cql.rows('SELECT name, value FROM system_views.settings', { signal });
  const encrypted = settings.some(
    ({ name, value }) =>
      /^transparent_data_encryption_options[._]enabled$/.test(String(name)) && value === 'true',
  );
  if (encrypted) {
    const message = 'the commit log is encrypted: SSTables are read, its log cannot be';
    findings.push({ level: 'warning', message });
  }
  const here = nodes.map(({ address }) => nodeAt(ring, address)?.hostId);
  const captured = new Set(here.filter((hostId) => hostId !== undefined));
  const away = ring.nodes.filter(
    ({ hostId, datacenter }) =>
      !captured.has(hostId) &&
      (config.datacenters.length === 0 || config.datacenters.includes(datacenter)),
  );
  if (away.length === 0) return findings;
  const graded = [...gradesOf(ring, schema, captured, config.datacenters).values()].flat();
  const names = away.map(({ address }) => address).join(', ');
  const message = `not configured: ${names}; the best grade of a point is ${worstGrade(graded)}`;
  return [...findings, { level: 'warning', message, remedy: 'add them to nodes' }];
}

/** A name that is not there, and a keyspace without a copy where it counts, leave points at best effort. */
function checkDatacenters(
  { datacenters }: CassandraConfig,
  ring: Ring,
  schema: readonly KeyspaceSchema[],
): Finding[] {
  const strange = unknownDatacenters(ring.nodes, datacenters);
  if (strange) return [fault(strange.message, 'correct datacenters')];
  const all = new Set(ring.nodes.map(({ hostId }) => hostId));
  const poor = [...gradesOf(ring, schema, all, datacenters)].filter(
    ([, graded]) => worstGrade(graded) !== 'complete',
  );
  return poor.map(([keyspace]) => ({
    level: 'warning',
    message: `${keyspace} has no copy in ${datacenters.join(', ') || 'any data centre'}: points are best-effort at most`,
    remedy: 'see datacenters, and the replication of the keyspace',
  }));
}

function checkScope(schema: readonly KeyspaceSchema[], include: readonly string[]): Finding[] {
  const tables = schema.flatMap((keyspace) => keyspace.tables);
  const findings: Finding[] = [];
  if (tables.length === 0) {
    const there =
      schema
        .map(({ name }) => name)
        .slice(0, 8)
        .join(', ') || 'none yet';
    findings.push({
      level: 'warning',
      message: 'nothing that the source holds is in scope: a backup would hold no data',
      remedy: `see --include and --exclude; keyspaces with data: ${there}`,
    });
  } else {
    const names = tables.map(({ keyspace, table }) => `${keyspace}.${table}`);
    for (const pattern of idleIncludes({ include, exclude: [] }, names)) {
      const message = `no table that the source holds is called ${pattern}`;
      const remedy = 'see --include; what appears under that name later is in scope';
      findings.push({ level: 'warning', message, remedy });
    }
  }
  for (const { keyspace, table, compression } of tables) {
    const codec = compression.class ?? compression.sstable_compression;
    if (codec === undefined || codec === '' || codecs.test(codec)) continue;
    const message = `${keyspace}.${table} is compressed by ${codec}, which is not known`;
    findings.push(fault(message, 'leave it out with --exclude'));
  }
  for (const { name, withoutLinks } of schema) {
    for (const table of withoutLinks) {
      const message = `${name}.${table} has incremental_backups = false: cuts read more of it`;
      findings.push({ level: 'warning', message, remedy: 'set the option of the table to true' });
    }
  }
  return findings;
}

const fault = (message: string, remedy: string): Finding => ({ level: 'error', message, remedy });

function finding(error: unknown, signal: AbortSignal): Finding {
  signal.throwIfAborted();
  if (isCodrError(error)) return fault(error.message, error.remedy);
  return fault(error instanceof Error ? error.message : String(error), 'see the cause');
}
