import type { CommandEntry } from './define.ts';

/** Every command that is not a job; a module is loaded only when its command is run or its help asked for. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'migrate',
    summary: 'Makes the database if there is none and brings it to the newest schema',
    load: async () => (await import('./migrate.ts')).migrateCommand,
  },
  {
    name: 'doctor',
    summary: 'Checks settings, mapping, database, both APIs, tokens and the ids of the mapping; says what to do',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'status',
    summary: "Last runs, cursors, backlog, failures, tokens' expiry",
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'stats',
    summary: 'The daily figures',
    load: async () => (await import('./stats.ts')).statsCommand,
  },
  {
    name: 'crontab',
    summary: 'Prints the crontab for the jobs that are configured',
    load: async () => (await import('./crontab.ts')).crontabCommand,
  },
  {
    name: 'alerts:test',
    summary: 'Sends a test alert over every configured channel',
    load: async () => (await import('./alerts-test.ts')).alertsTestCommand,
  },
  {
    name: 'amo:auth',
    summary: 'Exchanges an authorization code; without one, prints the address to open',
    load: async () => (await import('./amo.ts')).amoAuthCommand,
  },
  {
    name: 'amo:check',
    summary: 'The connection test',
    load: async () => (await import('./amo.ts')).amoCheckCommand,
  },
  {
    name: 'amo:account',
    summary: 'Pipelines, stages, users, fields, catalogs with their ids',
    load: async () => (await import('./amo.ts')).amoAccountCommand,
  },
  {
    name: 'amo:index',
    summary: 'Fills the index of contacts and companies, with progress',
    load: async () => (await import('./amo.ts')).amoIndexCommand,
  },
  {
    name: 'sandbox',
    summary: 'Local stand-ins of every remote system; prints the env file that points sdelka at them',
    load: async () => (await import('./sandbox.ts')).sandboxCommand,
  },
  {
    name: 'demo',
    summary: 'A sandbox, a temporary SQLite database and real passes against them, in one go',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
];
