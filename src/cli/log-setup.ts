import { isatty } from 'node:tty';
import { createLogger, type Logger, type LogSink } from '../base/log.ts';
import type { Environment } from '../config/env.ts';
import {
  type AnyGroup,
  coreSettings,
  defineGroup,
  readSettings,
  type SettingsOf,
  secretTexts,
} from '../config/settings.ts';
import type { GlobalFlags } from './program.ts';

const { DRY_RUN, LOCK_WAIT_SECONDS, LOG_LEVEL, LOG_PRETTY, MAPPING_FILE, NO_COLOR } = coreSettings.variables;
const globalSettings = defineGroup({ DRY_RUN, LOCK_WAIT_SECONDS, LOG_LEVEL, LOG_PRETTY, MAPPING_FILE, NO_COLOR });

/** The variables behind the global options. */
export type GlobalSettings = SettingsOf<typeof globalSettings>;

/**
 * Reads the variables behind the global options. Where one of them is wrong, everything that the command needs is checked
 * too before it throws (78), so that the operator gets one list and not one after the other.
 */
export function readGlobalSettings(environment: Environment, more: readonly AnyGroup[]): GlobalSettings {
  try {
    return readSettings(environment, [globalSettings]);
  } catch (error) {
    readSettings(environment, [coreSettings, ...more]);
    throw error;
  }
}

/** Secrets that this command does not read are masked as well, by the names that this project gives to such variables. */
const SECRET_NAME = /_(TOKEN|SECRET|PASSWORD|PASS|KEY)$/;

/** Every secret that the environment holds. */
export function secretsOf(environment: Environment, groups: readonly AnyGroup[]): readonly string[] {
  const named = Object.entries(environment.values).filter(([name]) => SECRET_NAME.test(name));
  return [...named.map(([, value]) => value), ...secretTexts(environment, [coreSettings, ...groups])];
}

/** The logger that flags and settings ask for; either may be missing where they could not be read. */
export function setUpLog(
  sink: LogSink,
  flags?: GlobalFlags,
  settings?: GlobalSettings,
  secrets: readonly string[] = [],
): Promise<Logger> {
  return createLogger({
    level: flags?.logLevel ?? settings?.LOG_LEVEL ?? 'info',
    pretty: flags?.logPretty ?? settings?.LOG_PRETTY ?? isatty(2),
    color: useColor(2, flags, settings),
    destination: sink,
    secrets,
  });
}

/** https://no-color.org: no colours where they are not wanted or where nobody looks. */
export function useColor(fd: number, flags?: GlobalFlags, settings?: GlobalSettings): boolean {
  return isatty(fd) && (flags?.color ?? true) && !(settings?.NO_COLOR ?? false);
}
