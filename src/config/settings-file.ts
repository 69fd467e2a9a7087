// This module loads the YAML parser, so it is imported by the commands of the settings file alone.
import { basename } from 'node:path';
import { stringify } from 'yaml';
import { AppError, configError } from '../base/errors.ts';
import type { Environment } from './env.ts';
import { checkMappingText } from './mapping.ts';
import { readYaml } from './mapping-yaml.ts';
import type { AnyGroup } from './settings.ts';
import { isMap, list, map, optional, pathText, type Reader, required, text, withDefault } from './shape.ts';
import type { Variable } from './variables.ts';

/** The mapping and the settings that are no secrets, as they travel from one host to another. */
export interface SettingsFile {
  /** By variable, as one would write them in an env file. */
  readonly settings: Readonly<Record<string, string>>;
  /** Secrets that were set where the file was made. */
  readonly leftOut: readonly string[];
  /** The mapping file's text, comments and all. */
  readonly mapping: string | undefined;
}

const HEAD = `# The settings and the mapping of one sdelka, made by settings:export; settings:import takes them in elsewhere.
# Secrets are never in here: those that were set are named under left_out.
`;

const FORM = 1;

/** What is set, secrets apart. */
export function travelling(
  environment: Environment,
  groups: readonly AnyGroup[],
): Pick<SettingsFile, 'settings' | 'leftOut'> {
  const set = variablesIn(groups).flatMap(([name, variable]) => {
    const value = environment.values[name]?.trim();
    return value === undefined ? [] : [{ name, value, secret: isSecret(variable, value) }];
  });
  const open = set.filter(({ secret }) => !secret).map(({ name, value }) => [name, value] as const);
  return {
    settings: Object.fromEntries(open),
    leftOut: set.filter(({ secret }) => secret).map(({ name }) => name),
  };
}

/** Whether this value must not be shown: a secret, or an address with a password in it. */
export function isSecret(variable: Variable<unknown> | undefined, value: string): boolean {
  return variable === undefined || variable.secret || (URL.canParse(value) && new URL(value).password !== '');
}

export function variablesIn(groups: readonly AnyGroup[]): (readonly [string, Variable<unknown>])[] {
  return groups.flatMap((group) => Object.entries(group.variables));
}

export function renderSettingsFile({ settings, leftOut, mapping }: SettingsFile): string {
  const content = { sdelka_settings: FORM, settings, left_out: leftOut, ...(mapping === undefined ? {} : { mapping }) };
  return `${HEAD}${stringify(content, { lineWidth: 0, blockQuote: 'literal' })}`;
}

/** The mapping's text in such a file, unchecked. */
export function mappingIn(source: string): string | undefined {
  const { value } = readYaml(source);
  return isMap(value) && typeof value.mapping === 'string' ? value.mapping : undefined;
}

/** Throws a configError (78, `SETTINGS_FILE_INVALID`) that lists every fault of the file, of its settings and of its mapping. */
export async function parseSettingsFile(
  source: string,
  path: string,
  groups: readonly AnyGroup[],
): Promise<SettingsFile> {
  const { value, faults: broken, lineOf } = readYaml(source);
  const faults = broken.map(({ line, message }) => `${basename(path)}:${line}: ${message}`);
  const read =
    broken.length > 0
      ? undefined
      : readFile(groups)(value, [], (at, message) => {
          const where = at.length === 0 ? '' : `${pathText(at)}: `;
          faults.push(`${basename(path)}:${lineOf(at)}: ${where}${message}`);
        });
  if (isMap(value) && typeof value.mapping === 'string') faults.push(...(await mappingFaults(value.mapping)));
  if (read === undefined || faults.length > 0) throw invalid(path, faults);
  const settings = Object.entries(read.settings).flatMap(([name, found]) =>
    found === undefined ? [] : [[name, found]],
  );
  return { settings: Object.fromEntries(settings), leftOut: read.left_out, mapping: read.mapping };
}

function readFile(groups: readonly AnyGroup[]) {
  return map<{
    sdelka_settings: number;
    settings: Record<string, string | undefined>;
    left_out: readonly string[];
    mapping: string | undefined;
  }>({
    sdelka_settings: required(form),
    settings: withDefault({}, map(Object.fromEntries(variablesIn(groups).map(asField)))),
    left_out: withDefault([], list(text)),
    mapping: optional(text),
  });
}

const form: Reader<number> = (value, path, report) => {
  if (value === FORM) return FORM;
  report(path, `expected ${FORM}: another version of sdelka made this file, or none`);
  return undefined;
};

function asField([name, variable]: readonly [string, Variable<unknown>]) {
  return [name, optional(settingOf(variable))] as const;
}

function settingOf(variable: Variable<unknown>): Reader<string> {
  return (value, path, report) => {
    const written = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    const setting = written ? String(value).trim() : '';
    const reading = variable.read(setting === '' ? undefined : setting);
    if (!written || setting === '') {
      report(path, 'expected a text, a number, true or false');
    } else if (isSecret(variable, setting)) {
      report(path, 'a secret, which must not travel in this file; set it by hand where it is needed');
    } else if ('fault' in reading) {
      report(path, reading.fault);
    } else {
      return setting;
    }
    return undefined;
  };
}

/** Their lines are counted from the first line of the mapping. */
async function mappingFaults(mapping: string): Promise<readonly string[]> {
  try {
    await checkMappingText(mapping, 'mapping');
    return [];
  } catch (error) {
    if (error instanceof AppError && error.code === 'MAPPING_INVALID') return error.faults;
    throw error;
  }
}

function invalid(path: string, faults: readonly string[]): AppError {
  return configError(
    'SETTINGS_FILE_INVALID',
    `The file ${path} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}, so nothing of it was taken`,
    'Correct what is listed, or make the file anew with `sdelka settings:export`.',
    faults,
  );
}
