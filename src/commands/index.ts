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
    summary:
      'Checks settings, mapping, database, clock, every configured API, rights, ids, locks and cron; says what to do',
    load: async () => (await import('./doctor/index.ts')).doctorCommand,
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
    name: 'explain',
    summary: 'Everything known of one record: when seen, what was decided, sent and answered, what happens next',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  {
    name: 'failed',
    summary: 'Records that keep failing, with the reason',
    load: async () => (await import('./failed.ts')).failedCommand,
  },
  {
    name: 'retry',
    summary: 'Queues failed records again at once',
    load: async () => (await import('./retry.ts')).retryCommand,
  },
  {
    name: 'ignore',
    summary: 'Sets a failed record aside for good',
    load: async () => (await import('./ignore.ts')).ignoreCommand,
  },
  {
    name: 'tick',
    summary: 'Runs in turn, in one process, every job that is due: one crontab line for all',
    load: async () => (await import('./tick.ts')).tickCommand,
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
    name: 'onec:list',
    summary: 'The documents of the window and their exchange state, as the 1C form showed them',
    load: async () => (await import('./onec-list/index.ts')).onecListCommand,
  },
  {
    name: 'retail:register',
    summary: 'Registers or updates the telephony module in RetailCRM',
    load: async () => (await import('./retail-register.ts')).retailRegisterCommand,
  },
  {
    name: 'retail:listen',
    summary: 'Stays beside a PBX: its events become RetailCRM call events at once, so that cards pop up',
    load: async () => (await import('./retail-listen.ts')).retailListenCommand,
  },
  {
    name: 'retail:call',
    summary: "Click-to-call by hand: rings the manager's phone, then dials the client",
    load: async () => (await import('./retail-call.ts')).retailCallCommand,
  },
  {
    name: 'retail:report',
    summary: 'Call statistics, conversion to orders, handling time',
    load: async () => (await import('./retail-report.ts')).retailReportCommand,
  },
  {
    name: 'adopt',
    summary: 'Binds deals that another integrator made, so that nothing is made twice',
    load: async () => (await import('./adopt.ts')).adoptCommand,
  },
  {
    name: 'settings:export',
    summary: 'Writes the mapping and every setting that is no secret into one file',
    load: async () => (await import('./settings-file.ts')).settingsExportCommand,
  },
  {
    name: 'settings:import',
    summary: 'Takes the mapping and the settings of such a file into the env file and the mapping file',
    load: async () => (await import('./settings-file.ts')).settingsImportCommand,
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
