import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usageError } from '../base/errors.ts';
import { type CdrScript, generateCdr, writeCdrSqlite } from './cdr.ts';
import type { RetailcrmStandin } from './retailcrm.ts';

/** The firm's people: their phones' numbers, and their users in RetailCRM. */
export const FIRM_STAFF = [
  { userId: 24, extension: '201', email: 'anna@firm.example', firstName: 'Анна', lastName: 'Громова' },
  { userId: 25, extension: '202', email: 'boris@firm.example', firstName: 'Борис', lastName: 'Левин' },
  { userId: 26, extension: '203', email: 'vera@firm.example', firstName: 'Вера', lastName: 'Савич' },
  { userId: 27, extension: '204', email: 'gleb@firm.example', firstName: 'Глеб', lastName: 'Титов' },
] as const;

export const FIRM_ZONE = 'Europe/Moscow';

/** Call records in a file. */
export interface CdrFile {
  file: string;
  script: CdrScript;
  /** Removes the file. */
  close(): void;
}

/** Users with their extensions and a telephony module, without which RetailCRM takes no calls. */
export function staffRetailcrm(crm: RetailcrmStandin): void {
  const additionalCodes = FIRM_STAFF.map(({ userId, extension }) => ({ userId, code: extension }));
  crm.seed({
    users: FIRM_STAFF.map(({ userId: id, email, firstName, lastName }) => ({ id, email, firstName, lastName })),
    modules: { sdelka: { integrations: { telephony: { additionalCodes } } } },
  });
}

/** Some of the callers are customers already, with their numbers as people type them. */
export function knownCallers(crm: RetailcrmStandin, { truth }: CdrScript, most = 3): void {
  const phones = [...new Set(truth.flatMap(({ phone, whole }) => (whole && phone !== undefined ? [phone] : [])))];
  const typed = (phone: string) => phone.replace(/^\+(7|375)(\d{2,3})(\d{3})(\d{2})(\d{2})$/, '+$1 ($2) $3-$4-$5');
  crm.seed({
    customers: phones.slice(0, most).map((phone, nth) => ({
      ...{ firstName: 'Клиент', lastName: String(nth + 1), phones: [{ number: typed(phone) }] },
      managerId: FIRM_STAFF[nth % FIRM_STAFF.length]?.userId,
    })),
  });
}

/** A pass a little later still reads it all with a look-back of one day. */
const SPAN_MS = 23 * 3_600_000;

/** The calls of the firm's last day, in the file named or in one of a temporary folder. Throws where the file is there. */
export function lastDay(calls: number, named?: string): CdrFile {
  if (named !== undefined && existsSync(named)) {
    throw usageError('--cdr: the file is there already', 'Name a file that does not exist yet.');
  }
  const folder = named === undefined ? mkdtempSync(join(tmpdir(), 'sdelka-cdr-')) : undefined;
  const file = named ?? join(folder ?? '', 'cdr.db');
  const to = Date.now();
  const script = generateCdr({
    ...{ calls, from: to - SPAN_MS, to, zone: FIRM_ZONE, country: 'RU', seed: 1 },
    extensions: FIRM_STAFF.map(({ extension }) => extension),
  });
  try {
    writeCdrSqlite(file, script.records);
  } catch (error) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw usageError(`--cdr: the file cannot be made (${code})`);
  }
  return { file, script, close: () => rmSync(folder ?? file, { recursive: true, force: true }) };
}
