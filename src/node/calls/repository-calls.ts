// The repository itself: making it, its keys, its health, its space.
import type * as api from '../../api/codr-api.ts';
import { fromBase64 } from '../../base/bytes.ts';
import { CodrError } from '../../base/error.ts';
import { planCollection, collect as runCollect } from '../../repository/collect/collect.ts';
import { addSlot, listSlots, removeSlot } from '../../repository/keys/key-slots.ts';
import type { Credential } from '../../repository/keys/key-wrap.ts';
import { describeSlot } from '../describe.ts';
import type { NodeContext } from '../node-context.ts';

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
  const outcome = await (dryRun ? planCollection(context) : runCollect(context));
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

function credentialOf({ passphrase, keyFileBase64 }: api.AddKeyRequest): Credential {
  if (passphrase !== undefined && keyFileBase64 === undefined) {
    return { kind: 'passphrase', passphrase };
  }
  if (keyFileBase64 !== undefined && passphrase === undefined) {
    return { kind: 'key-file', content: fromBase64(keyFileBase64) };
  }
  throw new CodrError('usage', 'give a passphrase or a key file, not both and not none');
}
