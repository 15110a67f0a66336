// What every coordinator takes at most, held the same way by all: etcd's own limits, with room to spare.
import { assert } from '../base/assert.ts';
import type { Operation } from './coordinator.ts';

const operationsMax = 128;
const valueBytesMax = 64 * 1024;

/** Throws `BrokenPromiseError` for too many operations, a too long value, or a key named twice. */
export function assertTransaction(operations: readonly Operation[]): void {
  assert(operations.length <= operationsMax, `at most ${operationsMax} operations a transaction`);
  const keys = new Set<string>();
  for (const operation of operations) {
    const key = 'put' in operation ? operation.put : operation.delete;
    assert(key !== '' && !keys.has(key), `a transaction must name the key "${key}" once`);
    keys.add(key);
    const bytes = 'put' in operation ? Buffer.byteLength(operation.value) : 0;
    assert(bytes <= valueBytesMax, `the value of "${key}" must be at most ${valueBytesMax} bytes`);
  }
}
