import { AppError, ExitCode } from '../base/errors.ts';
import { loadMapping, type Mapping } from '../config/mapping.ts';
import { type AnyGroup, type CoreSettings, coreSettings, readSettings } from '../config/settings.ts';
import { type HttpCore, httpCore } from '../http/core.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { getHeartbeat } from '../state/meta.ts';
import { requireSchema } from '../state/migrate.ts';
import { type AmoSettings, amoSettings } from '../systems/amocrm/settings.ts';
import { kaspiClient, kaspiHeaders } from '../systems/kaspi/client.ts';
import { type KaspiSettings, kaspiSettings } from '../systems/kaspi/settings.ts';
import { type AccountMap, readAccountMap } from './amo-account.ts';
import { amoParts } from './amo-parts.ts';
import { type CommandContext, defineCommand } from './define.ts';
import { USER_AGENT } from './user-agent.ts';

type Verdict = 'ok' | 'warning' | 'failure';

interface Finding {
  check: string;
  verdict: Verdict;
  message: string;
  remedy?: string;
}

const TIMEOUT_MS = 15_000;
const HOUR_MS = 3_600_000;
const SYMBOLS: Record<Verdict, string> = { ok: 'ok     ', warning: 'WARNING', failure: 'FAILURE' };

/** Goes on after a failure: the operator wants to see everything that is wrong, once. */
export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'Checks settings, mapping, database, both APIs, tokens and the ids of the mapping; says what to do',
  details: 'Writes nothing at any remote system. The exit code is that of the first failure.',
  examples: ['doctor', 'doctor --json'],
  run: async (ctx) => {
    const doctor = new Doctor(ctx);
    await doctor.examine();
    const { findings } = doctor;
    await ctx.out.result({ ok: doctor.exit === ExitCode.Ok, checks: findings }, () => findings.map(line).join('\n'));
    return doctor.exit;
  },
});

function line({ check, verdict, message, remedy }: Finding): string {
  return `${SYMBOLS[verdict]} ${check}: ${message}${remedy === undefined ? '' : `\n          → ${remedy}`}`;
}

class Doctor {
  readonly findings: Finding[] = [];
  exit: ExitCode = ExitCode.Ok;
  private readonly ctx: CommandContext;

  constructor(ctx: CommandContext) {
    this.ctx = ctx;
  }

  async examine(): Promise<void> {
    const settings = this.settings('settings', [coreSettings]) as CoreSettings | undefined;
    const kaspi = this.settings('kaspi settings', [kaspiSettings]) as KaspiSettings | undefined;
    const amo = this.settings('amoCRM settings', [amoSettings]) as AmoSettings | undefined;
    const { environment, globals, clock, signal, log } = this.ctx;
    const mapping = await this.attempt('mapping', async () => {
      const read = await loadMapping({ baseDir: environment.baseDir, file: globals.mappingFile });
      return { value: read, message: 'valid' };
    });
    if (settings === undefined) return;
    const database = await this.database(settings);
    const core = httpCore({ clock, signal, userAgent: USER_AGENT, log });
    try {
      if (kaspi) await this.kaspi(kaspi, settings, core);
      if (amo && database) await this.amo({ ...settings, ...amo }, mapping, database, core);
      if (database) await this.cron(database, settings);
    } finally {
      core.close();
      await database?.close();
    }
  }

