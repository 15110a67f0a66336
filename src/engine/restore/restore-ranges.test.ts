import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connector } from '../../connector/connector.ts';
import type { DatasetId } from '../../model/id.ts';
import type { KeyRange } from '../../model/key-range.ts';
import type { PointDataset } from '../read/point.ts';
import { intersections, parseDatasetQuery, refuseParts, wantedParts } from './restore-ranges.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const range = (text: string): KeyRange => {
  const [from, to] = text.split('..').map(bytes);
  return { ...(from?.length && { from }), ...(to?.length && { to }) };
};
const textOf = ({ from, to }: KeyRange): string =>
  `${from ? Buffer.from(from) : ''}..${to ? Buffer.from(to) : ''}`;

/** Reads its own ranges: `b..d`. */
const connector = {
  kind: 'made-up',
  parseRange: (text: string) => [range(text)],
  parseQuery: (_: unknown, text: string) => [range(text)],
} as unknown as Connector;

const datasets = ['a.b', 'a.c'].map(
  (namespace) =>
    ({ entry: { dataset: namespace, namespace, role: 'data' } }) as unknown as PointDataset,
);

const parts = (ranges: string[], queries: string[]): Record<string, string[]> =>
  Object.fromEntries(
    [...wantedParts(connector, { ranges, queries: queries.map(parseDatasetQuery) }, datasets)].map(
      ([dataset, wanted]) => [dataset, wanted.map(textOf)],
    ),
  );

test('a range is meant of every dataset, a query of its own, and a record has to be in both', () => {
  assert.deepEqual(parts(['d..f', 'b..e'], []), { 'a.b': ['b..f'], 'a.c': ['b..f'] });
  assert.deepEqual(parts([], ['a.c=b..d', 'a.c=x..']), { 'a.c': ['b..d', 'x..'] });
  assert.deepEqual(parts(['c..y'], ['a.c=b..d', 'a.c=x..']), {
    'a.b': ['c..y'],
    'a.c': ['c..d', 'x..y'],
  });
  assert.equal(wantedParts(connector, undefined, datasets).size, 0);
});

test('a dataset of which nothing is wanted is in the restore, with no range', () => {
  const wanted = wantedParts(
    connector,
    { ranges: ['a..b'], queries: [parseDatasetQuery('a.c=c..d')] },
    datasets,
  );
  assert.deepEqual(wanted.get('a.c' as DatasetId), []);
});

test('a query that names no dataset of the restore is an error, and so is one without a name', () => {
  assert.throws(() => parts([], ['a.x=b..d']), { code: 'usage', message: /names a\.x/ });
  for (const text of ['k = 5', 'a.b', 'a.b=', 'a b.c=1', "k = 'a.b'"]) {
    assert.throws(() => parseDatasetQuery(text), { code: 'usage' }, text);
  }
  assert.deepEqual(parseDatasetQuery('a.b=k = 5'), { namespace: 'a.b', text: 'k = 5' });
});

test('a kind of database without such parts refuses them before anything is opened', () => {
  const plain = { kind: 'mongodb' } as unknown as Connector;
  const refused = (ranges: string[], queries: string[]) => () =>
    refuseParts(plain, { ranges, queries: queries.map(parseDatasetQuery) });
  assert.throws(refused(['1..2'], []), {
    code: 'usage',
    message: '--token-range means nothing for mongodb',
  });
  assert.throws(refused([], ['a.b=1']), {
    code: 'usage',
    message: '--query means nothing for mongodb',
  });
  refuseParts(connector, { ranges: ['1..2'], queries: [] });
  refuseParts(plain, undefined);
});

test('intersections ascend, and hold nothing that is not in both', () => {
  const [one, other] = [
    ['a..c', 'e..g', 'k..'],
    ['b..f', 'm..o', 'p..'],
  ].map((all) => all.map(range));
  assert.deepEqual(intersections(one as KeyRange[], other as KeyRange[]).map(textOf), [
    'b..c',
    'e..f',
    'm..o',
    'p..',
  ]);
});
