// Registering sources and looking at them.
import type * as api from '../../api/codr-api.ts';
import { sourceNameForm } from '../../api/source-calls.ts';
import { CodrError } from '../../base/error.ts';
import { errorCatalogue } from '../../base/error-catalogue.ts';
import type {
  Connector,
  Finding,
  SourceConfig,
  SourceIdentity,
  SourceSession,
} from '../../connector/connector.ts';
import { closeEpoch } from '../../engine/capture/epoch.ts';
import { connectorContext } from '../../engine/source-context.ts';
import type { SourceLimits } from '../../engine/source-limits.ts';
import { sourceId } from '../../model/id.ts';
import { parseScope, type Scope } from '../../model/namespace.ts';
import { adoptCondemned } from '../../repository/collect/condemned.ts';
import { claimWriter } from '../../repository/lineage/writer.ts';
import { describeSource } from '../describe.ts';
import { type NodeContext, newId, type OpenSource } from '../node-context.ts';
import { readSourceFile } from '../source-file.ts';
import {
  connectorFor,
  type RegisteredSource,
  registeredSources,
  resolveConfig,
  type SourceRecord,
} from '../source-registry.ts';
import { leaveWord } from './left-word.ts';

type Wished = Pick<api.LimitSourceRequest, 'readers' | 'bytesPerSecond'>;

/** A claim for one short commit needs no long silence of others. */
const shortTickMs = 1000;

/** What whoever takes over knows of a source that is being registered, or removed. */
interface Begun {
  readonly id: string;
}

export async function addSource(
  node: NodeContext,
  request: api.AddSourceRequest,
  call: api.Call,
): Promise<api.SourceCheck> {
  const { repository, lineage } = await node.open();
  const { source: name } = request;
  refuseUnfit(name);
  const before = (await call.handover?.read()) as Begun | undefined;
  const there = registeredSources(lineage.state).find(({ id }) => id === before?.id);
  if (there) return await checkSource(node, { source: there.name }, call);
  const { uri, passwordFile, passwordEnv, settings } = await placeOf(request);
  const { include, exclude } = parseScope(request);
  refuseTaken(registeredSources(lineage.state), name);
  const connector = connectorFor(node.connectors, uri);
  const stored = {
    kind: connector.kind,
    uri,
    ...(settings && { settings }),
    ...(passwordFile !== undefined && { passwordFile }),
    ...(passwordEnv !== undefined && { passwordEnv }),
  };
  const config = await resolveConfig(stored, node.env);
  const id = sourceId(newId(node.world.random));
  const given = { id, config, include, exclude };
  const { identity, findings } = await learn(node, connector, given, call.signal);
  const { id: cluster, version, streams } = identity;
  const addedMs = node.world.clock.now();
  const record: SourceRecord = {
    name,
    ...stored,
    identity: cluster,
    version,
    streams,
    include,
    exclude,
    addedMs,
    ...limitsOf(request),
  };
  await leaveWord(call, { id } satisfies Begun, node.world.log);
  const own = await repository.openLineage(id);
  await lineage.commit(async (draft): Promise<undefined> => {
    refuseTaken(registeredSources(draft), name);
    // Collections that began before the source is registered bind it from its first entry on.
    await adoptCondemned(own, draft);
    draft.set(`source/${id}`, record);
  });
  return { source: describeSource({ ...record, id }, connector), findings };
}

async function placeOf(
  request: api.AddSourceRequest,
): Promise<Pick<SourceRecord, 'uri' | 'settings' | 'passwordFile' | 'passwordEnv'>> {
  const { uri, config } = request;
  if (uri !== undefined && config === undefined) return { ...request, uri };
  if (config !== undefined && uri === undefined) return await readSourceFile(config);
  throw new CodrError('usage', 'a source needs its URI or --config, and not both', {
    remedy: 'see `codr help source add`',
  });
}

export async function checkSource(
  node: NodeContext,
  { source }: api.SourceRequest,
  { signal }: api.Call,
): Promise<api.SourceCheck> {
  const { registered, context } = await node.source(source);
  const given = { id: registered.id, config: await context.config(), ...context.scope };
  const { identity, findings } = await learn(node, context.connector, given, signal);
  const description = describeSource(registered, context.connector);
  if (identity.id === registered.identity) return { source: description, findings };
  const other: api.SourceFinding = {
    level: 'error',
    message: `another cluster answers: ${identity.id}, not ${registered.identity}`,
    remedy: errorCatalogue['source-other-identity'].remedy,
  };
  return { source: description, findings: [other, ...findings] };
}

export async function listSources(node: NodeContext): Promise<api.SourceList> {
  const { lineage } = await node.open();
  const sources = registeredSources(lineage.state).map((source) =>
    describeSource(source, connectorFor(node.connectors, source.uri)),
  );
  return { sources };
}

export async function showSource(
  node: NodeContext,
  { source }: api.SourceRequest,
): Promise<api.SourceDescription> {
  const { registered, context } = await node.source(source);
  return describeSource(registered, context.connector);
}

export async function limitSource(
  node: NodeContext,
  { source, ...wished }: api.LimitSourceRequest,
): Promise<api.SourceDescription> {
  const { registered, context } = await node.source(source);
  const { id } = registered;
  const { lineage } = await node.open();
  let changed: RegisteredSource = registered;
  await lineage.commit((draft): undefined => {
    const before = draft.get<SourceRecord>(`source/${id}`);
    if (!before) throw new CodrError('source-unknown', `no source is called ${source}`);
    const { limits, ...record } = before;
    const now: SourceRecord = { ...record, ...limitsOf({ ...limits, ...given(wished) }) };
    draft.set(`source/${id}`, now);
    changed = { ...now, id };
  });
  return describeSource(changed, context.connector);
}

