import { defineConfig } from 'vitest/config';

const longest = Number(process.env.SDELKA_TEST_TIMEOUT ?? 120_000);
/** Files share processes, which spares them loading the same modules anew. */
const common = {
  ...{ testTimeout: longest, hookTimeout: longest, pool: 'forks' as const, isolate: false },
  setupFiles: ['test/support/setup.ts'],
};
/** The examples in the documentation are tried on both databases. */
const DOCS = 'test/unit/docs.test.ts';

/** Left to `npm run test:system`, which sets the variable, so that `npm test` ends within five minutes. */
const slow = ['kill', 'reconcile-faults', 'onec-faults', 'calls-faults'].map((name) => `test/crash/${name}.test.ts`);
const left = process.env.SDELKA_CRASH_STRIDE === undefined ? slow : [];

/** Want what Debian packages bring; `npm run test:system` looks for it or installs it, and sets the variable. */
const system = { ...common, name: 'system', include: ['test/system/**/*.test.ts'] };
const isSystem = process.env.SDELKA_SYSTEM !== undefined;

export default defineConfig({
  test: {
    maxWorkers: 3,
    projects: [
      { test: { ...common, name: 'unit', include: ['test/unit/**/*.test.ts'], exclude: [DOCS] } },
      {
        test: {
          ...common,
          name: 'whole',
          include: [DOCS, 'test/{state,jobs,crash,cli}/**/*.test.ts'],
          exclude: left,
          globalSetup: ['test/support/postgres.ts'],
        },
      },
      ...(isSystem ? [{ test: system }] : []),
    ],
  },
});
