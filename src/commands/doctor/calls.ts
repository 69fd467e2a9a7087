import type { Mapping } from '../../config/mapping.ts';
import type { CoreSettings } from '../../config/settings.ts';
import type { HttpCore } from '../../http/core.ts';
import type { Database } from '../../state/database.ts';
import type { CommandContext } from '../define.ts';
import { mergeCodes } from '../retail-module.ts';
import { callsEnterprises, type EnterpriseParts, retailParts } from '../retail-parts.ts';
import type { Findings } from './findings.ts';

const DAY_MS = 86_400_000;
/** Zones are half an hour apart at the least. */
const SKEW_SECONDS = 900;
/** Without these scopes calls do not get there; the others concern parts that a firm may do without. */
const NEEDED = ['customer_read', 'customer_write', 'telephony_read', 'telephony_write', 'user_read'];
const SCOPE_REMEDY = 'Give the key these rights in RetailCRM: Settings → Integration → API access keys.';
const REGISTER = 'Run `sdelka retail:register`.';

export interface CallsSettings {
  settings: CoreSettings & Readonly<Record<string, unknown>>;
  mapping: Mapping | undefined;
}

/** Each enterprise: its key and rights, its module, users and extensions, its call records and their zone. */
export async function checkCalls(
  findings: Findings,
  { settings, mapping }: CallsSettings,
  { ctx, database, core }: { ctx: CommandContext; database: Database; core: HttpCore },
): Promise<void> {
  const { clock, log, signal, environment } = ctx;
  const enterprises = await callsEnterprises(mapping);
  const { baseDir } = environment;
  const parts = retailParts({
    ...{ enterprises, settings, baseDir, database, core, clock, log, signal },
    dryRun: true,
  });
  try {
    for (const part of parts.enterprises) {
      const scopes = await checkKey(findings, part);
      if (scopes !== undefined) {
        await checkModule(findings, part, String(settings.RETAILCRM_MODULE_CODE ?? 'sdelka'), scopes);
      }
      await checkRecords(findings, part, clock.now());
      await checkAmi(findings, part, signal);
    }
  } finally {
    await parts.close();
  }
}

async function checkKey(
  findings: Findings,
  { crm, enterprise, settings: { site } }: EnterpriseParts,
): Promise<Set<string> | undefined> {
  const { number, missed } = enterprise;
  const found = await findings.attempt(`RetailCRM ${number}`, async () => {
    const value = await crm.credentials();
    return { value, message: `answers; the key has ${value.scopes.length} rights` };
  });
  if (found === undefined) return undefined;
  const scopes = new Set(found.scopes);
  const { sitesAvailable } = found;
  if (site === undefined && sitesAvailable.length > 1) {
    const message = `the key sees ${sitesAvailable.length} stores (${sitesAvailable.join(', ')}), and none is named`;
    findings.wrong(`RetailCRM ${number} store`, message, 'Set RETAILCRM_SITE, or retailcrm.site in the mapping.');
  } else if (site !== undefined && sitesAvailable.length > 0 && !sitesAvailable.includes(site)) {
    const message = `the key does not see the store ${site}; it sees ${sitesAvailable.join(', ')}`;
    findings.wrong(`RetailCRM ${number} store`, message, 'Correct RETAILCRM_SITE, or give the key that store.');
  }
  // Accounts of old do not tell the scopes of a key.
  if (scopes.size === 0) return scopes;
  const wanted = [
    ...NEEDED,
    ...(missed.task ? ['task_read', 'task_write'] : []),
    ...(missed.order ? ['order_write'] : []),
  ];
  const lacking = wanted.filter((scope) => !scopes.has(scope));
  if (lacking.length > 0) {
    findings.wrong(`RetailCRM ${number} rights`, `the key lacks ${lacking.join(', ')}`, SCOPE_REMEDY);
  }
  const forFigures = ['order_read', 'reference_read'].filter((scope) => !scopes.has(scope));
  if (forFigures.length > 0) {
    const message = `the key lacks ${forFigures.join(', ')}: retail:sync-history cannot read the orders of conversions`;
    findings.warn(`RetailCRM ${number} rights`, message, SCOPE_REMEDY);
  }
  return scopes;
}

