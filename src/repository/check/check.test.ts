import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { before, test } from 'node:test';
import { CodrError } from '../../base/error.ts';
import { timeToHex } from '../../model/time.ts';
import { MemoryObjectStore } from '../../storage/memory/memory-object-store.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { createFixture, openFixture } from '../collect/repository-fixture.ts';
import { entryName } from '../lineage/lineage.ts';
import { createMutable } from '../lineage/mutable.ts';
import type { BaseRecord } from '../lineage/records.ts';
import type { CheckOutcome } from './check.ts';
import { CheckFixture, dataset } from './check-fixture.ts';
import { checkLineage } from './check-lineage.ts';
import { Problems } from './problems.ts';

const fixture = new CheckFixture();
before(async () => await fixture.build());

/** One object of each kind, by a prefix of its name. */
const kinds = [
  'config',
  'keys/[0-9a-f]{16}$',
  'keys/kek',
  'packs/d',
  'packs/t',
  'packs/c',
  'index/',
  'lineage/aa/',
  'lineage/bb/',
  'lineage/repository/',
  'mutable/pin',
  'mutable/boundary',
  'mutable/collect',
];

async function objectOf(kind: string): Promise<string> {
  const pattern = new RegExp(`^${kind}`);
  const names = (await fixture.names('')).filter((name) => pattern.test(name));
  // Not the newest of a lineage.
  const found = names[Math.floor((names.length - 1) / 2)];
  assert.ok(found, `the fixture has ${kind}`);
  return found;
}

test('a whole repository has no problems, whether its data is read or not', async () => {
  const structure = await fixture.check();
  assert.deepEqual(structure.problems, []);
  assert.ok(structure.commits > 5 && structure.packs > 5);
  const whole = await fixture.check({ readDataPercent: 100 });
  assert.deepEqual(whole.problems, []);
  assert.ok(whole.bytesRead > structure.bytesRead);
});

for (const kind of kinds) {
  test(`a flipped byte anywhere in ${kind} is found, and the object is named`, async () => {
    const name = await objectOf(kind);
    const size = await fixture.size(name);
    const offsets = Array.from({ length: 7 }, (_, i) => Math.floor(((size - 1) * i) / 6));
    for (const offset of [...offsets, Math.min(9, size - 1), size - 40].filter((at) => at >= 0)) {
      const flip = (bytes: Buffer): Buffer => {
        bytes[offset] = (bytes[offset] as number) ^ 0x10;
        return bytes;
      };
      const readDataPercent = kind.startsWith('packs/') ? 100 : 0;
      const { problems } = await fixture.withDamage(name, flip, () =>
        fixture.check({ readDataPercent }),
      );
      const named = problems.filter(({ object }) => object === name);
      assert.ok(named.length > 0, `${name} at ${offset}: ${JSON.stringify(problems)}`);
      assert.ok(named.every(({ remedy }) => remedy.length > 0));
    }
  });

  test(`a truncated ${kind} is found without reading data, and the object is named`, async () => {
    const name = await objectOf(kind);
    const half = (bytes: Buffer): Uint8Array => bytes.subarray(0, bytes.length >> 1);
    const { problems } = await fixture.withDamage(name, half, () => fixture.check());
    assert.ok(problems.some(({ object }) => object === name));
  });
}

for (const kind of kinds.filter((kind) => !kind.startsWith('mutable/pin'))) {
  test(`a missing ${kind} is found without reading data`, async () => {
    const name = await objectOf(kind);
    const { problems } = await fixture.withDamage(
      name,
      () => undefined,
      () => fixture.check(),
    );
    assert.ok(problems.length > 0);
    const lineage = name.startsWith('mutable/boundary') ? 'lineage/aa/' : name;
    assert.ok(
      problems.some(({ object }) => lineage.startsWith(object) || object.startsWith(lineage)),
    );
  });
}

test('a damaged frame of a data pack hurts the key ranges of its leaves, and no other', async () => {
  const name = await objectOf('packs/d');
  const flip = (bytes: Buffer): Buffer => {
    bytes[200] = (bytes[200] as number) ^ 1;
    return bytes;
  };
  const { problems } = await fixture.withDamage(name, flip, () =>
    fixture.check({ readDataPercent: 100 }),
  );
  const [problem] = problems;
  assert.equal(problems.length, 1);
  assert.equal(problem?.object, name);
  assert.match(problem?.affected.join() ?? '', /^aa: shop\.orders from 20 on: from /);
});

test('all base copies that share a damaged tree are named', async () => {
  const shared = new CheckFixture();
  await shared.build();
  const repository = await shared.open(shared.store);
  const source = await repository.openLineage('aa');
  await source.commit((draft): undefined => {
    const [first] = draft.list<BaseRecord>('base');
    draft.set(`base/${dataset}/${timeToHex(25n)}`, { ...first?.[1], exactFrom: timeToHex(25n) });
  });
  await repository.close();
  const [name = ''] = await shared.names('packs/d/');
  const gone = (): undefined => undefined;
  const { problems } = await shared.withDamage(name, gone, () => shared.check());
  const told = problems.flatMap(({ affected }) => affected).join('\n');
  assert.match(told, /shop\.orders from 20 on/);
  assert.match(told, /shop\.orders from 25 on/);
});

