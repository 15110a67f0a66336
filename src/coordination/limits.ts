// What every coordinator takes at most, held the same way by all: etcd's own limits, with room to spare for
// what the coordinator itself adds to a transaction. etcd takes 128 operations and 1.5 MiB.
import { assert } from '../base/assert.ts';
import type { Guard, Operation } from './coordinator.ts';

const operationsMax = 120;
const guardsMax = 120;
const valueBytesMax = 64 * 1024;
const bytesMax = 1 << 20;

/** Throws `BrokenPromiseError` for a transaction above a limit, or one that names a key twice. */
export function assertTransaction(
  guards: readonly Guard[],
  operations: readonly Operation[],
): void {
  assert(guards.length <= guardsMax, `at most ${guardsMax} guards a transaction`);
  assert(operations.length <= operationsMax, `at most ${operationsMax} operations a transaction`);
  const keys = new Set<string>();
  let bytesAll = 0;
  for (const operation of operations) {
    const key = 'put' in operation ? operation.put : operation.delete;
    assert(key !== '' && !keys.has(key), `a transaction must name the key "${key}" once`);
    keys.add(key);
    const bytes = 'put' in operation ? Buffer.byteLength(operation.value) : 0;
    assert(bytes <= valueBytesMax, `the value of "${key}" must be at most ${valueBytesMax} bytes`);
    bytesAll += bytes + Buffer.byteLength(key);
  }
  assert(bytesAll <= bytesMax, `a transaction must hold at most ${bytesMax} bytes`);
}
