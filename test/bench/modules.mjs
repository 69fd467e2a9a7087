// What each library adds to a start of the program: bundled as the program bundles it, loaded by a process that does nothing else.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** A use where loading alone does not yet cost what the program pays. */
const MODULES = {
  commander: "import { Command } from 'commander'; new Command('x').parse([], { from: 'user' });",
  dotenv: "import { parse } from 'dotenv'; parse('A=1');",
  yaml: "import { parseDocument } from 'yaml'; parseDocument('a: { b: 1 }').toJS();",
  pino: "import pino from 'pino'; pino({ base: null }, { write: () => undefined }).info('x');",
  kysely: "import * as kysely from 'kysely'; if (!kysely.Kysely) throw new Error();",
  'better-sqlite3, a database in memory':
    "import Sqlite from 'better-sqlite3'; new Sqlite(':memory:').prepare('SELECT 1').get();",
  'node:http, loaded': "import http from 'node:http'; new http.Agent();",
  'got, p-retry and p-throttle, loaded':
    "import got from 'got'; import retry from 'p-retry'; import throttle from 'p-throttle'; if (!got || !retry || !throttle) throw new Error();",
  'libphonenumber-js (not loaded by an idle poll)': "import parse from 'libphonenumber-js/min'; parse('+77011234567');",
  'zod (not loaded by an idle poll)': "import { z } from 'zod'; z.object({ a: z.string() }).parse({ a: 'x' });",
};

/** Rows of a table: module, milliseconds above bare Node. */
export async function measureModules({ root, rounds, timeNode, median }) {
  // Inside the project, for native modules stay outside of bundles and are looked for upwards from where the script lies.
  const folder = join(root, 'node_modules', '.cache', `sdelka-bench-${process.pid}`);
  try {
    const scripts = await Promise.all(
      Object.entries(MODULES).map(async ([name, source], at) => [
        name,
        await bundle(root, join(folder, `${at}.mjs`), source),
      ]),
    );
    return measure(scripts, { rounds, timeNode, median });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bundle(root, outfile, contents) {
  await build({
    stdin: { contents, resolveDir: root },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    external: ['better-sqlite3'],
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
    logLevel: 'warning',
  });
  return outfile;
}

function measure(scripts, { rounds, timeNode, median }) {
  const bare = [];
  const times = new Map(scripts.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    bare.push(timeNode(['-e', '0']));
    for (const [name, script] of scripts) times.get(name).push(timeNode([script]));
  }
  const floor = median(bare);
  const rows = [...times].map(([name, values]) => [name, (median(values) - floor).toFixed(1)]);
  return [['bare Node itself', floor.toFixed(1)], ...rows];
}