test('damage of the index that comes while it is read loses nothing: it is read again, or named', async () => {
  const { store } = fixture;
  const get = store.get.bind(store);
  let [pages, wrongFrom, wrongTo] = [0, 1, 1];
  store.get = async (name, range, signal) => {
    const bytes = await get(name, range, signal);
    const isPage = name.startsWith('index/') && range && 'offset' in range && range.offset > 0;
    if (!isPage) return bytes;
    pages++;
    if (pages >= wrongFrom && pages <= wrongTo) bytes[0] = (bytes[0] as number) ^ 1;
    return bytes;
  };
  try {
    assert.deepEqual((await fixture.check({ repair: true })).problems, []);
    // The first page leads to the state, the next ones to the trees.
    [pages, wrongFrom, wrongTo] = [0, 2, Number.POSITIVE_INFINITY];
    await assert.rejects(fixture.check({ repair: true }), (error) => {
      assert.ok(error instanceof CodrError);
      return error.code === 'object-damaged' && error.object?.startsWith('index/') === true;
    });
  } finally {
    store.get = get;
  }
});

test('a store that fails for a moment loses nothing: the check ends with its error', async () => {
  const { store } = fixture;
  const get = store.get.bind(store);
  const change = await objectOf('packs/c');
  await fixture.withDamage(
    change,
    () => undefined,
    async () => {
      store.get = async (name, ...rest) => {
        if (name.startsWith('packs/d')) throw new CodrError('store-unreachable', 'made by a test');
        return await get(name, ...rest);
      };
      try {
        await assert.rejects(fixture.check({ readDataPercent: 100 }), {
          code: 'store-unreachable',
        });
      } finally {
        store.get = get;
      }
    },
  );
});

test('what is lost is told apart from what is not', async () => {
  const name = await objectOf('packs/c');
  const { losses } = await fixture.withDamage(
    name,
    () => undefined,
    () => fixture.check(),
  );
  const own = losses.lineages.find(({ lineage }) => lineage === 'aa');
  assert.equal(losses.packs.length, 1);
  assert.deepEqual([own?.runs.size, own?.bases.size], [1, 0]);
});

test('a repair gives up nothing while the history of the repository itself cannot be read', async () => {
  const [entry = ''] = await fixture.names('lineage/repository/');
  const pack = await objectOf('packs/c');
  const gone = (): undefined => undefined;
  const { problems, losses } = await fixture.withDamage(entry, gone, () =>
    fixture.withDamage(pack, gone, () => fixture.check({ repair: true })),
  );
  const remedy = problems.find(({ object }) => object === pack)?.remedy ?? '';
  assert.match(remedy, /^put what is missing back/);
  assert.deepEqual(losses, { packs: [], lineages: [] });
});

test('a missing change pack hurts the times of its run', async () => {
  const name = await objectOf('packs/c');
  const { problems } = await fixture.withDamage(
    name,
    () => undefined,
    () => fixture.check(),
  );
  const problem = problems.find(({ object }) => object === name);
  assert.match(problem?.affected.join() ?? '', /aa: changes of 100 to 4099/);
});

for (const how of ['damaged', 'missing'] as const) {
  test(`repair makes a ${how} index object again, and the next check finds nothing`, async () => {
    const name = await objectOf('index/');
    const before = await fixture.names('index/');
    const damage = (bytes: Buffer): Uint8Array | undefined =>
      how === 'missing' ? undefined : bytes.fill(0, 100, 200);
    await fixture.withDamage(name, damage, async () => {
      const { problems } = await fixture.check({ repair: true });
      assert.ok(problems.length > 0 && problems.every(({ repaired }) => repaired));
      assert.deepEqual((await fixture.check({ readDataPercent: 100 })).problems, []);
    });
    for (const made of await fixture.names('index/')) {
      if (!before.includes(made)) await fixture.store.remove(made);
    }
  });
}

test('a damaged index object stays until another one leads to the same: a repair may die in between', async () => {
  const { store } = fixture;
  const before = await fixture.names('index/');
  for (const name of before) {
    const done: string[] = [];
    const damage = (bytes: Buffer): Uint8Array => bytes.fill(0, 100, 200);
    await fixture.withDamage(name, damage, async () => {
      const [create, remove] = [store.create.bind(store), store.remove.bind(store)];
      store.create = async (...args) => {
        done.push(`create ${args[0]}`);
        return await create(...args);
      };
      store.remove = async (...args) => {
        done.push(`remove ${args[0]}`);
        await remove(...args);
      };
      await fixture.check({ repair: true });
      Object.assign(store, { create, remove });
    });
    const own = done.filter((one) => one.includes('index/'));
    assert.deepEqual([own[0]?.slice(0, 7), own.at(-1)], ['create ', `remove ${name}`]);
    for (const made of await fixture.names('index/')) {
      if (!before.includes(made)) await store.remove(made);
    }
  }
});

