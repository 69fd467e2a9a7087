import { ExitCode, usageError } from '../../base/errors.ts';
import { loadMapping, type Mapping } from '../../config/mapping.ts';
import { type AnyGroup, type CoreSettings, coreSettings, readSettings } from '../../config/settings.ts';
import { type HttpCore, httpCore } from '../../http/core.ts';
import { type Database, openDatabase } from '../../state/database.ts';
import { requireSchema } from '../../state/migrate.ts';
import { type AmoSettings, amoSettings } from '../../systems/amocrm/settings.ts';
import { type KaspiSettings, kaspiSettings } from '../../systems/kaspi/settings.ts';
import { type OnecSettings, onecSettings } from '../../systems/onec/settings.ts';
import { type CommandContext, defineCommand } from '../define.ts';
import { USER_AGENT } from '../user-agent.ts';
import { checkBacklog } from './backlog.ts';
import { checkJobs } from './cron.ts';
import { checkDatabase } from './database.ts';
import { Findings, findingLine } from './findings.ts';
import { checkLocks } from './locks.ts';
import { checkProbe, probeAmo } from './probe.ts';
import { checkAmo, checkClocks, checkKaspi } from './remote.ts';

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary:
    'Checks settings, mapping, database, clock, every configured API, rights, ids, locks and cron; says what to do',
  details:
    'Writes nothing at any remote system unless --probe is given. The exit code is that of the first failure; warnings are no failure.',
  options: {
    probe: {
      description:
        'settle on one test deal what the documentation of amoCRM leaves open; what is learnt is stored and obeyed',
    },
  },
  examples: ['doctor', 'doctor --json', 'doctor --probe'],
  run: async (ctx, _args, { probe }) => {
    if (probe && ctx.globals.dryRun) throw usageError('--probe writes to a test deal, which --dry-run forbids');
    const findings = new Findings();
    await examine(ctx, findings, probe);
    const { list, exit } = findings;
    await ctx.out.result({ ok: exit === ExitCode.Ok, checks: list }, () => list.map(findingLine).join('\n'));
    return exit;
  },
});

async function examine(ctx: CommandContext, findings: Findings, probe: boolean): Promise<void> {
  const settings = readGroup<CoreSettings>(ctx, findings, 'settings', coreSettings);
  const mapping = await readMapping(ctx, findings);
  const amo = isAmoMeant(ctx, mapping)
    ? readGroup<AmoSettings>(ctx, findings, 'amoCRM settings', amoSettings)
    : undefined;
  const kaspi = isKaspiMeant(ctx, mapping)
    ? readGroup<KaspiSettings>(ctx, findings, 'kaspi settings', kaspiSettings)
    : undefined;
  const onec = isOnecMeant(ctx, mapping)
    ? readGroup<OnecSettings>(ctx, findings, '1C settings', onecSettings)
    : undefined;
  const calls = isCallsMeant(ctx, mapping) ? await readCalls(ctx, findings) : undefined;
  checkEnvironment(ctx, findings);
  if (settings === undefined) return;
  const database = await openState(ctx, settings, findings);
  const { clock, signal, log } = ctx;
  const core = httpCore({ clock, signal, userAgent: USER_AGENT, log });
  try {
    if (database) await checkDatabase(findings, database, settings, ctx);
    if (kaspi) await checkKaspi(findings, kaspi, settings, core, clock);
    if (onec && database) await examineOnec(findings, { ...settings, ...onec }, mapping, { ctx, database, core });
    if (calls && database) {
      const { checkCalls } = await import('./calls.ts');
      await checkCalls(findings, { settings: { ...settings, ...calls }, mapping }, { ctx, database, core });
    }
    if (amo && database) {
      const access = { ctx, database, core };
      await checkAmo(findings, { ...settings, ...amo }, mapping, access);
      if (probe) await probeAmo(findings, { ...settings, ...amo }, access);
      else await checkProbe(findings, database, ctx);
    }
    checkClocks(findings, core.skewMs);
    if (database) {
      await checkLocks(findings, database, clock.now());
      await checkJobs(findings, database, settings, jobsOf(ctx, mapping));
      await checkBacklog(findings, database, settings, clock.now());
    }
  } finally {
    core.close();
    await database?.close();
  }
}

function isOnecMeant({ environment }: CommandContext, mapping: Mapping | undefined): boolean {
  return mapping?.onec !== undefined || environment.values.ONEC_ODATA_URL !== undefined;
}

