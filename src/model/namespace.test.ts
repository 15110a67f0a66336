import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idleIncludes, parseRenames, parseScope, renamed, renameFits } from './namespace.ts';

test('the first rename that fits decides, a name that none fits stays', () => {
  const renames = parseRenames(['a.one=b.two', 'a.*=c.*']);
  assert.equal(renamed(renames, 'a.one'), 'b.two');
  assert.equal(renamed(renames, 'a.two'), 'c.two');
  assert.equal(renamed(renames, 'aa.one'), 'aa.one');
  assert.equal(renameFits({ from: 'a.*', to: 'c.*' }, 'a.b.c'), true);
});

test('a rename that an earlier one leaves nothing to is refused, and both are named', () => {
  for (const texts of [
    ['a.one=b.one', 'a.one=c.one'],
    ['a.*=b.*', 'a.one=c.one'],
    ['a.*=b.*', 'a.*=c.*'],
  ]) {
    const message = `"${texts[1]}" has no effect: "${texts[0]}" comes before it`;
    assert.throws(() => parseRenames(texts), { code: 'usage', message });
  }
});

test('of includes those that fit no name are named', () => {
  const scope = { include: ['a.one', 'a.noe', 'b.*', '*'], exclude: ['a.one'] };
  assert.deepEqual(idleIncludes(scope, ['a.one', 'a.two']), ['a.noe', 'b.*']);
  assert.deepEqual(idleIncludes({ include: [], exclude: ['a.*'] }, []), []);
});

test('what is no rename is refused', () => {
  for (const text of ['a.one', 'a.one=', 'a=b', 'a.*=b.one', 'a.one=b.one=c.one']) {
    assert.throws(() => parseRenames([text]), { code: 'usage' }, text);
  }
});

test('a pattern without a dot fits no name, and is refused with what was meant; `*` is everything', () => {
  const message = '"shop" is no db.collection: write "shop.*" for all of a database';
  assert.throws(() => parseScope({ include: ['shop'], exclude: [] }), { code: 'usage', message });
  assert.throws(() => parseScope({ include: [], exclude: ['tmp*'] }), { code: 'usage' });
  const scope = { include: ['*', 'shop.*'], exclude: ['*.tmp'] };
  assert.deepEqual(parseScope(scope), scope);
});
