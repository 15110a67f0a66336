// Holds the table of layers: who may import whom, who may touch the world, how long a file may be. It
// reads the sources as text, so that nothing has to be loaded. docs/architecture.md explains the table.
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import { filesBelow, readSource } from './source-files.ts';

interface Layer {
  /** Rooms, or folders and single files of rooms, that may be imported beside the layer's own. */
  readonly imports: readonly string[];
  /** Node's own modules, without `node:`; `all` for rooms that touch the outside world. */
  readonly node: readonly string[] | 'all';
  /** Packages. */
  readonly packages?: readonly string[];
}

/** Modules that compute and touch nothing. */
const pure = ['crypto', 'zlib', 'path', 'url', 'util'];
const everything = [
  'base',
  'model',
  'storage',
  'coordination',
  'connector',
  'repository',
  'cluster',
  'engine',
  'api',
];

/** The first entry whose name begins a file's path is the file's layer. */
const layers: Readonly<Record<string, Layer>> = {
  base: { imports: [], node: pure },
  model: { imports: ['base'], node: pure },
  'storage/memory': { imports: ['base', 'model', 'storage/'], node: pure },
  'storage/local': { imports: ['base', 'model', 'storage/'], node: 'all' },
  'storage/s3': {
    imports: ['base', 'model', 'storage/'],
    node: 'all',
    packages: ['@aws-sdk/client-s3'],
  },
  storage: { imports: ['base', 'model', 'storage/'], node: pure },
  'coordination/etcd': {
    imports: ['base', 'coordination/'],
    node: pure,
    packages: ['etcd3', '@grpc/grpc-js', '@grpc/proto-loader'],
  },
  coordination: { imports: ['base', 'model'], node: pure },
  'connector/memory': { imports: ['base', 'model', 'connector/'], node: pure },
  'connector/mongodb': {
    imports: ['base', 'model', 'connector/'],
    node: 'all',
    packages: ['mongodb', 'xxhash-wasm', 'lru-cache'],
  },
  'connector/cassandra/session': {
    imports: ['base', 'model', 'connector/'],
    node: 'all',
    packages: ['cassandra-driver', 'zod'],
  },
  'connector/cassandra/wire': { imports: ['base', 'model', 'connector/'], node: 'all' },
  'connector/cassandra/target': {
    imports: ['base', 'model', 'connector/'],
    node: 'all',
    packages: ['cassandra-driver'],
  },
  'connector/cassandra': {
    imports: ['base', 'model', 'connector/'],
    node: pure,
    packages: ['lz4-napi', 'snappy'],
  },
  connector: { imports: ['base', 'model', 'connector/'], node: pure },
  repository: {
    imports: ['base', 'model', 'storage/object-store.ts', 'storage/object-name.ts'],
    node: [...pure, 'worker_threads'],
    packages: ['xxhash-wasm', 'lru-cache', 'zod'],
  },
  cluster: { imports: ['base', 'model', 'coordination/coordinator.ts'], node: pure },
  engine: {
    imports: [
      'base',
      'model',
      'repository',
      'cluster',
      'connector/connector.ts',
      'connector/cut-dataset.ts',
      'connector/log-doubt.ts',
      'connector/restore-target.ts',
      'storage/object-store.ts',
    ],
    node: pure,
  },
  'api/generated': {
    imports: [],
    node: [],
    packages: ['@grpc/grpc-js', '@grpc/proto-loader'],
  },
  'api/grpc': {
    imports: ['base', 'model', 'engine', 'cluster'],
    node: pure,
    packages: ['@grpc/grpc-js', '@grpc/proto-loader', '@grpc/reflection', 'grpc-health-check'],
  },
  'api/client': {
    imports: ['base', 'model', 'engine', 'cluster'],
    node: [...pure, 'net', 'tls'],
    packages: ['@grpc/grpc-js'],
  },
  api: { imports: ['base', 'model', 'engine', 'cluster'], node: ['crypto'] },
  node: {
    imports: everything,
    node: 'all',
    packages: ['pino', 'zod', 'mongodb', 'cassandra-driver', 'yaml'],
  },
  cli: { imports: ['base', 'model', 'api', 'node'], node: 'all', packages: ['commander', 'zod'] },
};

/** Folders whose files may read clocks, chance and the process: they are the outside world's edge. */
const worldly = [
  'node/',
  'cli/',
  'storage/local/',
  'connector/mongodb/session/',
  'connector/mongodb/target/',
  'connector/cassandra/session/',
  'connector/cassandra/target/',
];
const lineLimit = 400;

/** What only tests use, and contracts as tests: it is no part of the program. */
const isTest = (path: string): boolean =>
  /\.test\.ts$|[.-]fixture\.ts$|\/conformance[\w-]*\.ts$|\/fake-[\w-]*\.ts$/.test(path);
/** Paths below src, tests and contracts-as-tests left out. */
const sources = filesBelow('src', '.ts')
  .filter((path) => !isTest(path))
  .map((path) => path.slice('src/'.length));
const textOf = new Map(sources.map((path) => [path, readSource(`src/${path}`)]));

