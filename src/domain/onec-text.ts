import type { OnecDocument, OnecLocal } from './onec.ts';

/** Names that people type differ in case, in ё and е, and in blanks; two names are the same where their folds are. */
export function foldName(name: string): string {
  return name.trim().toLowerCase().replaceAll('ё', 'е').replace(/\s+/g, ' ');
}

/** `2025-05-27T08:32:24` → `27.05.2025 08:32:24`, as 1C prints a document's date. */
function localText(local: OnecLocal): string {
  const [, year, month, day, time] = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2}:\d{2})/.exec(local) ?? [];
  return year === undefined ? local : `${day}.${month}.${year} ${time}`;
}

/** The values that a template of a deal's name may use; what the document does not have is ''. The amount is in whole units. */
export function documentValues(document: OnecDocument): Record<string, string> {
  return {
    number: document.number,
    date: localText(document.date),
    client: document.client?.name ?? '',
    organization: document.organization?.name ?? '',
    department: document.department?.name ?? '',
    state: document.state?.name ?? '',
    amount: String(document.amountMinor / 100),
    car: document.car,
  };
}
