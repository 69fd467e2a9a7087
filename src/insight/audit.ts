import { type Audit, DIFFERENCE_KINDS } from '../domain/audit.ts';
import { lastAuditOf } from '../state/audit.ts';
import type { Database } from '../state/database.ts';

/** The last audit of Kaspi against amoCRM; undefined where none was made here. One read by key. */
export function lastAudit(database: Database): Promise<Audit | undefined> {
  return lastAuditOf(database.db, 'kaspi');
}

export const AUDIT_HEAD = ['day', 'Kaspi', 'amoCRM', 'differences'] as const;

export function auditRows(audit: Audit): (string | number)[][] {
  return audit.days.map(({ day, kaspi, amocrm, differences }) => [day, kaspi, amocrm, differences]);
}

/** So many lines of each kind fit on a screen; `--json` has them all. */
const SHOWN = 20;

/** The differences line by line, for a terminal. */
export function auditLines(audit: Audit): string[] {
  const lines: string[] = [];
  for (const kind of DIFFERENCE_KINDS) {
    const count = audit.counts[kind] ?? 0;
    if (count === 0) continue;
    lines.push(`${kind}: ${count}`);
    for (const one of audit.differences.filter((difference) => difference.kind === kind).slice(0, SHOWN)) {
      const deals = one.deals.length === 0 ? '' : `, deal ${one.deals.join(', ')}`;
      const values = one.expected === undefined ? '' : `: ${one.found ?? ''}, expected ${one.expected}`;
      lines.push(`  order ${one.order} of ${one.day}${deals}${values}`);
    }
    if (count > SHOWN) lines.push(`  … and ${count - SHOWN} more`);
  }
  if (lines.length === 0) lines.push('No differences.');
  if (audit.on_its_way.length > 0) lines.push(`On their way, not judged yet: ${audit.on_its_way.length}.`);
  if (audit.orphans.length > 0) {
    lines.push(`Deals with a code that Kaspi does not list for this time: ${audit.orphans.length}.`);
  }
  return lines;
}