test('a pack that is lost with all that led to it is told once for each tree, not for each leaf', async () => {
  const gone = (): undefined => undefined;
  const names = [await objectOf('packs/d'), ...(await fixture.names('index/'))];
  const { problems } = await names.reduce<() => Promise<CheckOutcome>>(
    (work, name) => () => fixture.withDamage(name, gone, work),
    () => fixture.check(),
  )();
  const trees = problems.filter(({ object }) => object.startsWith('tree '));
  const told = new Set(trees.map(({ object, problem }) => `${object} ${problem}`));
  assert.ok(trees.length > 0 && trees.length === told.size && trees.length < 8);
  assert.ok(trees.some(({ affected }) => affected.length > 1));
});

test('a check without repair writes nothing', async () => {
  const name = await objectOf('index/');
  const names = await fixture.names('');
  await fixture.withDamage(
    name,
    (bytes) => bytes.fill(0),
    () => fixture.check(),
  );
  assert.deepEqual(await fixture.names(''), names);
});

test('an index object of a newer format is named, and a repair removes nothing', async () => {
  const bytes = await fixture.store.get(await objectOf('index/'));
  bytes[8] = (bytes[8] as number) + 1; // its format
  const newer = `index/${hash('sha256', bytes)}`;
  await fixture.store.create(newer, [bytes]);
  try {
    const { problems } = await fixture.check();
    assert.deepEqual(
      problems.map(({ object, remedy }) => [object, /upgrade/.test(remedy)]),
      [[newer, true]],
    );
    const names = await fixture.names('');
    await assert.rejects(fixture.check({ repair: true }), { code: 'format-unknown' });
    assert.deepEqual(await fixture.names(''), names);
  } finally {
    await fixture.store.remove(newer);
  }
});

test('a pack of a newer format is named, and nothing of it counts as lost', async () => {
  const name = await objectOf('packs/d');
  const newer = (bytes: Buffer): Buffer => {
    const trailer = bytes.subarray(-64);
    trailer[8] = (trailer[8] as number) + 1; // its format
    trailer.set(hash('sha256', trailer.subarray(0, 56), 'buffer').subarray(0, 8), 56);
    return bytes;
  };
  const { problems, losses } = await fixture.withDamage(name, newer, () =>
    fixture.check({ repair: true }),
  );
  assert.deepEqual(
    problems.map(({ object, remedy }) => [object, /^upgrade/.test(remedy)]),
    [[name, true]],
  );
  assert.deepEqual(losses.packs, []);
});

test('a repair begins no lineage anew whose entries are all gone', async () => {
  const gone = (): undefined => undefined;
  const entries = await fixture.names('lineage/repository/');
  const names = [await objectOf('packs/c'), ...entries];
  const { losses } = await names.reduce<() => Promise<CheckOutcome>>(
    (work, name) => () => fixture.withDamage(name, gone, work),
    () => fixture.check({ repair: true }),
  )();
  assert.deepEqual(losses, { packs: [], lineages: [] });
});

test('entries that a collection deletes beside the check are not missing', async () => {
  const memory = new MemoryObjectStore();
  await createFixture(memory, 1);
  const store: ObjectStore = Object.create(memory);
  for (const name of ['create', 'get', 'stat', 'listFolders', 'remove'] as const) {
    Object.assign(store, { [name]: (memory[name] as () => unknown).bind(memory) });
  }
  store.list = (prefix) => memory.list(prefix);
  const repository = await openFixture(store, { seed: 2 });
  const lineage = await repository.openLineage('aa');
  for (let i = 0; i < 8; i++) {
    await lineage.commit((draft) => draft.set('x/1', i) as undefined, { withState: i === 6 });
  }
  const context = { store: memory, keys: repository.unlocked.keys };
  await memory.remove(entryName('aa', 6));
  await createMutable(context, { what: 'boundary', id: 'aa', n: 0 }, { seq: 1 });
  store.list = async function* (prefix) {
    yield* memory.list(prefix);
    if (prefix !== 'mutable/boundary/aa/' || !(await memory.stat(entryName('aa', 0)))) return;
    await createMutable(context, { what: 'boundary', id: 'aa', n: 1 }, { seq: 5 });
    for (let seq = 0; seq < 5; seq++) await memory.remove(entryName('aa', seq));
  };
  const problems = new Problems();
  await checkLineage(repository, 'aa', problems, new AbortController().signal);
  const missing = problems.list.filter(({ problem }) => problem === 'it is missing');
  assert.deepEqual(
    missing.map(({ object }) => object),
    [entryName('aa', 6)],
  );
});

test('a missing pack that nothing retains is lost too while the index leads to it', async () => {
  // The last test: the index object stays.
  const name = await fixture.loseUncommitted();
  const { problems, losses } = await fixture.check();
  assert.deepEqual(
    problems.map(({ object, affected }) => [object, affected]),
    [[name, ['nothing yet: the next backup may rely on it']]],
  );
  assert.deepEqual(losses.packs, [name.slice(-64)]);
});
