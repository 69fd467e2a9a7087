import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,state,jobs,crash,cli}/**/*.test.ts'],
    globalSetup: ['test/support/postgres.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 3,
  },
});
