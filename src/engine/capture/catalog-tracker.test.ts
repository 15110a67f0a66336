import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryConnector } from '../../connector/memory/memory-connector.ts';
import { definitionBytes, MemoryDatabases } from '../../connector/memory/memory-database.ts';
import type { CatalogChange } from '../../model/catalog.ts';
import { datasetId, streamId } from '../../model/id.ts';
import { CatalogTracker } from './catalog-tracker.ts';

const connector = new MemoryConnector(new MemoryDatabases());

function change(time: number, kind: string, id: string, namespace: string): CatalogChange {
  const at = BigInt(time);
  return {
    time: at,
    stream: streamId('s'),
    position: { time: at, term: 1n },
    index: 0,
    dataset: datasetId(id),
    kind,
    ...(kind === 'create' && { creates: true }),
    body: definitionBytes({ namespace, role: 'data', indexes: [] }),
  };
}

function open(...surveyed: CatalogChange[]): CatalogTracker {
  return new CatalogTracker(
    () => connector.openCatalog(),
    { include: ['a.*'], exclude: [] },
    surveyed,
  );
}

function told(tracker: CatalogTracker, changes: readonly CatalogChange[]): string[] {
  return tracker
    .apply(changes)
    .flatMap(({ born, entered, left }) => [
      ...born.map(({ entry, time }) => `born ${entry.namespace} ${time}`),
      ...entered.map(({ entry, time }) => `entered ${entry.namespace} ${time}`),
      ...left.map(({ dataset, time }) => `left ${dataset} ${time}`),
    ]);
}

test('a dataset that came and went between two ticks is seen, with its times', () => {
  const tracker = open();
  const changes = [change(5, 'create', 'd', 'a.x'), change(7, 'drop', 'd', 'a.x')];
  assert.deepEqual(told(tracker, changes), ['born a.x 5', 'left d 7']);
});

test('a dataset renamed into the scope and out again between two ticks is seen', () => {
  const tracker = open(change(1, 'survey', 'd', 'b.x'));
  const changes = [change(5, 'rename', 'd', 'a.x'), change(7, 'rename', 'd', 'b.y')];
  assert.deepEqual(told(tracker, changes), ['entered a.x 5', 'left d 7']);
});

test('what others do between two ticks does not move the time of leaving', () => {
  const tracker = open(change(1, 'survey', 'd', 'a.x'));
  const changes = [change(5, 'drop', 'd', 'a.x'), change(9, 'create', 'e', 'a.y')];
  assert.deepEqual(told(tracker, changes).sort(), ['born a.y 9', 'left d 5']);
});

test('a change from before the survey makes nothing new', () => {
  const tracker = open(change(10, 'survey', 'd', 'a.x'));
  assert.deepEqual(told(tracker, [change(5, 'create', 'd', 'a.x')]), []);
});

test('no changes, no steps', () => {
  assert.deepEqual(open(change(1, 'survey', 'd', 'a.x')).apply([]), []);
});
