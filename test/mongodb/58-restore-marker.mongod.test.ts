// What a restore may take for its own in the target: what an earlier run made and proved, and nothing else;
// one run at a time.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Document } from 'mongodb';
import { CodrError } from '../../src/base/error.ts';
import { CodrProgram } from './codr-program.ts';
import { call, failPoint, formatTime, type Protected, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open({ target: { parameters: { enableTestCommands: 1 } } });
});
beforeEach(async () => {
  await world.targetClient.db('codr_restore').dropDatabase();
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** A source with a.a (two records) and a.b (one), backed up. */
async function protectedSource(name: string): Promise<{ source: Protected; at: string }> {
  const db = world.client.db(name);
  await db.collection<{ _id: number }>('a').insertMany([{ _id: 1 }, { _id: 2 }]);
  await db.collection<{ _id: number }>('b').insertOne({ _id: 1 });
  const source = await world.protect(name);
  await source.backup();
  return { source, at: formatTime((await source.interval()).to) };
}

/** A run that ends at its first insert into `namespace`, some time after it began that. */
async function failsAt(
  { source, at }: { source: Protected; at: string },
  namespace: string,
  verify = true,
): Promise<void> {
  const data = { errorCode: 8000, failCommands: ['insert'], namespace };
  const wait = { blockConnection: true, blockTimeMS: 1000 };
  await failPoint(world.targetClient, 'failCommand', 'alwaysOn', { ...data, ...wait });
  await assert.rejects(source.restoreAt(at, { drop: false, verify }));
  await failPoint(world.targetClient, 'failCommand', 'off');
}

test('a restore that resumes into a wiped target gives all back, and tells the roots', async () => {
  const one = await protectedSource('n58a');
  await failsAt(one, 'n58a.b');
  await world.targetClient.db('n58a').dropDatabase();
  const { datasets } = await one.source.restoreAt(one.at, { drop: false });
  assert.equal(await world.targetClient.db('n58a').collection('a').countDocuments(), 2);
  assert.deepEqual(
    datasets.map(({ to, records, proven, root }) => [to, records, proven, root !== '']),
    [
      ['n58a.a', 2, true, true],
      ['n58a.b', 1, true, true],
    ],
  );
});

test('a collection that was finished without proof is read back by a run that proves', async () => {
  const one = await protectedSource('n58b');
  await failsAt(one, 'n58b.b', false);
  const loaded = world.targetClient.db('n58b').collection<{ _id: number; v?: number }>('a');
  assert.equal(await loaded.countDocuments(), 2, 'the first run had finished it');
  await loaded.updateOne({ _id: 1 }, { $set: { v: 1 } });
  await assert.rejects(one.source.restoreAt(one.at, { drop: false }), { code: 'proof-failed' });
  await loaded.updateOne({ _id: 1 }, { $unset: { v: 1 } });
  const { datasets } = await one.source.restoreAt(one.at, { drop: false });
  assert.ok(datasets.every(({ proven, root }) => proven && root !== ''));
});

test('what another made under a name that an earlier run began is a conflict', async () => {
  const one = await protectedSource('n58c');
  await failsAt(one, 'n58c.a');
  await world.targetClient.db('n58c').dropDatabase();
  const theirs = world.targetClient.db('n58c').collection('a');
  await theirs.insertMany([{ mine: 1 }, { mine: 2 }]);
  await assert.rejects(one.source.restoreAt(one.at, { drop: false }), { code: 'target-not-empty' });
  assert.equal(await theirs.countDocuments({ mine: { $exists: true } }), 2);
});

test('the same restore twice at once: one of them is refused as busy', async () => {
  const one = await protectedSource('n58d');
  const data = { failCommands: ['insert'], namespace: 'n58d.a', errorCode: 8000 };
  const wait = { blockConnection: true, blockTimeMS: 3000 };
  // Blocks the load of one run for as long as the other needs to begin.
  await failPoint(world.targetClient, 'failCommand', { times: 1 }, { ...data, ...wait });
  const runs = [1, 2].map(() => one.source.restoreAt(one.at, { drop: false }));
  const ended = await Promise.allSettled(runs);
  await failPoint(world.targetClient, 'failCommand', 'off');
  const codes = ended.map((end) => (end.status === 'rejected' ? end.reason.code : 'done'));
  assert.ok(codes.includes('busy'), codes.join());
  await one.source.restoreAt(one.at, { drop: false }).catch((error: unknown) => {
    // The other run has finished: its collections are user data now.
    assert.equal((error as { code: string }).code, 'target-not-empty');
  });
  assert.equal(await world.targetClient.db('n58d').collection('a').countDocuments(), 2);
});

test('a target that refuses to make a collection is left as it was, without a marker', async () => {
  const one = await protectedSource('n58l');
  const data = { errorCode: 8000, failCommands: ['create'] };
  await failPoint(world.targetClient, 'failCommand', 'alwaysOn', data);
  const refusal = { code: 'target-unfit', message: /^(?!.*left in the target)/ };
  await assert.rejects(one.source.restoreAt(one.at, { drop: false }), refusal);
  await failPoint(world.targetClient, 'failCommand', 'off');
  const names = (await world.targetClient.db().admin().listDatabases()).databases;
  assert.deepEqual(
    names.filter(({ name }) => name === 'n58l' || name === 'codr_restore'),
    [],
  );
});

test('a target that refuses in the middle: the error names what was left', async () => {
  await world.client.db('n58m').collection('a').createIndex({ v: 1 });
  const one = await protectedSource('n58m');
  for (const drop of [false, true]) {
    const data = { errorCode: 8000, failCommands: ['createIndexes'] };
    await failPoint(world.targetClient, 'failCommand', 'alwaysOn', data);
    const error = await one.source.restoreAt(one.at, { drop }).catch((thrown) => thrown);
    await failPoint(world.targetClient, 'failCommand', 'off');
    assert.equal(error.code, 'target-unfit');
    const { left } = error.facts;
    assert.equal(left.marker, `codr_restore.${await marker()}`);
    const listed = await world.targetClient.db('n58m').listCollections().toArray();
    const made = listed.map(({ name }) => `n58m.${name}`).filter((name) => !drop || /_/.test(name));
    assert.deepEqual([...left.names].sort(), made.sort());
    assert.ok(left.names.length > 0 && error.message.includes(left.names[0]), error.message);
    await one.source.restoreAt(one.at, { drop });
  }
});

/** The marker of the one restore that is unfinished in the target. */
async function marker(): Promise<string> {
  const listed = await world.targetClient.db('codr_restore').listCollections().toArray();
  assert.equal(listed.length, 1);
  return listed[0]?.name as string;
}

const uuidOf = async (name: string, collection: string): Promise<unknown> => {
  const [listed] = await world.targetClient
    .db(name)
    .listCollections({ name: collection })
    .toArray();
  return (listed as Document | undefined)?.info.uuid;
};

/** Starts `codr restore` and kills it when it has proven `name`.a and loads `name`.b. */
async function killHalfway(codr: CodrProgram, name: string, words: string[]): Promise<void> {
  const data = { failCommands: ['insert'], namespace: `${name}.b`, errorCode: 8000 };
  const wait = { blockConnection: true, blockTimeMS: 10_000 };
  await failPoint(world.targetClient, 'failCommand', 'alwaysOn', { ...data, ...wait });
  const child = codr.start(...words);
  const early = child.ended.then((end) => assert.fail(JSON.stringify(end.json) + end.stderr));
  const isProven = async (): Promise<void> => {
    const rows = async (): Promise<Document[]> => {
      const [listed] = await world.targetClient.db('codr_restore').listCollections().toArray();
      const kept = world.targetClient.db('codr_restore').collection<Document>(listed?.name ?? 'x');
      return await kept.find({ _id: new RegExp(`^proven ${name}.a `) as never }).toArray();
    };
    while ((await rows()).length === 0) await sleep(50);
  };
  await Promise.race([early, isProven()]);
  early.catch(() => {});
  await child.kill();
  await failPoint(world.targetClient, 'failCommand', 'off');
}

test('58: killed half-way, a restore to latest goes on with its moment while the backup has gone on', async () => {
  const db = world.client.db('n58e');
  for (const name of ['a', 'b']) await db.collection(name).insertMany([{ v: 1 }, { v: 2 }]);
  await using codr = await CodrProgram.create();
  await codr.run('source', 'add', 'n58e', world.source.uri, '--include', 'n58e.*');
  const first = (await codr.run('backup', 'n58e')).json.point.time;
  const words = ['restore', 'n58e', '--to', world.target.uri];
  await killHalfway(codr, 'n58e', words);
  const loaded = await uuidOf('n58e', 'a');
  for (const name of ['a', 'b']) await db.collection(name).insertOne({ v: 3 });
  const second = (await codr.run('backup', 'n58e')).json.point.time;
  const named = `codr_restore.${await marker()}`;
  for (const at of ['latest', first]) {
    const { json } = await codr.run(...words, '--at', at, '--dry-run');
    assert.deepEqual([json.at.time, json.resumes, json.conflicts], [first, true, []]);
  }
  const other = await codr.tryRun(...words, '--at', second, '--dry-run');
  assert.deepEqual(
    [other.code, other.json.resumes],
    [5, false],
    'another moment is another restore',
  );
  const { json } = await codr.run(...words);
  assert.equal(json.at.time, first);
  assert.ok(
    json.warnings.some((text: string) => text.includes(first) && text.includes(named)),
    json.warnings.join('\n'),
  );
  assert.deepEqual(await uuidOf('n58e', 'a'), loaded, 'what was proven is not loaded again');
  const restored = world.targetClient.db('n58e');
  for (const name of ['a', 'b']) assert.equal(await restored.collection(name).countDocuments(), 2);
  assert.ok(json.datasets.every(({ proven }: Document) => proven));
  const anew = await codr.run(...words, '--rename', 'n58e.*=n58x.*', '--dry-run');
  assert.deepEqual([anew.json.at.time, anew.json.resumes], [second, false]);
  const again = await codr.tryRun(...words, '--dry-run');
  assert.deepEqual([again.json.at.time, again.json.resumes], [second, false], 'it has finished');
});

test('a restore whose moment is no longer restorable is refused, and its marker named', async () => {
  const one = await protectedSource('n58f');
  const data = { failCommands: ['insert'], namespace: 'n58f.b', errorCode: 8000 };
  await failPoint(world.targetClient, 'failCommand', 'alwaysOn', data);
  await assert.rejects(one.source.restoreAt('latest', { drop: false }));
  await failPoint(world.targetClient, 'failCommand', 'off');
  const name = await marker();
  const kept = world.targetClient.db('codr_restore').collection<Document>(name);
  const moment = '0000000100000001';
  await kept.updateOne({ _id: 'operation' as never }, { $set: { moment } });
  await assert.rejects(one.source.restoreAt('latest', { drop: false }), {
    code: 'time-not-restorable',
    object: `codr_restore.${name}`,
  });
  await kept.drop();
  await world.targetClient.db('n58f').dropDatabase();
  await one.source.restoreAt('latest', { drop: false });
});

function requestOf({ source, at }: { source: Protected; at: string }, drop = false) {
  const { name } = source;
  const to = world.target.uri;
  const none = { include: [], exclude: [], renames: [] };
  return { source: name, to, at, ...none, drop, ttl: 'keep', verify: true } as const;
}

test('a restore that ended, and whose end was lost, ends again with its proof; one that is not there is run anew', async () => {
  const one = await protectedSource('n58h');
  let kept: string | undefined;
  // As the coordinator keeps it.
  const handover = {
    read: async () => (kept === undefined ? undefined : JSON.parse(kept)),
    write: async (value: unknown) => {
      kept = JSON.stringify(value);
    },
  };
  await using node = await world.node();
  const first = await node.restore(requestOf(one), { ...call(), handover });
  assert.deepEqual(first.warnings, []);
  await assert.rejects(node.restore(requestOf(one), call()), { code: 'target-not-empty' });
  const again = await node.restore(requestOf(one), { ...call(), handover });
  assert.deepEqual(again.datasets, first.datasets);
  assert.ok(again.datasets.every(({ proven }) => proven));
  const lost = /^a process that was lost had loaded and proven it/;
  assert.match(again.warnings.join(), lost);
  // With --drop it would be loaded a second time.
  const dropped = await node.restore(requestOf(one, true), { ...call(), handover });
  assert.match(dropped.warnings.join(), lost);
  await world.targetClient.db('n58h').collection('a').drop();
  const whole = node.restore(requestOf(one), { ...call(), handover });
  await assert.rejects(whole, { code: 'target-not-empty' });
  await world.targetClient.db('n58h').dropDatabase();
  const anew = await node.restore(requestOf(one), { ...call(), handover });
  assert.deepEqual([anew.warnings, anew.datasets], [[], first.datasets]);
  assert.equal(await world.targetClient.db('n58h').collection('a').countDocuments(), 2);
});

test('who lost its restore to another does not end it: the marker stands', async () => {
  const one = await protectedSource('n58i');
  const handover = {
    read: async () => undefined,
    write: async () => {
      throw new CodrError('lease-lost', 'another peer goes on');
    },
  };
  await using node = await world.node();
  const lost = node.restore(requestOf(one), { ...call(), handover });
  await assert.rejects(lost, { code: 'lease-lost' });
  assert.equal((await node.planRestore(requestOf(one), call())).resumes, true);
  const { datasets } = await node.restore(requestOf(one), call());
  assert.deepEqual(
    datasets.map(({ to, proven }) => [to, proven]),
    [
      ['n58i.a', true],
      ['n58i.b', true],
    ],
  );
});

test('a restore with a limit loads and reads back no faster', async () => {
  const one = await protectedSource('n58j');
  await using node = await world.node();
  const bytesPerSecond = 100;
  const limited = await node.restore({ ...requestOf(one), bytesPerSecond }, call());
  const bytes = limited.datasets.reduce((sum, dataset) => sum + dataset.bytes, 0);
  assert.ok(limited.datasets.every(({ proven }) => proven));
  const least = (2 * bytes) / bytesPerSecond;
  assert.ok(least > 1 && limited.seconds >= least, `${limited.seconds} s for ${bytes} bytes`);
  const wrong = node.restore({ ...requestOf(one), bytesPerSecond: -1 }, call());
  await assert.rejects(wrong, { code: 'usage' });
});