function isCallsMeant({ environment }: CommandContext, mapping: Mapping | undefined): boolean {
  const { RETAILCRM_API_URL, CDR_URL } = environment.values;
  return mapping?.calls !== undefined || RETAILCRM_API_URL !== undefined || CDR_URL !== undefined;
}

/** Whoever has set up 1C or calls alone does without Kaspi. */
function isKaspiMeant(ctx: CommandContext, mapping: Mapping | undefined): boolean {
  const isSet = ctx.environment.values.KASPI_API_TOKEN !== undefined;
  return isSet || !(isOnecMeant(ctx, mapping) || isCallsMeant(ctx, mapping));
}

/** Calls alone do without amoCRM. */
function isAmoMeant(ctx: CommandContext, mapping: Mapping | undefined): boolean {
  const isSet = Object.keys(ctx.environment.values).some((name) => /^AMO(CRM)?_/.test(name));
  return isSet || isKaspiMeant(ctx, mapping) || isOnecMeant(ctx, mapping);
}

/** The enterprises' own variables, as they were read. */
async function readCalls(
  ctx: CommandContext,
  findings: Findings,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { enterpriseGroup, peekEnterprises } = await import('../enterprise-settings.ts');
  const { values } = ctx.environment;
  const enterprises = await peekEnterprises(ctx.environment, ctx.globals.mappingFile);
  const hasAmi = Object.keys(values).some((name) => /^ASTERISK_/.test(name));
  const group = enterpriseGroup(enterprises, hasAmi ? ['crm', 'cdr', 'asterisk'] : ['crm', 'cdr']);
  return readGroup(ctx, findings, 'calls settings', group);
}

/** Jobs of 1C need its part of the mapping; without it nobody waits for their passes. */
function jobsOf(ctx: CommandContext, mapping: Mapping | undefined): CommandContext {
  if (mapping?.onec !== undefined) return ctx;
  return { ...ctx, entries: ctx.entries.filter(({ name }) => !name.startsWith('onec:')) };
}

async function examineOnec(
  findings: Findings,
  settings: CoreSettings & OnecSettings,
  mapping: Mapping | undefined,
  access: { ctx: CommandContext; database: Database; core: HttpCore },
): Promise<void> {
  if (mapping === undefined) return;
  if (mapping.onec === undefined) {
    const message = 'ONEC_ODATA_URL is set, and the mapping has no part `onec`: its jobs do not run';
    findings.warn('1C mapping', message, 'Add `onec:` to the mapping, as docs/onec.md shows, or take ONEC_* out.');
    return;
  }
  const { checkOnec } = await import('./onec.ts');
  await checkOnec(findings, settings, mapping.onec, access);
}

function readGroup<T>(ctx: CommandContext, findings: Findings, check: string, group: AnyGroup): T | undefined {
  try {
    const read = readSettings(ctx.environment, [group]);
    findings.ok(check, 'complete');
    return read as T;
  } catch (error) {
    findings.fail(check, error);
    return undefined;
  }
}

function readMapping({ environment, globals }: CommandContext, findings: Findings): Promise<Mapping | undefined> {
  return findings.attempt('mapping', async () => {
    const value = await loadMapping({ baseDir: environment.baseDir, file: globals.mappingFile });
    return { value, message: 'valid' };
  });
}

function checkEnvironment({ environment }: CommandContext, findings: Findings): void {
  if (environment.values.NODE_EXTRA_CA_CERTS === undefined) return;
  findings.warn(
    'start-up',
    'NODE_EXTRA_CA_CERTS is set: Node reads those certificates at every start, which costs each pass a fifth of a second',
    'Unset it in the crontab unless a proxy of yours needs it.',
  );
}

function openState(
  { environment, globals }: CommandContext,
  settings: CoreSettings,
  findings: Findings,
): Promise<Database | undefined> {
  if (settings.SECRET_KEY === undefined) {
    findings.warn(
      'secret key',
      'SECRET_KEY is not set: amoCRM tokens are stored as they are',
      'Set SECRET_KEY to a long random text and keep it outside the database.',
    );
  }
  return findings.attempt('database', async () => {
    const value = await openDatabase({
      url: settings.DATABASE_URL,
      baseDir: environment.baseDir,
      readOnly: globals.dryRun,
    });
    try {
      await requireSchema(value);
    } catch (error) {
      await value.close();
      throw error;
    }
    return { value, message: value.description };
  });
}
