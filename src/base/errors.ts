/** The exit codes of the operator's contract. Nothing else may end the process. */
export const ExitCode = {
  Ok: 0,
  SomeFailed: 1,
  Usage: 64,
  Unavailable: 69,
  Defect: 70,
  LockWait: 75,
  CredentialsRefused: 77,
  Config: 78,
  Interrupted: 130,
  Terminated: 143,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Who can mend it: a person (`operator`), the next tick (`transient`), or us (`bug`). */
export type ErrorKind = 'operator' | 'transient' | 'bug';

export interface AppErrorInit {
  /** Stable, upper case; callers tell errors apart by it, never by text. */
  code: string;
  kind: ErrorKind;
  exit: ExitCode;
  message: string;
  /** What the operator should do; one sentence. */
  hint?: string;
  /** Every fault where there are several: wrong settings, mapping faults. */
  faults?: readonly string[];
}

/** The only error that may reach the command line; whatever else does is a defect (exit 70). Holds no secrets. */
export class AppError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly exit: ExitCode;
  readonly hint: string | undefined;
  readonly faults: readonly string[];

  constructor(init: AppErrorInit) {
    super(init.message);
    this.name = 'AppError';
    this.code = init.code;
    this.kind = init.kind;
    this.exit = init.exit;
    this.hint = init.hint;
    this.faults = init.faults ?? [];
  }
}

/** A settings, mapping or schema fault: exit 78. */
export function configError(code: string, message: string, hint?: string, faults?: readonly string[]): AppError {
  return new AppError({
    code,
    kind: 'operator',
    exit: ExitCode.Config,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(faults === undefined ? {} : { faults }),
  });
}

/** Wrong usage on the command line: exit 64. */
export function usageError(message: string, hint?: string): AppError {
  return new AppError({
    code: 'USAGE',
    kind: 'operator',
    exit: ExitCode.Usage,
    message,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Guards what cannot happen, in production too. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) {
    throw new AppError({ code: 'DEFECT', kind: 'bug', exit: ExitCode.Defect, message });
  }
}
