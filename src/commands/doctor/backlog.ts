import { cleanText } from '../../base/redact.ts';
import type { CoreSettings } from '../../config/settings.ts';
import { statusReport } from '../../insight/status.ts';
import type { Database } from '../../state/database.ts';
import type { Findings } from './findings.ts';

const MOST_ALERTS = 10;

/** What waits, what fails, what is paused and what is still open. */
export async function checkBacklog(
  findings: Findings,
  database: Database,
  settings: CoreSettings,
  now: Date,
): Promise<void> {
  const { backlog, failed_records, breakers, alerts } = await statusReport(database, now, []);
  const waiting = sum(Object.values(backlog)) + sum(Object.values(failed_records));
  const message = `${sum(Object.values(backlog))} effects wait, ${sum(Object.values(failed_records))} records fail`;
  if (waiting > settings.ALERT_BACKLOG_THRESHOLD) {
    findings.warn('backlog', message, '`sdelka failed` names the records, `sdelka explain` tells what each waits for.');
  } else {
    findings.ok('backlog', message);
  }
  for (const { system, open_until } of breakers) {
    const remedy = `It is asked again then by itself. If this returns: fewer requests (AMO_RPS), or the account is blocked.`;
    findings.warn(`pause of ${system}`, `no request leaves before ${open_until}`, remedy);
  }
  for (const alert of alerts.slice(0, MOST_ALERTS)) {
    findings.warn(`alert ${alert.kind}`, cleanText(alert.message), `Open since ${alert.opened_at}.`);
  }
  if (alerts.length > MOST_ALERTS) {
    findings.warn('alerts', `${alerts.length - MOST_ALERTS} more are open`, '`sdelka status` lists them all.');
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
