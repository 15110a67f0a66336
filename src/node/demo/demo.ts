// The story of `codr demo`: a real replica set with live writers, a backup that follows it, a delete that
// forgot its filter, the restore of that collection to the second before, and two proofs: CODR's own, and
// one by the server's snapshot reads. Everything lies in one folder, which goes however the demo ends.
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import type { BackupResult, Call, RestoreResult } from '../../api/codr-api.ts';
import { CodrError } from '../../base/error.ts';
import { type Config, loadConfig } from '../config.ts';
import { EmbeddedNode } from '../embedded-node.ts';
import { openLogger } from '../logger.ts';
import { systemClock } from '../system-clock.ts';
import { systemRandom } from '../system-random.ts';
import { TemporarySpill } from '../temporary-spill.ts';
import { clusterSecond, type Fingerprint, fingerprint, indexesOf } from './demo-oracle.ts';
import { fillShop, ordersCollection, ShopTraffic, shopDatabase } from './demo-shop.ts';
import type { DemoOptions, DemoResult, TellDemo } from './demo-story.ts';
import { findMongod } from './mongod-program.ts';
import { ReplicaSet } from './mongod-server.ts';

const sourceName = 'shop';
const besideCollection = 'orders_before';
const rpoSeconds = 1;
const pollMs = 200;
/** How long the demo watches commits before the disaster, and writers after it. */
const quietSeconds = 3;
const patienceMs = 60_000;

/**
 * Tells the story step by step and resolves with how it ended. Leaves nothing behind unless `keep`.
 * Errors: `target-unfit` when no mongod can be had, and whatever CODR itself reports.
 */
export async function runDemo(
  options: DemoOptions,
  tell: TellDemo,
  signal: AbortSignal,
): Promise<DemoResult> {
  const begun = performance.now();
  const steps = new Steps(tell, signal);
  const set = await startServer(options, steps, signal);
  const demo = new Demo(set, steps, signal);
  let kept: readonly string[] = [];
  try {
    const result = await demo.run(options.records);
    if (options.keep) kept = [set.uri, ...(await demo.keep())];
    return { ...result, seconds: (performance.now() - begun) / 1000, kept };
  } finally {
    await demo.end();
    if (kept.length > 0) set.release();
    else await set.stop();
  }
}
