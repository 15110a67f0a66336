// `npm run build`: emits the program as JavaScript into dist: what `codr` reaches by imports, and its
// workers. The compiler rewrites the endings of imports; worker modules are found by `moduleUrl`. Tests and
// their fixtures stay behind, the program keeps its first line and is executable. Types come along for what other
// programs import, `codr/client`, and for nothing else.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { filesBelow, rootFolder } from './source-files.ts';

const dist = `${rootFolder}dist`;
const configPath = join(tmpdir(), `codr-build-${process.pid}.json`);

rmSync(dist, { recursive: true, force: true });
writeFileSync(
  configPath,
  JSON.stringify({
    extends: `${rootFolder}tsconfig.json`,
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rootDir: `${rootFolder}src`,
      outDir: dist,
      typeRoots: [`${rootFolder}node_modules/@types`],
    },
    // What the program reaches by imports, and its workers, which no import names.
    files: [
      `${rootFolder}src/cli/main.ts`,
      `${rootFolder}src/node/client.ts`,
      ...filesBelow('src', '-worker.ts').map((path) => rootFolder + path),
    ],
    include: [],
  }),
);
try {
  const { status } = spawnSync(`${rootFolder}node_modules/.bin/tsc`, ['-p', configPath], {
    cwd: rootFolder,
    stdio: 'inherit',
  });
  const program = `${dist}/cli/main.js`;
  if (status === 0 && existsSync(program)) chmodSync(program, 0o755);
  else process.exitCode = 1;
  keepTypes(`${dist}/node/client.d.ts`);
} finally {
  rmSync(configPath, { force: true });
}

/** Leaves those declarations that `entry` reaches; their imports name the emitted files. */
function keepTypes(entry: string): void {
  const kept = new Set<string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (kept.has(path) || !existsSync(path)) continue;
    kept.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, target = ''] of text.matchAll(/from '(\.[^']+)\.ts'/g)) {
      waiting.push(join(dirname(path), `${target}.d.ts`));
    }
    writeFileSync(path, text.replace(/(from '\.[^']+)\.ts'/g, "$1.js'"));
  }
  for (const path of filesBelow('dist', '.d.ts')) {
    if (!kept.has(rootFolder + path)) rmSync(rootFolder + path);
  }
}
