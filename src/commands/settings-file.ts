import { chmod, copyFile, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { configError, usageError } from '../base/errors.ts';
import { cleanValue } from '../base/redact.ts';
import { variablesOf, withVariables } from '../config/env-text.ts';
import { readMappingFile } from '../config/mapping.ts';
import { type AnyGroup, coreSettings } from '../config/settings.ts';
import {
  isSecret,
  mappingIn,
  parseSettingsFile,
  renderSettingsFile,
  type SettingsFile,
  travelling,
  variablesIn,
} from '../config/settings-file.ts';
import { amoSettings } from '../systems/amocrm/settings.ts';
import { asteriskSettings } from '../systems/asterisk/settings.ts';
import { kaspiSettings } from '../systems/kaspi/settings.ts';
import { mailSettings } from '../systems/mail/settings.ts';
import { onecSettings } from '../systems/onec/settings.ts';
import { moduleSettings, retailcrmSettings } from '../systems/retailcrm/settings.ts';
import { telegramSettings } from '../systems/telegram/settings.ts';
import { type CommandContext, defineCommand } from './define.ts';
import { enterpriseGroup, enterprisesIn } from './enterprise-settings.ts';

const FIXED = [
  coreSettings,
  kaspiSettings,
  amoSettings,
  onecSettings,
  retailcrmSettings,
  asteriskSettings,
  moduleSettings,
  telegramSettings,
  mailSettings,
];
/** Settings are nobody else's business, secrets or not. */
const OWN_EYES = 0o600;

/** Every variable: those of fixed names, which keep their meaning whatever the mapping says, and those that it names. */
async function groupsWith(mapping: string | undefined): Promise<readonly AnyGroup[]> {
  const fixed = new Set(variablesIn(FIXED).map(([name]) => name));
  const group = enterpriseGroup(await enterprisesIn(mapping), ['crm', 'cdr', 'asterisk', 'module']);
  const named = Object.entries(group.variables).filter(([name]) => !fixed.has(name));
  return [...FIXED, { ...group, variables: Object.fromEntries(named) }];
}

const fileArgument = { name: 'file', description: 'the settings file, YAML' };

export const settingsExportCommand = defineCommand({
  name: 'settings:export',
  summary: 'Writes the mapping and every setting that is no secret into one file',
  details: 'Secrets never travel: those that are set are listed by name. The file is readable by its owner alone.',
  arguments: [fileArgument],
  options: { force: { description: 'replace a file that exists' } },
  examples: ['settings:export shop.yaml', '--env-file /srv/shop/.env settings:export shop.yaml --force'],
  quiet: true,
  run: async (ctx, [file = ''], { force }) => {
    const path = resolve(file);
    if (!force && (await exists(path))) {
      throw usageError(`${path} exists already`, 'Name another file, or replace it with --force.');
    }
    const mapping = await readMappingFile(mappingPath(ctx, {}), ctx.globals.mappingFile !== undefined);
    const content = { ...travelling(ctx.environment, await groupsWith(mapping)), mapping };
    const { dryRun } = ctx.globals;
    if (!dryRun) await replace(path, renderSettingsFile(content), OWN_EYES);
    const result = {
      ...(dryRun ? { dry_run: true } : {}),
      file: path,
      settings: Object.keys(content.settings),
      left_out: content.leftOut,
      mapping: mapping !== undefined,
    };
    await ctx.out.result(result, () =>
      [
        `${path} ${dryRun ? 'would hold' : 'holds'} ${result.settings.length} settings and ${mapping === undefined ? 'no mapping: there is none' : 'the mapping'}`,
        ...(result.left_out.length > 0 ? [`left out, since they are secrets: ${result.left_out.join(', ')}`] : []),
      ].join('\n'),
    );
    return undefined;
  },
});

export const settingsImportCommand = defineCommand({
  name: 'settings:import',
  summary: 'Takes the mapping and the settings of such a file into the env file and the mapping file',
  details:
    'Comments, secrets and variables that the file does not name stay as they are; what is replaced is kept beside as .bak. A file with a fault is refused whole. --dry-run shows what would change.',
  arguments: [fileArgument],
  examples: ['--dry-run settings:import shop.yaml', '--env-file /srv/shop/.env settings:import shop.yaml'],
  quiet: true,
  run: async (ctx, [file = '']) => {
    const path = resolve(file);
    const source = await readText(path);
    const groups = await groupsWith(mappingIn(source));
    const given = await parseSettingsFile(source, path, groups);
    const env = await planEnv(ctx, given, path, groups);
    const mapping = await planMapping(ctx, given);
    const { dryRun } = ctx.globals;
    const result = {
      ...(dryRun ? { dry_run: true } : {}),
      env_file: env.path,
      settings: env.changes,
      mapping_file: mapping.path,
      mapping: mapping.change,
      secrets_to_set: given.leftOut.filter((name) => ctx.environment.values[name] === undefined),
      kept: dryRun ? [] : await write([env, mapping]),
    };
    const shown = cleanValue(result) as typeof result;
    await ctx.out.result(shown, () => render(shown, dryRun));
    return undefined;
  },
});

/** A file as it is and as it is to be; the same text: nothing to do. */
interface Planned {
  path: string;
  before: string | undefined;
  after: string | undefined;
}

interface Change {
  name: string;
  from: string | null;
  to: string;
}

async function planEnv(ctx: CommandContext, given: SettingsFile, source: string, groups: readonly AnyGroup[]) {
  const variables = new Map(variablesIn(groups));
  const path = ctx.environment.file ?? join(ctx.environment.baseDir, '.env');
  const before = (await exists(path)) ? await readText(path) : undefined;
  const was = variablesOf(before ?? '');
  const changed = Object.entries(given.settings).filter(([name, value]) => was[name]?.trim() !== value);
  const changes = changed.map(([name, to]): Change => {
    const from = was[name] ?? '';
    return { name, from: from === '' ? null : isSecret(variables.get(name), from) ? '[redacted]' : from, to };
  });
  if (changed.length === 0) return { path, before, after: before, changes };
  const { text: after, faults } = withVariables(before ?? '', Object.fromEntries(changed));
  if (faults.length > 0) {
    throw configError(
      'SETTINGS_FILE_INVALID',
      `What ${source} holds cannot be put into ${path}, so nothing was changed`,
      'Change these variables in the env file by hand, or write each of its values on one line.',
      faults,
    );
  }
  return { path, before, after, changes };
}

async function planMapping(ctx: CommandContext, given: SettingsFile) {
  const path = mappingPath(ctx, given.settings);
  const before = await readMappingFile(path, false);
  const after = given.mapping ?? before;
  const change =
    given.mapping === undefined
      ? 'not in the file'
      : before === undefined
        ? 'made'
        : before === after
          ? 'the same'
          : lineChange(before, given.mapping);
  return { path, before, after, change };
}

/** `--mapping`, else what MAPPING_FILE says once these settings are in force. */
function mappingPath({ environment, globals }: CommandContext, settings: Readonly<Record<string, string>>): string {
  const inForce = environment.values.MAPPING_FILE;
  const named = inForce === undefined ? undefined : resolve(environment.baseDir, inForce);
  if (globals.mappingFile !== undefined && globals.mappingFile !== named) return globals.mappingFile;
  return resolve(environment.baseDir, settings.MAPPING_FILE ?? inForce ?? 'mapping.yaml');
}

/** Where the texts differ, without what they begin and end with in common. */
function lineChange(before: string, after: string): string {
  const [old, fresh] = [before.split('\n'), after.split('\n')];
  const least = Math.min(old.length, fresh.length);
  let head = 0;
  while (head < least && old[head] === fresh[head]) head += 1;
  let tail = 0;
  while (tail < least - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1;
  return `from line ${head + 1} on ${old.length - head - tail} lines become ${fresh.length - head - tail}`;
}

/** Writes what differs; gives the copies of what was there. */
async function write(files: readonly Planned[]): Promise<string[]> {
  const kept: string[] = [];
  for (const { path, before, after } of files) {
    if (after === undefined || after === before) continue;
    if (before === undefined) {
      await replace(path, after, OWN_EYES);
      continue;
    }
    // A link is not to be replaced by a file.
    const real = await realpath(path);
    const { mode } = await stat(real);
    await failing(real, async () => {
      await copyFile(real, `${real}.bak`);
      await chmod(`${real}.bak`, mode & 0o777);
    });
    await replace(real, after, mode & 0o777);
    kept.push(`${real}.bak`);
  }
  return kept;
}

/** Whole or not at all: a pass that starts meanwhile reads the old file or the new one. */
async function replace(path: string, content: string, mode: number): Promise<void> {
  const fresh = `${path}.new`;
  await failing(path, async () => {
    await rm(fresh, { force: true });
    await writeFile(fresh, content, { mode, flag: 'wx' });
    await chmod(fresh, mode);
    await rename(fresh, path);
  });
}

async function failing(path: string, work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    throw configError(
      'SETTINGS_FILE_UNWRITABLE',
      `${path} cannot be written (${codeOf(error)})`,
      'Check that the folder exists and that this user may write there.',
    );
  });
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    throw configError(
      'SETTINGS_FILE_UNREADABLE',
      `${path} cannot be read (${codeOf(error)})`,
      'Check the path, and that this user may read the file.',
    );
  });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function render(
  result: {
    env_file: string;
    settings: readonly Change[];
    mapping_file: string;
    mapping: string;
    secrets_to_set: string[];
    kept: string[];
  },
  dryRun: boolean,
): string {
  return [
    `${result.env_file}: ${result.settings.length === 0 ? 'nothing changes' : `${result.settings.length} settings ${dryRun ? 'would change' : 'changed'}`}`,
    ...result.settings.map(({ name, from, to }) => `  ${name}: ${from ?? 'not set'} → ${to}`),
    `${result.mapping_file}: ${result.mapping}`,
    ...result.kept.map((path) => `what was there is kept in ${path}`),
    ...(result.secrets_to_set.length > 0
      ? [`secrets that are still to be set here: ${result.secrets_to_set.join(', ')}`]
      : []),
  ].join('\n');
}
