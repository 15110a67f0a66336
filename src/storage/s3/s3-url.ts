// The URL of a repository in an S3 store: `s3://bucket/prefix?endpoint=…&region=…`. It names a place and never
// a secret: credentials come from the environment, the shared files or the machine's role, as everywhere.
import { readFile } from 'node:fs/promises';
import { CodrError } from '../../base/error.ts';
import { isNamePart } from '../object-name.ts';

export interface S3Place {
  readonly bucket: string;
  /** Empty, or ends in `/`. */
  readonly prefix: string;
  /** Undefined: Amazon's own, by region. */
  readonly endpoint: string | undefined;
  /** Undefined: as the environment says. */
  readonly region: string | undefined;
  /** `endpoint/bucket` instead of `bucket.endpoint`. */
  readonly pathStyle: boolean;
  /** Path of a file of certificates (PEM) that the endpoint's is checked against. */
  readonly ca: string | undefined;
}

const parameters = ['endpoint', 'region', 'pathStyle', 'ca'];
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and what old buckets have. */
const bucketForm = /^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/;

/** Errors: `usage` that names the part that is wrong, and no value that could be a secret. */
export function parseS3Url(text: string): S3Place {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 's3:') throw wrong('it is not a URL');
  if (url.username || url.password) throw wrong('it must hold no credentials');
  if (url.hash || url.port) throw wrong('it has a part that means nothing here');
  // The parser leaves hosts of unknown schemes as they were written.
  const bucket = url.hostname;
  if (!bucketForm.test(bucket)) throw wrong('its bucket is not the name of one');
  const parts = url.pathname.split('/').filter((part) => part !== '');
  const odd = parts.find((part) => !isNamePart(part));
  if (odd !== undefined) throw wrong('its prefix may hold letters, digits and ._- between slashes');
  const query = url.searchParams;
  for (const name of query.keys()) {
    if (!parameters.includes(name)) throw wrong(`"${name}" is none of ${parameters.join(', ')}`);
    if (query.getAll(name).length > 1) throw wrong(`"${name}" stands there twice`);
  }
  const endpoint = endpointOf(query.get('endpoint'));
  return {
    bucket,
    prefix: parts.map((part) => `${part}/`).join(''),
    endpoint,
    region: query.get('region') || undefined,
    // Servers other than Amazon's seldom have a name for each bucket.
    pathStyle: flagOf(query.get('pathStyle')) ?? endpoint !== undefined,
    ca: query.get('ca') || undefined,
  };
}

/** Errors: `usage` when the file cannot be read. */
export async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const message = `the certificates in ${path} cannot be read`;
    const remedy = 'let "ca" in the URL of the repository name a PEM file';
    throw new CodrError('usage', message, { object: path, remedy, cause: error });
  }
}

function endpointOf(text: string | null): string | undefined {
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw wrong('its endpoint must be http(s)://host:port');
  }
  if (url.pathname !== '/' || url.search || url.hash) {
    throw wrong('its endpoint must end after the port');
  }
  return url.origin;
}

function flagOf(text: string | null): boolean | undefined {
  if (text === null) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  throw wrong('"pathStyle" must be true or false');
}

function wrong(what: string): CodrError {
  return new CodrError('usage', `the URL of the repository in S3 is wrong: ${what}`, {
    object: 's3:',
    remedy: 'write s3://bucket/prefix?endpoint=https://host:port&region=name',
  });
}
