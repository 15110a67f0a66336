// Nodes that files are written for are looked at whole: each directory that they serve must be known.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { NodeControl } from '../session/control.ts';
import { localFiles } from '../session/local-files.ts';
import { checkNodes } from './target-nodes.ts';

const address = '10.0.0.1';
const hostId = '00000001-0000-0000-0000-000000000000';
const ring = {
  clusterName: 'c',
  partitioner: 'org.apache.cassandra.dht.Murmur3Partitioner',
  nodes: [{ hostId, address, nativeAddress: address, datacenter: 'd', rack: 'r', tokens: ['1'] }],
  ...{ schemaVersions: ['s'], version: '5.0.9', up: [hostId] },
};

test('a directory that a node serves and nobody configured is refused, by its name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'codr-test-'));
  try {
    const check = (served: readonly string[]) => {
      const control = {
        identity: async () => ({ hostId, releaseVersion: '5.0.9', operationMode: 'NORMAL' }),
        dataDirectories: async () => [...served],
      } as unknown as NodeControl;
      const place = { files: localFiles, dataDirectories: [folder] };
      const one = { hostId, address, nativeAddress: address, control, ...place };
      const { signal } = new AbortController();
      return checkNodes(ring, new Map([[hostId, one]]), new Set([hostId]), signal);
    };
    await check([`${folder}/`]);
    await assert.rejects(check([folder, '/second/data']), {
      code: 'target-unfit',
      message: /keeps data in \/second\/data too/,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});
