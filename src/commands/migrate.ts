import { AppError, configError } from '../base/errors.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import type { Database } from '../state/database.ts';
import type { Migration, MigrationStatus } from '../state/migrate.ts';
import { type CommandContext, defineCommand, type Output, oneOf } from './define.ts';

const parseDialect = oneOf(['sqlite', 'postgres']);

/** Where the database is and what it is. */
interface Target {
  url: string;
  baseDir: string;
  dialect: Database['dialect'];
}

export const migrateCommand = defineCommand({
  name: 'migrate',
  summary: 'Makes the database if there is none and brings it to the newest schema',
  details: 'May be run at any time, by any number of hosts at once. A PostgreSQL database itself must exist.',
  options: {
    status: { description: 'list the migrations and change nothing' },
    dialect: {
      value: 'name',
      description: 'refuse to run unless DATABASE_URL is sqlite or postgres, as said here',
      parse: parseDialect,
    },
  },
  examples: ['migrate', 'migrate --status', 'migrate --dialect postgres'],
  quiet: true,
  run: async (ctx, _args, { status, dialect }) => {
    const target = await readTarget(ctx);
    if (dialect !== undefined && dialect !== target.dialect) {
      throw configError(
        'DIALECT_MISMATCH',
        `DATABASE_URL is a ${target.dialect} database, not ${dialect}`,
        `Set DATABASE_URL to ${dialect === 'sqlite' ? 'sqlite:PATH' : 'postgres://USER:PASSWORD@HOST/DATABASE'}.`,
      );
    }
    if (status || ctx.globals.dryRun) {
      await showStatus(ctx.out, target, { missingIsFine: !status });
    } else {
      await applyMigrations(ctx.out, target);
    }
    return undefined;
  },
});

async function readTarget(ctx: CommandContext): Promise<Target> {
  const { DATABASE_URL: url } = readSettings(ctx.environment, [coreSettings]);
  const { parseDatabaseUrl } = await import('../state/database.ts');
  const { baseDir } = ctx.environment;
  return { url, baseDir, dialect: parseDatabaseUrl(url, baseDir).dialect };
}

async function applyMigrations(out: Output, { url, baseDir }: Target): Promise<void> {
  const { migrate } = await import('../state/migrate.ts');
  const result = await migrate({ url, baseDir, create: true });
  await out.result(result, () =>
    result.applied.length === 0
      ? `nothing to do: all ${result.already} migrations were applied before`
      : result.applied.map((migration) => `applied ${numbered(migration)}`).join('\n'),
  );
}

/** What stands and what is to come. A dry run before the database exists says that it would be made. */
async function showStatus(out: Output, target: Target, { missingIsFine }: { missingIsFine: boolean }): Promise<void> {
  const migrations = await readStatus(target).catch((error: unknown) => {
    if (missingIsFine && error instanceof AppError && error.code === 'DATABASE_MISSING') {
      return undefined;
    }
    throw error;
  });
  if (migrations === undefined) {
    await out.result({ exists: false, migrations: [] }, () => 'the database would be made, with every migration');
    return;
  }
  const rows = migrations.map(({ version, name, state, appliedAt }) => ({
    version,
    name,
    state,
    applied_at: appliedAt ?? null,
  }));
  await out.result({ exists: true, migrations: rows }, () =>
    out.table(
      ['migration', 'state', 'applied at'],
      rows.map((row) => [numbered(row), row.state, row.applied_at ?? '']),
    ),
  );
}

async function readStatus({ url, baseDir }: Target): Promise<MigrationStatus[]> {
  const [{ openDatabase }, { migrationStatus }] = await Promise.all([
    import('../state/database.ts'),
    import('../state/migrate.ts'),
  ]);
  const database = await openDatabase({ url, baseDir, readOnly: true });
  try {
    return await migrationStatus(database);
  } finally {
    await database.close();
  }
}

function numbered({ version, name }: Migration): string {
  return `${String(version).padStart(4, '0')}_${name}`;
}
