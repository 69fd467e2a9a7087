// Bundles src/ into dist/: one entry, a chunk for each command that is imported dynamically, native modules left outside.
// Cron starts the program every minute, so that its start is made short here: `npm run bench` shows what each step brings.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
let esbuild;
try {
  esbuild = require('esbuild');
} catch {
  // An installation from the packed tarball carries dist/ and no build tools.
  process.exit(0);
}

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = fileURLToPath(new URL('../dist', import.meta.url));
const external = ['better-sqlite3', 'mysql2', 'pg', 'pg-native', 'pino-pretty'];
const common = { platform: 'node', target: 'node20', minifySyntax: true, minifyWhitespace: true, logLevel: 'warning' };

/** Parts of libraries that the program never uses and that would be loaded at each start all the same. */
const leftOut = {
  // got: HTTP/2, its cache and its DNS cache, all three off unless asked for. The first loads node:http2.
  'http2-wrapper':
    'const refuse = () => { throw new Error("HTTP/2 is left out of this build"); }; export default { auto: refuse };',
  'cacheable-request':
    'export class CacheError extends Error {} export default class { constructor() { throw new Error("got\'s cache is left out of this build"); } }',
  'cacheable-lookup':
    'export default class { constructor() { throw new Error("got\'s DNS cache is left out of this build"); } }',
  // pino: worker threads for transports; we give it a destination of our own.
  'thread-stream':
    'module.exports = class { constructor() { throw new Error("pino\'s transports are left out of this build"); } };',
};

/** What libraries do at once when they are loaded, and we need later or never: [file, what stands there, what does the same later]. */
const delayed = [
  // The first Intl object of a process reads ICU's tables, 10 to 20 ms; these two word the messages of failed assertions.
  [
    /@sindresorhus\/is\/distribution\/index\.js$/,
    /new (Intl\.ListFormat\([^)]*\))/g,
    '{ format: (list) => new $1.format(list) }',
  ],
  // For subcommands that are programs of their own, which we have none of.
  [
    /\/commander\/lib\/command\.js$/,
    /const childProcess = require\('node:child_process'\);/g,
    "const childProcess = { get spawn() { return require('node:child_process').spawn; } };",
  ],
];

const lean = {
  name: 'lean',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${Object.keys(leftOut).join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'left-out',
    }));
    build.onLoad({ filter: /./, namespace: 'left-out' }, ({ path }) => ({ contents: leftOut[path] }));
    for (const [filter, now, later] of delayed) {
      build.onLoad({ filter }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        const contents = text.replace(now, later);
        if (contents === text) throw new Error(`${path} has changed: look at what scripts/build.mjs delays in it`);
        return { contents };
      });
    }
  },
};

const bundle = await esbuild.build({
  ...common,
  entryPoints: { main: 'src/cli/main.ts' },
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  legalComments: 'none',
  external,
  plugins: [lean],
  define: { 'import.meta.url': '__file' },
  write: false,
});

/**
 * esbuild splits ES modules only, while CommonJS starts faster: Node.js 20 spends some 8 ms on its ES module loader and
 * half a millisecond on each file, of which there are thirty.
 */
async function commonJs(text) {
  const { code } = await esbuild.transform(text, { ...common, format: 'cjs', supported: { 'dynamic-import': false } });
  return code.includes('__file') ? `const __file=require('node:url').pathToFileURL(__filename).href;${code}` : code;
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
await Promise.all(bundle.outputFiles.map(async ({ path, text }) => writeFile(path, await commonJs(text))));
await writeFile(`${dist}/package.json`, '{ "type": "commonjs" }\n');