async function checkModule(
  findings: Findings,
  { crm, enterprise }: EnterpriseParts,
  code: string,
  scopes: ReadonlySet<string>,
): Promise<void> {
  const { number, extensions } = enterprise;
  if (scopes.size > 0 && !scopes.has('integration_read')) {
    const message = 'the key may not read modules, so whether telephony is on is not known';
    findings.warn(`RetailCRM ${number} module`, message, SCOPE_REMEDY);
    return;
  }
  const read = await findings.attempt(`RetailCRM ${number} module`, async () => {
    const value = { module: await crm.module(code), users: await crm.users() };
    return { value, message: value.module === undefined ? `${code}: read` : `${code}: registered` };
  });
  if (read === undefined) return;
  const { module, users } = read;
  if (module === undefined || module.active === false || module.telephony === undefined) {
    const message = `the telephony module ${code} is not registered or not active: RetailCRM takes no calls from it`;
    findings.warn(`RetailCRM ${number} module`, message, REGISTER);
  }
  const { added, moved, unknown } = mergeCodes(module?.telephony?.additionalCodes ?? [], extensions, users);
  if (unknown.length > 0) {
    const message = `extensions ${unknown.join(', ')}: RetailCRM has no such active user`;
    findings.wrong(`RetailCRM ${number} users`, message, 'Correct calls.enterprises[].extensions in the mapping.');
  }
  if (module !== undefined && added.length + moved.length > 0) {
    const codes = [...added, ...moved].map((one) => one.code).join(', ');
    findings.warn(
      `RetailCRM ${number} extensions`,
      `RetailCRM does not know of ${codes} as the mapping does`,
      REGISTER,
    );
  }
}

async function checkRecords(findings: Findings, part: EnterpriseParts, now: Date): Promise<void> {
  const { enterprise, zone } = part;
  const check = `call records ${enterprise.number}`;
  const source = await findings.attempt(check, async () => {
    const value = await part.cdr();
    const { columns, newest } = await value.about();
    const age = newest === undefined ? 'no row yet' : `the newest row is of ${newest.toISOString().slice(0, 16)}Z`;
    return { value: { source: value, columns: columns.map((name) => name.toLowerCase()) }, message: age };
  });
  if (source === undefined) return;
  if (!source.columns.includes('linkedid')) {
    const message = 'there is no column linkedid: each transfer counts as a call of its own';
    findings.warn(check, message, 'Add the column (Asterisk fills it by its name), or `newcdrcolumns=yes` for CSV.');
  }
  const [{ callsIn }, { foldRules }] = await Promise.all([
    import('../../systems/asterisk/calls.ts'),
    import('../../jobs/calls-reading.ts'),
  ]);
  const range = { from: new Date(now.getTime() - DAY_MS), to: now };
  let [calls, unknown] = [0, 0];
  const skews: number[] = [];
  await findings.attempt(`${check}, last day`, async () => {
    for await (const page of callsIn(source.source, range, foldRules(enterprise, now))) {
      calls += page.length;
      unknown += page.filter(({ direction }) => direction === 'unknown').length;
      skews.push(...page.flatMap(({ skewSeconds }) => skewSeconds ?? []));
    }
    return { value: true, message: `${calls} calls, ${unknown} of unknown direction` };
  });
  if (unknown > 0) {
    const message = `of ${calls} calls ${unknown} tell neither in nor out; they are not uploaded`;
    findings.warn(check, message, 'Name the channels of the outside lines (calls.enterprises[].trunks).');
  }
  const skew = skews.sort((one, other) => one - other)[Math.floor(skews.length / 2)] ?? 0;
  if (Math.abs(skew) >= SKEW_SECONDS) {
    const message = `the rows' clock is ${(skew / 3600).toFixed(1)} h ahead of the ids' (negative: behind), read as ${zone}`;
    findings.wrong(check, message, 'Set PBX_TIMEZONE (or cdr.timezone in the mapping) to the zone of the PBX.');
  }
}

async function checkAmi(
  findings: Findings,
  { settings, enterprise }: EnterpriseParts,
  signal: AbortSignal,
): Promise<void> {
  const { ami } = settings;
  if (ami === undefined) return;
  await findings.attempt(`AMI ${enterprise.number}`, async () => {
    const { connectAmi } = await import('../../systems/asterisk/ami.ts');
    const connection = await connectAmi({ ...ami, timeoutMs: 5000, signal });
    await connection.close();
    return { value: true, message: 'answers, and takes our user and secret' };
  });
}
