import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodrError } from '../../base/error.ts';
import { parseS3Url } from './s3-url.ts';

test('a URL names bucket, prefix, endpoint and region', () => {
  const url = 's3://backups/codr/prod?endpoint=https%3A%2F%2Fs3.example.org%3A9000&region=eu-1';
  assert.deepEqual(parseS3Url(url), {
    bucket: 'backups',
    prefix: 'codr/prod/',
    endpoint: 'https://s3.example.org:9000',
    region: 'eu-1',
    pathStyle: true,
    ca: undefined,
  });
});

test('an endpoint need not be escaped, and none means Amazon, where each bucket has a name', () => {
  assert.equal(parseS3Url('s3://b00/?endpoint=http://h:1').endpoint, 'http://h:1');
  assert.deepEqual(parseS3Url('s3://b.b-1'), {
    bucket: 'b.b-1',
    prefix: '',
    endpoint: undefined,
    region: undefined,
    pathStyle: false,
    ca: undefined,
  });
  assert.equal(parseS3Url('s3://b00?endpoint=http://h:1&pathStyle=false').pathStyle, false);
});

test('what is wrong with a URL is said without a word that could be a secret', () => {
  const wrong = [
    's3:',
    's3://',
    's3://a/',
    's3://key:hunter2@bucket/prefix',
    's3://bucket:80/prefix',
    's3://bucket/pre fix?region=x#hunter2',
    's3://bucket/ä',
    's3://bucket/%2e./x%20',
    's3://bucket?endpoint=ftp://hunter2',
    's3://bucket?endpoint=https://key:hunter2@host',
    's3://bucket?endpoint=https://host/hunter2',
    's3://bucket?pathStyle=hunter2',
    's3://bucket?accessKey=hunter2',
    's3://bucket?region=a&region=hunter2',
  ];
  for (const url of wrong) {
    assert.throws(
      () => parseS3Url(url),
      (error) => isCodrError(error, 'usage') && !/hunter2/.test(`${error.message} ${error.remedy}`),
      url,
    );
  }
});
