// The repository itself: making it, its keys, its health, its space.
import type * as api from '../../api/codr-api.ts';
import { fromBase64, toHex } from '../../base/bytes.ts';
import { CodrError, isCodrError } from '../../base/error.ts';
import { departures, giveUp, noteLost } from '../../engine/capture/give-up.ts';
import { catalogChanges, epochsOf } from '../../engine/history/source-history.ts';
import { describeTime } from '../../engine/read/point.ts';
import { sharedLookers } from '../../engine/verify/pack-order.ts';
import type { PackId } from '../../model/id.ts';
import { lastTime, timeFromHex } from '../../model/time.ts';
import {
  type CheckWorld,
  mendedProblems,
  check as runCheck,
} from '../../repository/check/check.ts';
import type { SourceWords } from '../../repository/check/describe.ts';
import type { Losses } from '../../repository/check/losses.ts';
import { planCollection, collect as runCollect } from '../../repository/collect/collect.ts';
import { InlineSealer } from '../../repository/frame/sealer.ts';
import { addSlot, listSlots, removeSlot } from '../../repository/keys/key-slots.ts';
import type { Credential } from '../../repository/keys/key-wrap.ts';
import type { OpenedRepository } from '../../repository/keys/repository-config.ts';
import type { StateView } from '../../repository/lineage/state.ts';
import { Repository } from '../../repository/repository.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { describeSlot } from '../describe.ts';
import type { NodeContext } from '../node-context.ts';
import { withPin } from '../pin.ts';
import { describeProcess } from '../process-identity.ts';
import { registeredSources, scopeOf } from '../source-registry.ts';

export async function init(
  node: NodeContext,
  { encryption }: api.InitRequest,
  { signal }: api.Call,
): Promise<api.InitResult> {
  const { config } = await node.create(encryption, signal);
  const store = await node.store();
  const [slot] = await listSlots(store, config.repositoryId);
  const repository = { url: store.url, id: config.repositoryId, encrypted: encryption };
  return { repository, ...(encryption && slot && { key: describeSlot(slot) }) };
}

export async function addKey(node: NodeContext, request: api.AddKeyRequest): Promise<api.KeySlot> {
  const { repository } = await node.open();
  repository.require('write');
  const { random } = node.world;
  const slot = await addSlot(repository.store, repository.unlocked, credentialOf(request), {
    random,
  });
  return describeSlot(slot);
}

export async function removeKey(
  node: NodeContext,
  { id }: api.RemoveKeyRequest,
): Promise<api.KeySlot> {
  const { repository } = await node.open();
  repository.require('delete');
  const { repositoryId } = repository.config;
  const slot = (await listSlots(repository.store, repositoryId)).find((one) => one.id === id);
  await removeSlot(repository.store, repositoryId, id);
  return slot ? describeSlot(slot) : { id, kind: 'passphrase', protection: 'unreadable' };
}

export async function listKeys(node: NodeContext): Promise<api.KeyList> {
  const { repository } = await node.open();
  const slots = await listSlots(repository.store, repository.config.repositoryId);
  return { keys: slots.map(describeSlot) };
}

/** Frees what nothing needs any more; a dry run only counts it. */
export async function collect(
  node: NodeContext,
  { dryRun }: api.CollectRequest,
  { signal }: api.Call,
): Promise<api.CollectResult> {
  const { clock } = node.world;
  const startMs = clock.monotonic();
  const { repository, lineage } = await node.open();
  const { probe } = await node.engineWorld();
  const context = { repository, lineage, clock, probe, signal };
  const outcome = await (dryRun ? planCollection(context) : runCollect(context)).catch(
    (error: unknown) => {
      throw roomToCollect(error);
    },
  );
  const { packsExamined, packsRemoved, bytesFreed, heldBy } = outcome;
  return {
    dryRun,
    packsExamined,
    packsRemoved,
    bytesFreed,
    ...(heldBy.length > 0 && { heldBy }),
    seconds: (clock.monotonic() - startMs) / 1000,
  };
}

/** What it wrote is gone on with, or given up, by the next one. */
function roomToCollect(error: unknown): unknown {
  if (!isCodrError(error, 'store-unreachable') || error.facts.refuses !== 'full') return error;
  const { message, facts, cause } = error;
  return new CodrError('store-unreachable', message, {
    ...(error.object !== undefined && { object: error.object }),
    remedy:
      'a collection writes down what it deletes before it deletes it: make room for some MiB by other means, ' +
      'then collect again',
    ...{ facts, cause },
  });
}

