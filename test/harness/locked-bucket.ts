// A bucket with object lock in memory, over HTTP: versions are kept, all of them retained by default, and conditions
// honoured together with them, as Amazon does and servers that are small enough for each run of the tests do not. It
// knows the few calls that CODR makes, refuses what such a bucket refuses, and remembers every request.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

/** A stored body, or undefined for the mark of a removed object. */
type Version = Buffer | undefined;

export interface LockedBucket extends AsyncDisposable {
  /** `s3://…` of a repository in it. */
  readonly url: string;
  /** All that was ever put below a key, oldest first. */
  readonly versions: ReadonlyMap<string, readonly Version[]>;
  /** `METHOD key?query`, with the names of all headers. */
  readonly requests: readonly { readonly line: string; readonly headers: readonly string[] }[];
}

export async function startLockedBucket(): Promise<LockedBucket> {
  const versions = new Map<string, Version[]>();
  const requests: { line: string; headers: string[] }[] = [];
  const handle = async (request: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://host');
    const key = decodeURIComponent(pathname.replace(/^\/locked\/?/, ''));
    const { method = '', headers } = request;
    requests.push({ line: `${method} ${key}?${searchParams}`, headers: Object.keys(headers) });
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
    const say = (status: number, text: string | Buffer = '', more = {}): void => {
      answer.writeHead(status, { 'content-length': Buffer.byteLength(text), ...more });
      answer.end(method === 'HEAD' ? undefined : text);
    };
    const refuse = (status: number, code: string): void =>
      say(status, `<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
    const all = versions.get(key) ?? [];
    const current = all.at(-1);
    if (key === '') {
      if (method === 'HEAD') return say(200);
      return say(200, listed(versions, searchParams.get('prefix') ?? ''));
    }
    if (method === 'PUT') {
      const sum = headers['x-amz-checksum-crc32'];
      // Amazon takes nothing into such a bucket without a sum.
      if (sum === undefined) return refuse(400, 'InvalidRequest');
      if (sum !== base64Of(crc32(body))) return refuse(400, 'BadDigest');
      if (headers['if-none-match'] === '*' && current) return refuse(412, 'PreconditionFailed');
      versions.set(key, [...all, body]);
      return say(200, '', { 'x-amz-version-id': `v${all.length + 1}` });
    }
    if (method === 'DELETE') {
      // Each version is retained.
      if (searchParams.has('versionId')) return refuse(403, 'AccessDenied');
      versions.set(key, [...all, undefined]);
      return say(204, '', { 'x-amz-delete-marker': 'true' });
    }
    if (!current) return refuse(404, 'NoSuchKey');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    if (from === undefined) return say(200, current);
    return say(206, current.subarray(Number(from), Number(to) + 1));
  };
  const server = createServer((request, answer) => void handle(request, answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ versions, requests, url: `s3://locked/codr?endpoint=http://127.0.0.1:${port}` },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One page: there are few. */
function listed(versions: ReadonlyMap<string, readonly Version[]>, prefix: string): string {
  const keys = [...versions.keys()].filter((key) => key.startsWith(prefix)).sort();
  const entries = keys.flatMap((key) => {
    const size = versions.get(key)?.at(-1)?.length;
    const modified = '2026-01-01T00:00:00.000Z';
    const fields = `<Key>${key}</Key><Size>${size}</Size><LastModified>${modified}</LastModified>`;
    return size === undefined ? [] : [`<Contents>${fields}</Contents>`];
  });
  return `<ListBucketResult><IsTruncated>false</IsTruncated>${entries.join('')}</ListBucketResult>`;
}

function base64Of(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(sum);
  return bytes.toString('base64');
}
