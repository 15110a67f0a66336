// The types of proto/ in src/api/generated: written by `npm run docs`, compared by `npm run check`. With --check
// it writes nothing and fails when a file is not what it would write.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesBelow, rootFolder } from './source-files.ts';

const place = 'src/api/generated';
const scratch = mkdtempSync(join(tmpdir(), 'codr-protos-'));
try {
  generate(scratch);
  if (process.argv.includes('--check')) compare(scratch);
  else {
    rmSync(rootFolder + place, { recursive: true, force: true });
    cpSync(scratch, rootFolder + place, { recursive: true });
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function generate(folder: string): void {
  const protos = filesBelow('proto', '.proto').map((path) => path.slice('proto/'.length));
  const options = [
    '--longs=String',
    '--enums=String',
    '--defaults',
    '--oneofs',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.ts',
    '--includeDirs=.',
    `--outDir=${folder}`,
  ];
  const program = `${rootFolder}node_modules/.bin/proto-loader-gen-types`;
  const ran = spawnSync(program, [...options, ...protos], {
    cwd: `${rootFolder}proto`,
    encoding: 'utf8',
  });
  if (ran.status !== 0) {
    throw new Error(`proto-loader-gen-types: ${ran.error?.message ?? ran.stderr}`);
  }
  // One for each file of protos, for a way of loading that is not ours.
  for (const path of filesIn(folder)) if (!path.includes('/')) rmSync(join(folder, path));
}

function compare(folder: string): void {
  const made = new Map(
    filesIn(folder).map((path) => [path, readFileSync(join(folder, path), 'utf8')]),
  );
  const kept = filesBelow(place, '.ts').map((path) => path.slice(place.length + 1));
  const stale = [...made].filter(([path, text]) => text !== keptText(path)).map(([path]) => path);
  const surplus = kept.filter((path) => !made.has(path));
  for (const path of [...stale, ...surplus]) {
    console.error(`${place}/${path} is not current: npm run docs`);
  }
  process.exitCode = stale.length + surplus.length === 0 && made.size > 0 ? 0 : 1;
}

function keptText(path: string): string | undefined {
  try {
    return readFileSync(join(rootFolder, place, path), 'utf8');
  } catch {
    return undefined;
  }
}

function filesIn(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return all.filter((path) => path.endsWith('.ts'));
}
