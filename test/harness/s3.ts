// A real S3 server for tests: versitygw unless CODR_S3 says seaweedfs or rgw; CODR_S3_URL names a server that runs
// (see README.md). All of them are fetched once, pinned, into the user's cache.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import {
  CreateBucketCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { startRgw } from './s3-rgw.ts';
import { startSeaweedfs } from './s3-seaweedfs.ts';
import { startVersitygw } from './s3-versitygw.ts';

/** What the server knows its one user by; the environment of this process gets them too. */
export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface S3Process {
  /** `http://127.0.0.1:port`. */
  readonly endpoint: string;
  stop(): Promise<void>;
}

interface S3Kind {
  readonly start: (folder: string, keys: S3Keys) => Promise<S3Process>;
  /** It refuses a body whose checksum is wrong. */
  readonly checksChecksums: boolean;
  /** `If-None-Match` means the same in buckets that keep versions. */
  readonly fitWithVersions: boolean;
  /** Lists come in the order of whole names. */
  readonly listsByName: boolean;
}

const kinds = {
  versitygw: {
    start: startVersitygw,
    checksChecksums: true,
    fitWithVersions: false,
    listsByName: true,
  },
  seaweedfs: {
    start: startSeaweedfs,
    checksChecksums: true,
    fitWithVersions: true,
    listsByName: false,
  },
  rgw: { start: startRgw, checksChecksums: false, fitWithVersions: false, listsByName: true },
} as const satisfies Record<string, S3Kind>;

/** Of a new bucket. `locked`: with object lock, each object for a day. */
export interface BucketOptions {
  readonly versioned?: boolean;
  readonly locked?: boolean;
}

/** A server and its one pair of keys, which the environment of this process gets too. */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly keeps: Omit<S3Kind, 'start'>;
  /** For what CODR itself never asks. */
  readonly client: S3Client;
  /** A new bucket; gives its name. */
  bucket(options?: BucketOptions): Promise<string>;
}

const keys: S3Keys = {
  accessKeyId: process.env.CODR_S3_ACCESS_KEY ?? 'codr',
  secretAccessKey: process.env.CODR_S3_SECRET_KEY ?? 'codrsecret',
};

/** One server for all tests of a file, ended after the last. Call it at the file's top level. */
export function sharedS3(): () => Promise<S3Server> {
  let started: Promise<S3Server> | undefined;
  after(async () => {
    const server = await started?.catch(() => undefined);
    await server?.[Symbol.asyncDispose]();
  });
  return () => {
    started ??= startS3();
    return started;
  };
}

/** Of this run: `versitygw`, `seaweedfs` or `rgw`. */
function wantedKind(): S3Kind {
  const name = process.env.CODR_S3 || 'versitygw';
  if (Object.hasOwn(kinds, name)) return kinds[name as keyof typeof kinds];
  throw new Error(`CODR_S3=${name}: there are ${Object.keys(kinds).join(', ')}`);
}

async function startS3(): Promise<S3Server> {
  process.env.AWS_ACCESS_KEY_ID = keys.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = keys.secretAccessKey;
  const kind = wantedKind();
  const running = process.env.CODR_S3_URL;
  if (running) return serverAt({ endpoint: running, stop: async () => {} }, kind);
  const folder = await mkdtemp(join(tmpdir(), 'codr-s3-'));
  return serverAt(await kind.start(folder, keys), kind);
}

function serverAt({ endpoint, stop }: S3Process, keeps: S3Kind): S3Server {
  const region = 'us-east-1';
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: keys });
  let buckets = 0;
  return {
    ...{ endpoint, keeps, client },
    async bucket({ versioned = false, locked = false } = {}) {
      const Bucket = `codr-test-${process.pid}-${Date.now()}-${buckets++}`;
      await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: locked }));
      if (versioned) {
        const VersioningConfiguration = { Status: 'Enabled' } as const;
        await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
      }
      if (locked) {
        const DefaultRetention = { Mode: 'COMPLIANCE', Days: 1 } as const;
        const ObjectLockConfiguration = {
          ...{ ObjectLockEnabled: 'Enabled' as const, Rule: { DefaultRetention } },
        };
        const rule = new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration });
        await client.send(rule);
      }
      return Bucket;
    },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await stop();
    },
  };
}
