// What each library adds to a start of the program: as its authors publish it, and as the build leaves it, each loaded by a
// process that does nothing else.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** Chunks of dist/ by a text that stands in them alone; they bring along what they share with others. */
const CHUNKS = {
  'got, p-retry and p-throttle, with our client': 'https://github.com/sindresorhus/got',
  pino: 'pino/lib/proto.js',
  'better-sqlite3 and kysely, with our driver': 'BEGIN IMMEDIATE',
};

function chunksOf(program) {
  const dist = join(dirname(dirname(program)), 'dist');
  const files = readdirSync(dist).filter((file) => file.endsWith('.js') && file !== 'main.js');
  return Object.entries(CHUNKS).map(([name, text]) => {
    const found = files.find((file) => readFileSync(join(dist, file), 'utf8').includes(text));
    if (found === undefined) throw new Error(`no chunk of ${dist} holds "${text}"`);
    return [`in dist/: ${name}`, join(dist, found)];
  });
}

/** Rows of a table: module, milliseconds above bare Node. */
export async function measureModules({ root, program, rounds, timeNode, median }) {
  // Inside the project, for native modules stay outside of bundles and are looked for upwards from where the script lies.
  const folder = join(root, 'node_modules', '.cache', `sdelka-bench-${process.pid}`);
  try {
    const scripts = await Promise.all(
      Object.entries(MODULES).map(async ([name, source], at) => [
        name,
        await bundle(root, join(folder, `${at}.mjs`), source),
      ]),
    );
    return measure([...scripts, ...chunksOf(program)], { rounds, timeNode, median });
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