test('every source file belongs to a layer, and the reading finds imports at all', () => {
  const strays = sources.filter((path) => layerName(path) === undefined);
  assert.deepEqual(strays, []);
  assert.ok(sources.flatMap((path) => importsOf(textOf.get(path) ?? '')).length > 100);
});

test('a layer imports only what stands in its row of the table', () => {
  const wrong = eachImport(({ path, layer, target }) => {
    if (target === undefined) return false;
    return room(target) !== room(path) && !layer.imports.some((allowed) => begins(target, allowed));
  });
  assert.deepEqual(wrong, []);
});

test('only layers at the edge use modules of Node that touch the outside world', () => {
  const wrong = eachImport(({ layer, specifier }) => {
    if (!specifier.startsWith('node:') || layer.node === 'all') return false;
    return !layer.node.includes(specifier.slice('node:'.length));
  });
  assert.deepEqual(wrong, []);
});

test('a package is used only by the layers that the table names', () => {
  const wrong = eachImport(({ layer, specifier }) => {
    if (specifier.startsWith('node:') || specifier.startsWith('.')) return false;
    return !layer.packages?.includes(specifier);
  });
  assert.deepEqual(wrong, []);
});

test('no connector, store or coordinator imports another one', () => {
  const wrong = eachImport(({ path, target }) => {
    const [own, other] = [twin(path), target === undefined ? undefined : twin(target)];
    return own !== undefined && other !== undefined && own !== other;
  });
  assert.deepEqual(wrong, []);
});

test('imports name a file with its ending, never a folder or an index', () => {
  const wrong = eachImport(
    ({ specifier }) => specifier.startsWith('.') && !/(?<!\/index)\.ts$/.test(specifier),
  );
  assert.deepEqual(wrong, []);
});

test('nothing outside the connectors decides by the kind of a database', () => {
  const wrong = sources.filter((path) => {
    if (begins(path, 'connector/') || begins(path, 'node/demo/')) return false;
    const code = withoutComments(textOf.get(path) ?? '');
    return /(===|!==|\bcase)\s*['"](mongodb|cassandra|scylla)['"]|switch\s*\([\w.]*\.?(connector|source|config)\.kind\)/.test(
      code,
    );
  });
  assert.deepEqual(wrong, []);
});

test('clocks, chance, timers and the process are used only at the edge', () => {
  const world =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\(|\bperformance\.now\b|\brandom(Bytes|UUID|Int|Fill|FillSync)\b|(?<![\w.'"`])process\.(?!env\.NODE)|\bconsole\./;
  const wrong = sources.flatMap((path) => {
    if (worldly.some((edge) => path.startsWith(edge))) return [];
    const match = world.exec(withoutComments(textOf.get(path) ?? ''));
    return match ? [`${path}: ${match[0]}`] : [];
  });
  assert.deepEqual(wrong, []);
});

test(`no file is longer than ${lineLimit} lines`, () => {
  const all = ['src', 'test', 'bench'].flatMap((folder) => filesBelow(folder, '.ts'));
  const wrong = all
    .map((path) => ({ path, lines: readSource(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > lineLimit);
  assert.deepEqual(wrong, []);
});

test('every room has a page that says what it answers for', () => {
  const pages = new Set(filesBelow('src', 'README.md'));
  const rooms = new Set(sources.map((path) => `src/${room(path)}/README.md`));
  const missing = [...rooms].filter((page) => !pages.has(page));
  assert.deepEqual(missing, []);
});

test('every source file begins by saying what it is for', () => {
  const wrong = sources.filter((path) => !/^(#!.*\n)?\/\/ \S/.test(textOf.get(path) ?? ''));
  assert.deepEqual(wrong, []);
});

interface Import {
  readonly path: string;
  readonly layer: Layer;
  readonly specifier: string;
  /** Path below src; undefined for packages and Node's own modules. */
  readonly target: string | undefined;
}

/** `from → to` for each import that `isWrong` says so of. */
function eachImport(isWrong: (item: Import) => boolean): string[] {
  const wrong: string[] = [];
  for (const [path, text] of textOf) {
    const layer = layers[layerName(path) ?? ''];
    if (!layer) continue;
    for (const specifier of importsOf(text)) {
      const target = specifier.startsWith('.')
        ? posix.join(posix.dirname(path), specifier)
        : undefined;
      if (isWrong({ path, layer, specifier, target }))
        wrong.push(`${path} → ${target ?? specifier}`);
    }
  }
  return wrong;
}

/** Static, dynamic and re-exporting imports, type imports too. */
function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const forms = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])([^'"\n]+)\1/g;
  return [...code.matchAll(forms)].map((match) => match[2] as string);
}

/** Good enough for this code: whole-line comments and block comments. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$|\s\/\/ .*$/gm, '');
}

function layerName(path: string): string | undefined {
  return Object.keys(layers).find((name) => begins(path, `${name}/`));
}

/** The single kind that a file belongs to: `storage/local`. Undefined for ports, wrappers and lists. */
function twin(path: string): string | undefined {
  const match = /^((?:storage|coordination|connector)\/[^/]+)\//.exec(path);
  return match?.[1];
}

const room = (path: string): string => path.split('/')[0] ?? '';
const begins = (path: string, start: string): boolean =>
  path === start || path.startsWith(start.endsWith('/') ? start : `${start}/`);
