import { AppError } from '../base/errors.ts';
import type { Environment } from '../config/env.ts';
import { readSettings } from '../config/settings.ts';
import type { Command, CommandEntry } from './define.ts';

/** `kaspi:poll` → `KASPI_POLL_EVERY`. */
export function intervalVariable(job: string): string {
  return `${job.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_EVERY`;
}

/** How often a job is to run, in milliseconds; undefined for one that has no usual interval. */
export function intervalOf(settings: object, job: string): number | undefined {
  const every = (settings as Readonly<Record<string, unknown>>)[intervalVariable(job)];
  return typeof every === 'number' && every > 0 ? every : undefined;
}

export interface Configured {
  command: Command;
  /** Faults of the settings that it needs; none: it is configured. */
  faults: readonly string[];
  /** Faults of what is set; without any, the job was simply never set up. */
  wrong: readonly string[];
}

/** Loads a job's command and looks whether the settings that it needs are there. */
export async function configured(entry: CommandEntry, environment: Environment): Promise<Configured> {
  const command = await entry.load();
  try {
    readSettings(
      environment,
      (await command.settingsFor?.(environment, environment.values.MAPPING_FILE)) ?? command.settings ?? [],
    );
    return { command, faults: [], wrong: [] };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'SETTINGS_INVALID') throw error;
    const wrong = error.faults.filter((fault) => environment.values[fault.split(':')[0] ?? ''] !== undefined);
    return { command, faults: error.faults, wrong };
  }
}
