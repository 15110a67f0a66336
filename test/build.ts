// `npm run build`: emits the program as JavaScript into dist: what `codr` reaches by imports, and its
// workers. The compiler rewrites the endings of imports; worker modules are found by `moduleUrl`. Tests and
// their fixtures stay behind, the program keeps its first line and is executable.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
      rootDir: `${rootFolder}src`,
      outDir: dist,
      typeRoots: [`${rootFolder}node_modules/@types`],
    },
    // What the program reaches by imports, and its workers, which no import names.
    files: [
      `${rootFolder}src/cli/main.ts`,
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
} finally {
  rmSync(configPath, { force: true });
}
