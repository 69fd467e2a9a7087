import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'dotenv';
import { configError } from '../base/errors.ts';

/** The variables in force, and where relative paths in them start from. */
export interface Environment {
  /** Never holds an empty string: an empty variable counts as absent. */
  readonly values: Readonly<Record<string, string>>;
  /** Absolute: the folder of the env file, or the working directory where there is none. */
  readonly baseDir: string;
  /** Absolute path of the env file that was read. */
  readonly file?: string;
}

export interface EnvironmentSource {
  /** As given by `--env-file`; relative paths start from `cwd`. Without it `SDELKA_ENV_FILE` counts, then `.env`. */
  envFile?: string;
  processEnv: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/**
 * Reads the env file and lays the real environment over it; neither is changed.
 * A named file that is not there is a configError (78); the default `.env` may be absent.
 */
export function loadEnvironment({ envFile, processEnv, cwd }: EnvironmentSource): Environment {
  const named = envFile || processEnv.SDELKA_ENV_FILE || undefined;
  const file = resolve(cwd, named ?? '.env');
  const text = readEnvFile(file, named !== undefined);
  if (text === undefined) {
    return { values: inForce({}, processEnv), baseDir: resolve(cwd) };
  }
  // Editors on Windows put a byte-order mark there, and dotenv would take it for a part of the first name.
  return { values: inForce(parse(text.replace(/^\uFEFF/, '')), processEnv), baseDir: dirname(file), file };
}

function readEnvFile(file: string, named: boolean): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === 'ENOENT' && !named) {
      return undefined;
    }
    throw configError(
      'ENV_FILE_UNREADABLE',
      code === 'ENOENT'
        ? `The settings file ${file} does not exist`
        : `The settings file ${file} cannot be read (${code})`,
      'Check the path given by --env-file or SDELKA_ENV_FILE, and that this user may read the file.',
    );
  }
}

function inForce(
  fromFile: Readonly<Record<string, string>>,
  processEnv: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const values = { ...withoutEmpty(fromFile), ...withoutEmpty(processEnv) };
  for (const [name, value] of Object.entries(values)) {
    // Operators of the earlier tool have AMOCRM_ names in their files.
    const alias = name.replace(/^AMOCRM_/, 'AMO_');
    values[alias] ??= value;
  }
  return values;
}

function withoutEmpty(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value.trim() !== '') {
      kept[name] = value;
    }
  }
  return kept;
}
