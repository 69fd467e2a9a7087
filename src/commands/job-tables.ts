import type { Clock } from '../base/clock.ts';
import type { Tables } from '../runner/job.ts';
import { auditBook } from '../state/audit.ts';
import { callBook } from '../state/calls.ts';
import type { Database } from '../state/database.ts';
import { dealBook } from '../state/deal-links.ts';
import { dueKaspiOrders, markKaspiOrderLooked, saveKaspiOrders } from '../state/kaspi-orders.ts';
import { getMeta, setMeta } from '../state/meta.ts';
import {
  dealsImported,
  dealsUnderWay,
  documentsOfDeals,
  saveSeenDocuments,
  seenDocuments,
} from '../state/onec-documents.ts';

const EXPORT_RULES = 'onec_export_rules';

/** The tables that jobs keep for operators, over one database; in a dry run nothing is written by them. */
export function jobTables(database: Database, clock: Clock, dryRun: boolean) {
  return {
    kaspiOrders: {
      save: saveKaspiOrders,
      due: (due) => dueKaspiOrders(database.db, due),
      looked: async (code, at) => {
        if (!dryRun) await markKaspiOrderLooked(database.db, code, at);
      },
    },
    audits: auditBook(database, clock, dryRun),
    onec: {
      seen: (refs) => seenDocuments(database.db, refs),
      save: saveSeenDocuments,
      rules: () => getMeta(database.db, EXPORT_RULES),
      keepRules: async (rules, at) => {
        if (!dryRun) await database.transaction((tx) => setMeta(tx, EXPORT_RULES, rules, at));
      },
      refsOfDeals: (dealIds) => documentsOfDeals(database.db, dealIds),
      dealsImported: () => dealsImported(database.db),
      dealsUnderWay: () => dealsUnderWay(database.db),
    },
    deals: dealBook(database, dryRun),
    calls: callBook(database, dryRun),
  } satisfies Tables;
}
