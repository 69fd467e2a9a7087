import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packageFile from '../../package.json' with { type: 'json' };
import { ExitCode } from '../base/errors.ts';
import { errorFields, type Logger } from '../base/log.ts';
import { cleanValue } from '../base/redact.ts';

/**
 * Logs a defect of ours: what it is and where its report lies. The stack trace goes into the report, and to the log at debug.
 * `keepReport` false (a dry run writes no file): the record says how to see the report instead.
 */
export function reportDefect(log: Logger, thrown: unknown, { keepReport }: { keepReport: boolean }): void {
  const error = thrown instanceof Error ? thrown : new Error(`Something that is no error was thrown: ${typeof thrown}`);
  const report = keepReport ? writeReport(error) : undefined;
  log.error(
    {
      code: 'DEFECT',
      exit: ExitCode.Defect,
      error: { type: error.name, message: error.message.split('\n', 1)[0] },
      ...(report === undefined ? {} : { report }),
      hint:
        report === undefined
          ? 'Run the same command again with --log-level debug: the report is in the record after this one.'
          : `The report is in ${report}; please send it to the makers of sdelka. It holds no secrets.`,
    },
    'This is a defect in sdelka',
  );
  log.debug({ err: error }, 'report of the defect');
}

/**
 * One file for each defect, however often cron meets it: named by the place in the code, never overwritten. Exclusive
 * creation also refuses a link that somebody laid in the shared folder. Undefined where it cannot be written.
 */
function writeReport(error: Error): string | undefined {
  const stack = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const id = createHash('sha256')
    .update([packageFile.version, error.name, ...stack].join('\n'))
    .digest('hex')
    .slice(0, 12);
  const path = join(tmpdir(), `sdelka-defect-${id}.json`);
  const report = {
    at: new Date().toISOString(),
    version: packageFile.version,
    node: process.version,
    platform: process.platform,
    command: process.argv.slice(2).find((word) => /^[a-z]+(:[a-z-]+)?$/.test(word)),
    error: errorFields(error, true),
  };
  try {
    writeFileSync(path, `${JSON.stringify(cleanValue(report), undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
    return path;
  } catch (failure) {
    const known = failure instanceof Error && 'code' in failure && failure.code === 'EEXIST';
    return known ? path : undefined;
  }
}
