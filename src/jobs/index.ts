import type { JobEntry } from './define.ts';

/** Every job. A module is loaded only when its job runs or its help is asked for. */
export const jobs: readonly JobEntry[] = [
  {
    name: 'kaspi:poll',
    summary: 'New Kaspi orders become amoCRM deals',
    every: 'KASPI_POLL_EVERY',
    load: async () => (await import('./kaspi-poll.ts')).kaspiPoll,
  },
  {
    name: 'kaspi:reconcile',
    summary: 'Kaspi orders of the window: missed ones created, changed ones updated in amoCRM',
    every: 'KASPI_RECONCILE_EVERY',
    load: async () => (await import('./kaspi-reconcile.ts')).kaspiReconcile,
  },
  {
    name: 'onec:export',
    summary: '1C work orders and customer orders become amoCRM deals, and deals follow them',
    every: 'ONEC_EXPORT_EVERY',
    load: async () => (await import('./onec-export.ts')).onecExport,
  },
  {
    name: 'onec:import',
    summary: 'amoCRM deals become 1C documents, and the states of documents follow their deals',
    every: 'ONEC_IMPORT_EVERY',
    load: async () => (await import('./onec-import.ts')).onecImport,
  },
  {
    name: 'retail:sync-history',
    summary: "RetailCRM's changes of customers and orders kept in the local tables",
    every: 'RETAIL_SYNC_HISTORY_EVERY',
    load: async () => (await import('./retail-sync-history.ts')).retailSyncHistory,
  },
  {
    name: 'retail:sync-calls',
    summary: "The PBX's calls go to RetailCRM with customer, manager and recording; missed ones make tasks",
    every: 'RETAIL_SYNC_CALLS_EVERY',
    load: async () => (await import('./retail-sync-calls.ts')).retailSyncCalls,
  },
  {
    name: 'amo:refresh-token',
    summary: 'The OAuth pair renewed where it is due',
    every: 'AMO_REFRESH_TOKEN_EVERY',
    load: async () => (await import('./amo-refresh-token.ts')).amoRefreshToken,
  },
  {
    name: 'watchdog',
    summary: 'Heartbeats, failures, backlog, freshness and tokens checked; alerts sent and cleared',
    every: 'WATCHDOG_EVERY',
    load: async () => (await import('./watchdog.ts')).watchdog,
  },
  {
    name: 'audit',
    summary: 'Kaspi orders and amoCRM deals compared as sets, by day; differences by id, alerted',
    every: 'AUDIT_EVERY',
    load: async () => (await import('./audit.ts')).audit,
  },
];
