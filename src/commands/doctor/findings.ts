import { AppError, ExitCode } from '../../base/errors.ts';

export type Verdict = 'ok' | 'warning' | 'failure';

export interface Finding {
  check: string;
  verdict: Verdict;
  message: string;
  remedy?: string;
}

const SYMBOLS: Record<Verdict, string> = { ok: 'ok     ', warning: 'WARNING', failure: 'FAILURE' };

/** What `doctor` has found so far. It goes on after a failure: the operator wants to see everything that is wrong, once. */
export class Findings {
  readonly list: Finding[] = [];
  /** That of the first failure. */
  exit: ExitCode = ExitCode.Ok;

  ok(check: string, message: string): void {
    this.list.push({ check, verdict: 'ok', message });
  }

  warn(check: string, message: string, remedy: string): void {
    this.list.push({ check, verdict: 'warning', message, remedy });
  }

  wrong(check: string, message: string, remedy: string, exit: ExitCode = ExitCode.Config): void {
    if (this.exit === ExitCode.Ok) this.exit = exit;
    this.list.push({ check, verdict: 'failure', message, remedy });
  }

  /** A failure is a finding; only a defect is thrown. */
  fail(check: string, error: unknown): void {
    if (!(error instanceof AppError) || error.kind === 'bug') throw error;
    const faults = error.faults.length > 0 ? `: ${error.faults.join('; ')}` : '';
    this.wrong(check, `${error.message}${faults}`, error.hint ?? 'Look at the log.', error.exit);
  }

  async attempt<T>(check: string, work: () => Promise<{ value: T; message: string }>): Promise<T | undefined> {
    try {
      const { value, message } = await work();
      this.ok(check, message);
      return value;
    } catch (error) {
      this.fail(check, error);
      return undefined;
    }
  }
}

export function findingLine({ check, verdict, message, remedy }: Finding): string {
  return `${SYMBOLS[verdict]} ${check}: ${message}${remedy === undefined ? '' : `\n          → ${remedy}`}`;
}
