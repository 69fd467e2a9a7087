import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const DAY_MS = 86_400_000;
const builds = join(root, 'node_modules', '.cache', 'sdelka-test');

/** How a run of the built program ended. */
export interface Outcome {
  /** Null where a signal killed it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** stderr as log records; a line that is no JSON object stands as `{ notJson: line }`, so that a test can see it. */
  lines: Record<string, unknown>[];
}

export interface StartOptions {
  /** The whole environment beside PATH: nothing of the test's own leaks in. */
  env?: Record<string, string>;
  cwd?: string;
  /** Another script than bin/sdelka.js, e.g. one made by `buildScript`. */
  script?: string;
}

export interface Started {
  child: ChildProcess;
  done: Promise<Outcome>;
}

/** Runs `node bin/sdelka.js …` as an operator would, and waits for its end. */
export async function sdelka(args: readonly string[], options: StartOptions = {}): Promise<Outcome> {
  const started = await startSdelka(args, options);
  return await started.done;
}

/** Starts the built program, for tests that send signals or close its streams. */
export async function startSdelka(args: readonly string[], options: StartOptions = {}): Promise<Started> {
  const script = options.script ?? join(await builtProgram(), 'bin', 'sdelka.js');
  // Without the dashes Node.js 20 takes our --env-file for its own, loads it, and fails by itself where it is missing.
  const child = spawn(process.execPath, ['--', script, ...args], {
    cwd: options.cwd ?? root,
    env: { PATH: process.env.PATH ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, done: outcomeOf(child) };
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...end) => resolve(end));
  });
  const log = Buffer.concat(stderr).toString();
  return { code, signal, stdout: Buffer.concat(stdout).toString(), stderr: log, lines: records(log) };
}

function records(log: string): Record<string, unknown>[] {
  return log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const record: unknown = JSON.parse(line);
        return typeof record === 'object' && record !== null ? { ...record } : { notJson: line };
      } catch {
        return { notJson: line };
      }
    });
}

let built: Promise<string> | undefined;

/**
 * The folder of the program built from the sources as they are now: `bin/`, `dist/`. The project's own build script makes it,
 * in a copy of the project's outline, so that tests neither wait for `npm run build` nor change `dist/` under somebody's feet.
 * It is kept by the sources' hash, for other test files and later runs.
 */
export function builtProgram(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const folder = join(builds, hashOf(['src', 'scripts/build.mjs', 'package.json', 'bin']));
  if (existsSync(folder)) {
    return folder;
  }
  dropOldBuilds();
  const draft = outline(`${folder}.${process.pid}`);
  await run(process.execPath, [join(draft, 'scripts', 'build.mjs')], { cwd: draft });
  return publish(draft, folder);
}

function dropOldBuilds(): void {
  for (const name of existsSync(builds) ? readdirSync(builds) : []) {
    const path = join(builds, name);
    if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY) < Date.now() - DAY_MS) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

function outline(folder: string): string {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'bin'), join(folder, 'bin'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  cpSync(join(root, 'scripts', 'build.mjs'), join(folder, 'scripts', 'build.mjs'));
  for (const name of ['src', 'migrations']) {
    symlinkSync(join(root, name), join(folder, name));
  }
  return folder;
}

/** Another worker may have been faster; its build is as good as ours. */
function publish(draft: string, folder: string): string {
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) {
      throw error;
    }
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

/** Bundles a TypeScript file of the tests into a script that a real Node process can run. */
export async function buildScript(source: string): Promise<string> {
  const script = join(builds, `${hashOf(['src', source])}.mjs`);
  if (!existsSync(script)) {
    const esbuild = await import('esbuild');
    const draft = `${script}.${process.pid}`;
    await esbuild.build({
      entryPoints: [join(root, source)],
      outfile: draft,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: ['better-sqlite3', 'pg', 'pg-native', 'pino-pretty'],
      banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
      logLevel: 'warning',
    });
    renameSync(draft, script);
  }
  return script;
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of paths.flatMap((path) => filesOf(join(root, path)))) {
    hash.update(file).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) {
    return [path];
  }
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
