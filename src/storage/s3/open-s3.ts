// An S3 store at a URL: the client, with credentials from the usual chain (environment, shared files, web
// identity, the machine's role), and its connections.
import { Agent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import type { Random } from '../../base/random.ts';
import type { StoreLack } from '../object-store.ts';
import { S3ObjectStore } from './s3-object-store.ts';
import { parseS3Url, readCa } from './s3-url.ts';

interface S3Context {
  readonly random: Random;
  readonly onLack?: (lack: StoreLack) => void;
}

const connectMsMax = 10_000;
/** Without a byte for so long a connection counts as dead. */
const silenceMsMax = 60_000;
/** Of servers that are not Amazon's most ignore it, but a signature needs one. */
const regionDefault = 'us-east-1';

/** Nothing is asked of the server yet. Errors: `usage`. */
export async function openS3(url: string, { random, onLack }: S3Context): Promise<S3ObjectStore> {
  const place = parseS3Url(url);
  const { endpoint, pathStyle } = place;
  const region = place.region ?? (endpoint === undefined ? undefined : regionDefault);
  const ca = place.ca === undefined ? undefined : await readCa(place.ca);
  const client = new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    // A sum comes with each object that is written, and our own sums prove what is read.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectMsMax,
      socketTimeout: silenceMsMax,
      ...(ca !== undefined && { httpsAgent: new Agent({ keepAlive: true, maxSockets: 50, ca }) }),
    },
  });
  return new S3ObjectStore(client, place, random, onLack);
}
