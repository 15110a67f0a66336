// Expiry that is moved is moved by the same time in all runs of one restore.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UnfinishedRestore } from '../../connector/restore-target.ts';
import { timeToHex } from '../../model/time.ts';
import { CutWorld } from '../capture/cut-world.fixture.ts';
import { askedPoint, choosePoint } from './restore-point.ts';
import { liveForm } from './wanted-form.ts';

const { signal } = new AbortController();

test('a run that goes on moves expiry by what the first run of the restore moved it', async () => {
  const world = await CutWorld.open();
  world.database.create('shop.orders');
  await world.cut();
  const { context } = world;
  const at = world.timeOf('cut:1');
  const ttl = 'rebase' as const;
  const scope = { include: ['shop.*'], exclude: [] };
  const wish = { when: at, scope, renames: [], drop: false, ttl };
  const formOf = async (begun?: UnfinishedRestore) => {
    const target = { unfinished: async () => begun };
    const chosen = await choosePoint(context, wish, askedPoint(context, wish), target, signal);
    return { chosen, ...liveForm(context, { ttl }, { at, begunMs: chosen.begunMs }) };
  };
  const cutMs = context.connector.wallMs(at);
  const first = await formOf();
  assert.equal(first.chosen.begunMs, context.world.clock.now());
  assert.equal(first.live?.rebaseMs, first.chosen.begunMs - cutMs);
  const begunMs = cutMs + 90_000;
  const next = await formOf({ moment: timeToHex(at), marker: 'm', begunMs });
  assert.deepEqual([next.chosen.resumes, next.live?.rebaseMs], [true, 90_000]);
});
