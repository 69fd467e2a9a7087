import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Child {
  process: ChildProcess;
  /** The next line of its stdout, parsed; throws with its stderr if it ended before. */
  next(): Promise<unknown>;
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | string>;
}

/** Runs `state-child.ts` as processes of their own (Node 20 runs no TypeScript, so it is bundled first). */
export interface Children {
  start(...argv: string[]): Child;
  /** Kills what still runs and removes the bundle. */
  dispose(): Promise<void>;
}

function watch(child: ChildProcess): Child {
  if (!child.stdout || !child.stderr) throw new Error('the child has no streams');
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  return {
    process: child,
    ended,
    async next() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the child ended: ${errors}`);
      return JSON.parse(value);
    },
  };
}

export async function children(): Promise<Children> {
  // Below node_modules, so that the bundle finds the packages, and the migrations folder upwards.
  const cache = join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const dir = await mkdtemp(join(cache, 'sdelka-test-'));
  const file = join(dir, 'child.mjs');
  await build({
    entryPoints: [join(root, 'test/support/state-child.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
  });
  const started: Child[] = [];
  return {
    start(...argv) {
      const child = watch(spawn(process.execPath, [file, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] }));
      started.push(child);
      return child;
    },
    async dispose() {
      for (const child of started) {
        child.process.kill('SIGKILL');
        await child.ended;
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
