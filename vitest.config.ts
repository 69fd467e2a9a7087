import { defineConfig } from 'vitest/config';

const longest = Number(process.env.SDELKA_TEST_TIMEOUT ?? 120_000);
const common = { testTimeout: longest, hookTimeout: longest, pool: 'forks' as const };
/** The examples in the documentation are tried on both databases. */
const DOCS = 'test/unit/docs.test.ts';

export default defineConfig({
  test: {
    maxWorkers: 3,
    projects: [
      // Pure functions, and servers of their own: these files share processes, which spares them loading the same modules anew.
      { test: { ...common, name: 'unit', include: ['test/unit/**/*.test.ts'], exclude: [DOCS], isolate: false } },
      {
        test: {
          ...common,
          name: 'whole',
          include: [DOCS, 'test/{state,jobs,crash,cli}/**/*.test.ts'],
          globalSetup: ['test/support/postgres.ts'],
        },
      },
    ],
  },
});
