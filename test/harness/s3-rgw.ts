// Ceph's S3 gateway, 16.2 as Debian 12 has it: one monitor, one store in memory, one gateway. It stands for old and
// incomplete servers: it keeps no checksums, and forgets conditions in buckets that keep versions. Its packages are
// pinned and only unpacked; its command line wants the Python of that Debian.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpacked } from './debian.ts';
import type { S3Keys, S3Process } from './s3.ts';
import { rgwPackages } from './s3-rgw-packages.ts';
import { answers, freePorts, startWatched, untilReady, type Watched } from './watched.ts';

const run = promisify(execFile);
const readyMsMax = 120_000;
const commandMsMax = 60_000;
const python = '/usr/bin/python3';
/** Of the gateway, the monitor, and what the store takes. */
const portCount = 40;

/** All of it lies in `folder` and in memory. */
export async function startRgw(folder: string, keys: S3Keys): Promise<S3Process> {
  const tree = await unpacked('ceph-16.2.15', rgwPackages);
  const port = await freePorts(portCount);
  const parts = ['mon', 'osd', 'rgw', 'run'] as const;
  for (const part of parts) await mkdir(join(folder, part));
  const config = join(folder, 'ceph.conf');
  const id = randomUUID();
  await writeFile(config, configOf({ folder, tree, port, id }));
  await writeFile(join(folder, 'keyring'), '');
  const ceph = new Ceph(tree, folder, config);
  try {
    await ceph.begin(id, `127.0.0.1:${port + 1}`);
    const endpoint = `http://127.0.0.1:${port}`;
    const gateway = ceph.start('radosgw', '-n', 'client.rgw.a', '-f');
    const isReady = () => answers(endpoint, (status) => status === 200);
    await untilReady('radosgw', { isReady, msMax: readyMsMax, of: [gateway] });
    const names = ['--uid', 'codr', '--display-name', 'codr'];
    const secrets = ['--access-key', keys.accessKeyId, '--secret-key', keys.secretAccessKey];
    await ceph.run('radosgw-admin', '-c', config, 'user', 'create', ...names, ...secrets);
    return { endpoint, stop: () => ceph.stop() };
  } catch (error) {
    await ceph.stop();
    throw error;
  }
}

class Ceph {
  readonly #tree: string;
  readonly #folder: string;
  readonly #config: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #running: Watched[] = [];

  constructor(tree: string, folder: string, config: string) {
    this.#tree = tree;
    this.#folder = folder;
    this.#config = config;
    const libraries = ['usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/ceph'];
    const paths = [...libraries, 'lib/x86_64-linux-gnu'].map((path) => join(tree, path));
    this.#environment = {
      LD_LIBRARY_PATH: paths.join(':'),
      PYTHONPATH: join(tree, 'usr/lib/python3/dist-packages'),
    };
  }

  /** A monitor and a store that know each other; without a manager, which only counts. */
  async begin(id: string, monitor: string): Promise<void> {
    const map = join(this.#folder, 'monmap');
    await this.run('monmaptool', '--create', '--fsid', id, '--addv', 'a', `[v1:${monitor}]`, map);
    const keyring = join(this.#folder, 'keyring');
    const own = ['-c', this.#config, '-i', 'a'];
    await this.run('ceph-mon', ...own, '--mkfs', '--monmap', map, '--keyring', keyring);
    this.start('ceph-mon', '-i', 'a', '-f', '--public-addr', monitor);
    await this.#ask('osd', 'create');
    const store = ['-c', this.#config, '-i', '0', '--mkfs', '--osd-uuid', randomUUID()];
    await this.run('ceph-osd', ...store);
    await this.#ask('osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=local');
    this.start('ceph-osd', '-i', '0', '-f');
  }

  start(program: string, ...args: readonly string[]): Watched {
    const path = join(this.#tree, 'usr/bin', program);
    const watched = startWatched([path, '-c', this.#config, ...args], {
      folder: this.#folder,
      name: program,
      environment: this.#environment,
    });
    this.#running.push(watched);
    return watched;
  }

  /** To its end. */
  async run(program: string, ...args: readonly string[]): Promise<void> {
    await this.#run(join(this.#tree, 'usr/bin', program), args);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((watched) => watched.stop()));
  }

  /** Waits until the monitor answers. */
  async #ask(...words: readonly string[]): Promise<void> {
    const program = join(this.#tree, 'usr/bin/ceph');
    await this.#run(python, [program, '-c', this.#config, '--connect-timeout', '30', ...words]);
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    const env = { ...process.env, ...this.#environment };
    const options = { env, timeout: commandMsMax, cwd: this.#folder };
    const { stdout, stderr } = await run(program, [...args], options);
    await appendFile(join(this.#folder, 'commands.log'), `${stdout}${stderr}`);
  }
}

interface Place {
  readonly folder: string;
  readonly tree: string;
  readonly port: number;
  readonly id: string;
}

/** For 127.0.0.1 alone, without authentication among its parts; everything is stored once. */
function configOf({ folder, tree, port, id }: Place): string {
  const libraries = join(tree, 'usr/lib/x86_64-linux-gnu');
  return `[global]
fsid = ${id}
mon host = [v1:127.0.0.1:${port + 1}]
ms bind ipv6 = false
ms bind msgr2 = false
ms bind port min = ${port + 2}
ms bind port max = ${port + portCount - 1}
public addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
plugin dir = ${libraries}/ceph
erasure code dir = ${libraries}/ceph/erasure-code
osd class dir = ${libraries}/rados-classes
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
log file = ${folder}/$name.log
mon cluster log file = ${folder}/cluster.log
keyring = ${folder}/keyring
[mon]
mon data = ${folder}/mon
mon data avail warn = 1
mon data avail crit = 1
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4G
osd memory target = 939524096
[client.rgw.a]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port}
rgw thread pool size = 64
rgw dns name = 127.0.0.1
`;
}
