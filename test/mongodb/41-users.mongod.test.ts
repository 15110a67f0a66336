// Number 41 of the acceptance list: users and roles as of a moment, into a target with access control whose
// own user goes on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Document, MongoClient } from 'mongodb';
import { fill, rows } from './disturb.ts';
import { formatTime, World } from './world.ts';

let world: World;
before(async () => {
  world = await World.open({ target: { auth: true } });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** All users with credentials and all custom roles, as the server tells them; `root` is left out. */
async function accounts(client: MongoClient): Promise<unknown> {
  const of = async (database: string, command: Document): Promise<Document> =>
    await client.db(database).command(command);
  const { users } = await of('admin', { usersInfo: { forAllDBs: true }, showCredentials: true });
  const { roles } = await of('n41', { rolesInfo: 1, showPrivileges: true });
  // The server makes these of a set, in no order.
  for (const role of roles) role.inheritedRoles.sort(byName);
  return JSON.parse(
    JSON.stringify({ users: users.filter(({ user }: Document) => user !== 'root'), roles }),
  );
}

function byName(a: Document, b: Document): number {
  return `${a.db}.${a.role}` < `${b.db}.${b.role}` ? -1 : 1;
}

test('41: users and roles are those of the moment, can log in, and the restoring user stays', async () => {
  const db = world.client.db('n41');
  await fill(world.client, 'n41.a', rows(10));
  await db.command({ createRole: 'reader', privileges: [], roles: ['read'] });
  await db.command({ createUser: 'ann', pwd: 'first', roles: ['reader'], customData: { n: 1 } });
  const one = await world.protect('n41', { include: ['n41.*'] });
  const seen: { readonly at: string; readonly accounts: unknown }[] = [];
  const note = async (): Promise<void> => {
    seen.push({ at: formatTime(await world.now()), accounts: await accounts(world.client) });
  };
  await one.backup();
  await note();
  assert.match(JSON.stringify(seen[0]), /"customData":\{"n":1\}/);
  await db.command({ createUser: 'bob', pwd: 'second', roles: ['readWrite'] });
  await db.command({ updateUser: 'ann', pwd: 'third', roles: [] });
  await note();
  const resource = { db: 'n41', collection: 'a' };
  await db.command({ updateRole: 'reader', privileges: [{ resource, actions: ['find'] }] });
  await db.command({ createRole: 'late', privileges: [], roles: ['reader'] });
  await db.command({ dropUser: 'bob' });
  await note();
  await db.command({ dropRole: 'late' });
  await db.command({ dropAllUsersFromDatabase: 1 });
  await note();
  await one.backup();
  const include = ['n41.*', 'admin.system.users', 'admin.system.roles'];
  for (const { at, accounts: wanted } of [...seen, ...seen.toReversed()]) {
    const { skipped } = await one.restoreAt(at, { include });
    assert.deepEqual(
      skipped.filter(({ namespace }) => /users|roles/.test(namespace)),
      [],
    );
    assert.deepEqual(await accounts(world.targetClient), wanted, at);
  }
  await one.restoreAt(seen[1]!.at, { include });
  assert.equal(await rowsSeenBy('bob', 'second'), 10);
  await assert.rejects(rowsSeenBy('ann', 'first'), /Authentication failed/);
  await assert.rejects(rowsSeenBy('ann', 'third'), /not authorized/);
  assert.equal((await world.targetClient.db('admin').command({ ping: 1 })).ok, 1);
});

async function rowsSeenBy(user: string, password: string): Promise<number> {
  const uri = world.target.uriAs({ user, password }).replace('authSource=admin', 'authSource=n41');
  await using client = new MongoClient(uri);
  return await client.db('n41').collection('a').countDocuments();
}

test('41: users and roles that nobody asked for are left alone, and named', async () => {
  await fill(world.client, 'n41b.a', rows(5));
  await world.client.db('n41b').command({ createUser: 'eve', pwd: 'secret', roles: [] });
  const one = await world.protect('n41b');
  await one.backup();
  await one.restoreAt('latest');
  const { users } = await world.targetClient.db('n41b').command({ usersInfo: 1 });
  assert.deepEqual(users, []);
});
