// `npm run build`: emits src as JavaScript into dist. The compiler rewrites the endings of imports; worker
// modules are found by `moduleUrl`. Tests stay behind, the program keeps its first line and is executable.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootFolder } from './source-files.ts';

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
    include: [`${rootFolder}src`],
    exclude: ['*.test.ts', '*fixture.ts', 'conformance*.ts', 'fake-*.ts'].map(
      (name) => `${rootFolder}src/**/${name}`,
    ),
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