/** The health of the repository. Opens it by itself, since what is damaged may be in the way. */
export async function check(
  node: NodeContext,
  { readDataPercent, repair }: api.CheckRequest,
  { signal }: api.Call,
): Promise<api.CheckResult> {
  if (!(readDataPercent >= 0 && readDataPercent <= 100)) {
    throw new CodrError('usage', `readDataPercent is ${readDataPercent}, which is not 0 to 100`);
  }
  const { clock, log, random, spill } = node.world;
  const startMs = clock.monotonic();
  const { probe, sharing } = await node.engineWorld();
  const open = async (store: ObjectStore, opened: OpenedRepository): Promise<Repository> => {
    const sealer = new InlineSealer({ idKey: opened.unlocked.keys.id, level: 1 });
    const writer = describeProcess(probe.self);
    const memoryBytesMax = node.config.memoryMib * 1024 * 1024;
    const world = { store, clock, random, spill, sealer, writer, memoryBytesMax };
    return await Repository.open(world, opened);
  };
  const world: CheckWorld = {
    store: await node.store(),
    credential: node.credential(),
    random,
    open,
    lookers: sharedLookers(sharing),
    pinned: (repository, lineage, work) =>
      withPin({ repository, lineage, world: { clock, random, probe, log } }, work),
    noteLost: (packs, unread) => noteEverywhere(node, packs, unread),
    describe: (own) => (lineage, state) => sourceWords(node, own, lineage, state),
    signal,
  };
  const { losses, goesOn, ...outcome } = await runCheck(world, { readDataPercent, repair });
  signal.throwIfAborted();
  const givenUp = repair ? await giveUpLosses(node, losses) : [];
  const isMended = repair && givenUp.length === 0 && !goesOn;
  const problems = isMended ? mendedProblems(outcome.problems) : outcome.problems;
  return { ...outcome, problems, givenUp, seconds: (clock.monotonic() - startMs) / 1000 };
}

/** {@link CheckWorld.noteLost} */
async function noteEverywhere(
  node: NodeContext,
  packs: readonly PackId[],
  unread: ReadonlySet<string>,
): Promise<void> {
  const { repository, lineage: own } = await node.open();
  repository.require('write');
  await noteLost(own, packs);
  for (const { id } of registeredSources(own.state)) {
    if (!unread.has(id)) await noteLost(await repository.openLineage(id), packs);
  }
}

/** Names of the sources that lost times by it. */
async function giveUpLosses(node: NodeContext, { lineages }: Losses): Promise<readonly string[]> {
  const hurt = lineages.filter(
    ({ bases, deltas, runs, segments }) => bases.size + deltas.size + runs.size + segments.size,
  );
  if (hurt.length === 0) return [];
  const { repository, lineage: own } = await node.open();
  repository.require('write');
  const names: string[] = [];
  for (const losses of hurt) {
    const source = registeredSources(own.state).find(({ id }) => id === losses.lineage);
    const connector = node.connectors.find(({ kind }) => kind === source?.kind);
    if (!source || !connector) continue; // removed: nobody restores it
    const leftAt = departures(connector, scopeOf(source));
    const isLost = await giveUp(await repository.openLineage(source.id), losses, leftAt);
    if (isLost) names.push(source.name);
  }
  return names;
}

/** Names of a source's datasets, times and keys as its connector writes them. */
function sourceWords(
  node: NodeContext,
  own: StateView | undefined,
  lineage: string,
  state: StateView | undefined,
): SourceWords {
  const source = own && registeredSources(own).find(({ id }) => id === lineage);
  const connector = node.connectors.find(({ kind }) => kind === source?.kind);
  const names = new Map<string, string>();
  for (const { number } of connector && state ? epochsOf(state) : []) {
    const changes = catalogChanges(state as StateView, number, lastTime);
    for (const entry of connector?.foldCatalog(changes) ?? []) {
      names.set(entry.dataset, entry.namespace);
    }
  }
  return {
    name: source ? `source ${source.name}` : `lineage ${lineage}`,
    dataset: (id) => names.get(id) ?? `dataset ${id}`,
    time: (hex) => (connector ? describeTime(connector, timeFromHex(hex)) : hex),
    key: (bytes) => `key 0x${toHex(bytes)}`,
  };
}

function credentialOf({ passphrase, keyFileBase64 }: api.AddKeyRequest): Credential {
  if (passphrase !== undefined && keyFileBase64 === undefined) {
    return { kind: 'passphrase', passphrase };
  }
  if (keyFileBase64 !== undefined && passphrase === undefined) {
    return { kind: 'key-file', content: fromBase64(keyFileBase64) };
  }
  throw new CodrError('usage', 'give a passphrase or a key file, not both and not none');
}