/** 0 lifts a limit. Errors: `usage`. */
function limitsOf({ readers = 0, bytesPerSecond = 0 }: Wished): Pick<SourceRecord, 'limits'> {
  for (const [name, value] of Object.entries({ readers, bytesPerSecond })) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new CodrError('usage', `${name} is ${value}, which is no number of 0 or more`);
  }
  const limits = { ...(readers > 0 && { readers }), ...(bytesPerSecond > 0 && { bytesPerSecond }) };
  return Object.keys(limits).length > 0 ? { limits } : {};
}

function given({ readers, bytesPerSecond }: Wished): SourceLimits {
  return {
    ...(readers !== undefined && { readers }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
  };
}

export async function rebaseSource(
  node: NodeContext,
  { source }: api.SourceRequest,
  { signal }: api.Call,
): Promise<api.SourceRebased> {
  const opened = await node.source(source);
  const { connector, lineage, scope } = opened.context;
  const { id, ...record } = opened.registered;
  const config = await opened.context.config();
  const { identity } = await learn(node, connector, { id, config, ...scope }, signal);
  const { version, streams } = identity;
  const changed: SourceRecord = { ...record, identity: identity.id, version, streams };
  await claimed(node, opened, signal, async () => {
    await lineage.commit((draft): undefined => {
      closeEpoch(draft, `${identity.id} was accepted in place of ${record.identity}`);
      for (const stream of [...draft.keys('stream')]) draft.set(`stream/${stream}`, null);
    });
    await register(node, id, changed);
  });
  const description = describeSource({ ...changed, id }, connector);
  return { source: description, identityBefore: record.identity };
}

export async function removeSource(
  node: NodeContext,
  { source }: api.SourceRequest,
  call: api.Call,
): Promise<api.SourceRemoved> {
  const { signal } = call;
  const before = (await call.handover?.read()) as Begun | undefined;
  const { lineage } = await node.open();
  if (before && !registeredSources(lineage.state).some(({ id }) => id === before.id)) {
    const told = 'a process that was lost removed it: what is left at the cluster is not told here';
    return { source, id: before.id, warnings: [told] };
  }
  const opened = await node.source(source);
  const { id } = opened.registered;
  await leaveWord(call, { id } satisfies Begun, node.world.log);
  let findings: readonly Finding[] = [];
  await claimed(node, opened, signal, async () => {
    findings = await releaseSource(node, opened, signal);
    await register(node, id, null);
  });
  const warnings = findings
    .filter(({ level }) => level !== 'fine')
    .map(({ message, remedy }) => (remedy === undefined ? message : `${message}: ${remedy}`));
  return { source, id, warnings };
}

/** Whoever answers there now as another cluster has nothing of ours, and is left alone. */
async function releaseSource(
  node: NodeContext,
  { registered, context }: OpenSource,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { connector, config } = context;
  const left = connector.leftUnreleased?.(registered);
  if (!left) return [];
  try {
    const outside = { ...connectorContext(await node.engineWorld()), owner: registered.id };
    await using session = await connector.connect(await config(), outside, signal);
    if (session.identity.id !== registered.identity) return [otherCluster(session, left)];
    return (await session.release?.(signal)) ?? [];
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    return [{ ...left, message: `${left.message}: ${why}` }];
  }
}

function otherCluster({ identity }: SourceSession, left: Finding): Finding {
  return { ...left, message: `${left.message}: another cluster answers, ${identity.id}` };
}

/** Nobody else writes meanwhile. Errors: `busy`, naming who does. */
async function claimed(
  node: NodeContext,
  { context }: OpenSource,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  const claim = await claimWriter(context.lineage, {
    source: context.name,
    probe: context.world.probe,
    clock: node.world.clock,
    tickMs: shortTickMs,
    claim: newId(node.world.random),
    signal,
  });
  try {
    await work();
  } finally {
    await claim.release();
  }
}

async function register(
  node: NodeContext,
  id: RegisteredSource['id'],
  record: SourceRecord | null,
): Promise<void> {
  const { lineage } = await node.open();
  await lineage.commit((draft): undefined => {
    draft.set(`source/${id}`, record);
  });
}

async function learn(
  node: NodeContext,
  connector: Connector,
  {
    id,
    config,
    ...scope
  }: Scope & Pick<RegisteredSource, 'id'> & { readonly config: SourceConfig },
  signal: AbortSignal,
): Promise<{ identity: SourceIdentity; findings: Finding[] }> {
  const outside = { ...connectorContext(await node.engineWorld()), owner: id };
  await using session = await connector.connect(config, outside, signal);
  return { identity: session.identity, findings: await session.check(scope, signal) };
}

/** As the command line does: programs ask too. */
function refuseUnfit(name: string): void {
  if (sourceNameForm.test(name)) return;
  throw new CodrError('usage', `${JSON.stringify(name)} cannot be the name of a source`, {
    object: name,
    remedy:
      'use 1 to 63 letters, digits, dots, dashes and underscores, the first a letter or digit',
  });
}

function refuseTaken(sources: readonly RegisteredSource[], name: string): void {
  if (!sources.some((source) => source.name === name)) return;
  throw new CodrError('source-exists', `a source is called ${name} already`, { object: name });
}
