import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BSON } from 'mongodb';
import { parseRename, renamed } from '../../../model/namespace.ts';
import { keyOfDocument } from '../key/key-codec.ts';
import { type ViewDefinition, viewsOf } from './view-definitions.ts';

/** The view `app.v` on `people` after `renames`, and its pipeline as plain JSON. */
function viewAfter(
  renames: readonly string[],
  pipeline: readonly object[],
): ViewDefinition & { readonly stages: unknown } {
  const value = BSON.serialize({ _id: 'app.v', viewOn: 'people', pipeline });
  const rules = renames.map(parseRename);
  const records = [{ key: keyOfDocument(value), value }];
  const [view] = viewsOf(records, (name) => renamed(rules, name)) as [ViewDefinition];
  const bytes = BSON.serialize({ stages: view.options.pipeline });
  return { ...view, stages: BSON.deserialize(bytes).stages };
}

const reading = (name: string): object[] => [
  { $lookup: { from: name, localField: 'a', foreignField: 'b', as: 'c' } },
  { $lookup: { from: 'kept', let: {}, pipeline: [{ $unionWith: name }], as: 'd' } },
  { $graphLookup: { from: name, startWith: '$a', connectFromField: 'a', as: 'e' } },
  { $unionWith: name },
  { $unionWith: { coll: name, pipeline: [{ $match: { from: 'orders', coll: 'orders' } }] } },
  { $facet: { one: [{ $lookup: { from: name, pipeline: [], as: 'f' } }] } },
  { $match: { '2': 1, '1': { $lookup: 'orders' } } },
];

test('every collection that a pipeline reads follows its rename, and nothing else is touched', () => {
  const { viewOn, stages, elsewhere } = viewAfter(
    ['app.orders=app.orders_before'],
    reading('orders'),
  );
  assert.equal(viewOn, 'app.people');
  assert.deepEqual(stages, reading('orders_before'));
  assert.deepEqual(elsewhere, []);
});

test('a pipeline whose collections are not renamed stays as it is', () => {
  const { viewOn, stages } = viewAfter(['app.people=app.persons'], reading('orders'));
  assert.equal(viewOn, 'app.persons');
  assert.deepEqual(stages, reading('orders'));
});

test('a whole database that moves takes its views and what they read along', () => {
  const { namespace, viewOn, stages, elsewhere } = viewAfter(['app.*=copy.*'], reading('orders'));
  assert.deepEqual([namespace, viewOn, elsewhere], ['copy.v', 'copy.people', []]);
  assert.deepEqual(stages, reading('orders'));
});

test('a collection that ends up in another database is named and left alone', () => {
  const { stages, elsewhere } = viewAfter(
    ['app.orders=other.o', 'app.*=copy.*'],
    reading('orders'),
  );
  assert.deepEqual(stages, reading('orders'));
  assert.deepEqual(elsewhere, ['other.o']);
  const moved = viewAfter(['app.v=copy.v', 'app.people=copy.people'], [{ $unionWith: 'orders' }]);
  assert.deepEqual(moved.elsewhere, ['app.orders']);
});

test('a stage that names another database itself is left alone', () => {
  const stages = [{ $lookup: { from: { db: 'config', coll: 'orders' }, pipeline: [], as: 'x' } }];
  assert.deepEqual(viewAfter(['app.orders=app.o2'], stages).stages, stages);
});
