// Bundles src/ into dist/: one entry, a chunk for each command that is imported dynamically, native modules left outside.
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
let esbuild;
try {
  esbuild = require('esbuild');
} catch {
  // An installation from the packed tarball carries dist/ and no build tools.
  process.exit(0);
}

await rm(new URL('../dist', import.meta.url), { recursive: true, force: true });
await esbuild.build({
  entryPoints: { main: 'src/cli/main.ts' },
  absWorkingDir: new URL('..', import.meta.url).pathname,
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  sourcemap: false,
  legalComments: 'none',
  external: ['better-sqlite3', 'pg', 'pg-native', 'pino-pretty'],
  banner: {
    js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
  },
  logLevel: 'warning',
});
