// The keys of a simulated repository, each worked out once, and its entries, each opened once: all processes of a world
// open the same objects again and again, and more than half a world's time would go into it.
import { toHex } from '../../src/base/bytes.ts';
import type { OpenedRepository } from '../../src/repository/keys/repository-config.ts';
import { OpenedEntries } from '../../src/repository/lineage/opened-entries.ts';

/** A repository as all processes of a world have it. */
export interface WorldRepository extends OpenedRepository {
  readonly entries: OpenedEntries;
}

const entryBytesMax = 8 << 20;

type KeyOf = (epoch: number, salt: Uint8Array) => Uint8Array;

/** The same repository to all that read and write it. */
export function withRememberedKeys(opened: OpenedRepository): WorldRepository {
  const { keys } = opened.unlocked;
  return {
    ...opened,
    entries: new OpenedEntries(entryBytesMax),
    unlocked: {
      ...opened.unlocked,
      keys: { ...keys, packKey: remembered(keys.packKey), entryKey: remembered(keys.entryKey) },
    },
  };
}

function remembered(keyOf: KeyOf): KeyOf {
  const known = new Map<string, Uint8Array>();
  return (epoch, salt) => {
    const name = `${epoch} ${toHex(salt)}`;
    const key = known.get(name) ?? keyOf(epoch, salt);
    known.set(name, key);
    return key;
  };
}