  private add(check: string, verdict: Verdict, message: string, remedy?: string): void {
    this.findings.push({ check, verdict, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  /** A failure is a finding; only a defect is thrown. */
  private fail(check: string, error: unknown): void {
    if (!(error instanceof AppError) || error.kind === 'bug') throw error;
    if (this.exit === ExitCode.Ok) this.exit = error.exit;
    const faults = error.faults.length > 0 ? `: ${error.faults.join('; ')}` : '';
    this.add(check, 'failure', `${error.message}${faults}`, error.hint);
  }

  private wrong(check: string, message: string, remedy: string): void {
    if (this.exit === ExitCode.Ok) this.exit = ExitCode.Config;
    this.add(check, 'failure', message, remedy);
  }

  private async attempt<T>(check: string, work: () => Promise<{ value: T; message: string }>): Promise<T | undefined> {
    try {
      const { value, message } = await work();
      this.add(check, 'ok', message);
      return value;
    } catch (error) {
      this.fail(check, error);
      return undefined;
    }
  }

  private settings(check: string, groups: readonly AnyGroup[]): unknown {
    try {
      const read = readSettings(this.ctx.environment, groups);
      this.add(check, 'ok', 'complete');
      return read;
    } catch (error) {
      this.fail(check, error);
      return undefined;
    }
  }

  private async database(settings: CoreSettings): Promise<Database | undefined> {
    const { environment, globals } = this.ctx;
    if (settings.SECRET_KEY === undefined) {
      const remedy = 'Set SECRET_KEY to a long random text and keep it outside the database.';
      this.add('secret key', 'warning', 'SECRET_KEY is not set: amoCRM tokens are stored as they are', remedy);
    }
    return this.attempt('database', async () => {
      const database = await openDatabase({
        url: settings.DATABASE_URL,
        baseDir: environment.baseDir,
        readOnly: globals.dryRun,
      });
      try {
        await requireSchema(database);
      } catch (error) {
        await database.close();
        throw error;
      }
      return { value: database, message: database.description };
    });
  }

  private async kaspi(settings: KaspiSettings, core: CoreSettings, http: HttpCore): Promise<void> {
    await this.attempt('kaspi', async () => {
      const client = kaspiClient(
        http.for({
          system: 'kaspi',
          baseUrl: settings.KASPI_API_URL,
          headers: kaspiHeaders(settings.KASPI_API_TOKEN),
          timeoutMs: core.HTTP_TIMEOUT_MS ?? TIMEOUT_MS,
          credentials: 'KASPI_API_TOKEN',
        }),
        { pageSize: 1 },
      );
      const to = this.ctx.clock.now();
      const page = await client.orders({ from: new Date(to.getTime() - 24 * HOUR_MS), to }).next();
      const seen = page.done || page.value.items.length === 0 ? 'no orders in the last 24 hours' : 'orders can be read';
      return { value: true, message: `answers; ${seen}` };
    });
  }

  private async amo(
    settings: CoreSettings & AmoSettings,
    mapping: Mapping | undefined,
    database: Database,
    core: HttpCore,
  ): Promise<void> {
    const { clock, log, signal, globals } = this.ctx;
    const parts = amoParts({ settings, database, core, clock, log, signal, dryRun: globals.dryRun });
    const map = await this.attempt('amoCRM', async () => {
      await parts.bind();
      const read = await readAccountMap(parts.client);
      return { value: read, message: `answers; account ${read.account.id} ${read.account.subdomain}` };
    });
    await this.attempt('amoCRM token', async () => {
      const life = await parts.authorization.life();
      const left = life.hoursLeft === undefined ? 'its expiry is unknown' : `${life.hoursLeft} hours left`;
      return { value: true, message: `${life.kind}; ${left}` };
    });
    if (map === undefined) return;
    for (const gap of map.gaps) this.add('amoCRM rights', 'warning', gap, 'Use a token of an administrator.');
    const faults = idFaults(map, settings, mapping);
    for (const fault of faults) this.wrong('ids', fault, '`sdelka amo:account` lists the ids of the account.');
    if (faults.length === 0) this.add('ids', 'ok', 'settings and mapping name nothing that the account lacks');
  }

  private async cron(database: Database, settings: CoreSettings): Promise<void> {
    for (const { name, isJob } of this.ctx.entries) {
      if (!isJob) continue;
      const at = await getHeartbeat(database.db, name);
      const every = intervalOf(settings, name);
      if (at === undefined) {
        this.add(`cron ${name}`, 'warning', 'it has never ended a pass', '`sdelka crontab` prints the line for it.');
        continue;
      }
      const age = this.ctx.clock.now().getTime() - Date.parse(at);
      const allowed = Math.max(settings.ALERT_HEARTBEAT_MINUTES * 60_000, 2.5 * every);
      const message = `last good pass ${Math.round(age / 60_000)} minutes ago`;
      if (age <= allowed) this.add(`cron ${name}`, 'ok', message);
      else this.add(`cron ${name}`, 'warning', message, 'Look at the log and at `crontab -l`.');
    }
  }
}

function intervalOf(settings: CoreSettings, job: string): number {
  const values: Readonly<Record<string, unknown>> = settings;
  const every = values[`${job.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_EVERY`];
  return typeof every === 'number' ? every : 0;
}

/** Ids of the settings and of the mapping that the account does not have. */
function idFaults(map: AccountMap, settings: AmoSettings, mapping: Mapping | undefined): string[] {
  const faults: string[] = [];
  const pipeline = map.pipelines.find(({ id }) => id === settings.AMO_PIPELINE_ID);
  if (settings.AMO_PIPELINE_ID !== undefined && !pipeline) {
    faults.push(`AMO_PIPELINE_ID: there is no pipeline ${settings.AMO_PIPELINE_ID}`);
  }
  const hasStage = (pipelineId: number | undefined, status: number) => {
    const within = map.pipelines.filter(({ id }) => pipelineId === undefined || id === pipelineId);
    return within.some(({ statuses }) => statuses.some(({ id }) => id === status));
  };
  if (settings.AMO_STATUS_ID !== undefined && !hasStage(settings.AMO_PIPELINE_ID, settings.AMO_STATUS_ID)) {
    faults.push(`AMO_STATUS_ID: there is no stage ${settings.AMO_STATUS_ID} in that pipeline`);
  }
  const user = settings.AMO_RESPONSIBLE_USER_ID;
  if (user !== undefined && map.users.length > 0 && !map.users.some(({ id, isActive }) => id === user && isActive)) {
    faults.push(`AMO_RESPONSIBLE_USER_ID: there is no active user ${user}`);
  }
  const catalog = map.catalogs.find(({ id }) => id === settings.AMO_CATALOG_ID);
  if (settings.AMO_CATALOG_ID !== undefined && !catalog) {
    faults.push(`AMO_CATALOG_ID: there is no catalog ${settings.AMO_CATALOG_ID}`);
  } else if (catalog && !catalog.fields.some(({ code, name }) => code === 'SKU' || /^(sku|артикул)$/i.test(name))) {
    faults.push(`AMO_CATALOG_ID: catalog ${catalog.id} has no field for the article (code SKU, or named Артикул)`);
  }
  if (mapping) faults.push(...mappingFaults(map, settings, mapping, hasStage));
  return faults;
}

function mappingFaults(
  map: AccountMap,
  settings: AmoSettings,
  { kaspi }: Mapping,
  hasStage: (pipelineId: number | undefined, status: number) => boolean,
): string[] {
  const fields = new Set(map.fields.deals.map(({ id }) => id));
  const wanted = [...kaspi.deal.fields.map(({ fieldId }) => fieldId), kaspi.deal.externalIdField];
  const unknown = [...new Set(wanted)].filter((id) => id !== undefined && fields.size > 0 && !fields.has(id));
  return [
    ...unknown.map((id) => `mapping kaspi.deal: there is no deal field ${id}`),
    ...kaspi.stages.flatMap(({ status, pipeline }, index) =>
      hasStage(pipeline ?? settings.AMO_PIPELINE_ID, status)
        ? []
        : [`mapping kaspi.stages[${index}]: there is no stage ${status} in that pipeline`],
    ),
  ];
}
