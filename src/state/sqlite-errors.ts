import { AppError, configError, ExitCode } from '../base/errors.ts';

/** How long a statement waits for another process's transaction; ours last milliseconds, a backup or a person's shell longer. */
export const BUSY_TIMEOUT_MS = 10_000;

/** What an error message may need to know of the database. */
export interface SqliteFile {
  path: string;
  readOnly: boolean;
}

/** The file or its folder may not be written (78). */
export function notWritable(path: string): AppError {
  return configError(
    'DATABASE_NOT_WRITABLE',
    `the database ${path} cannot be written`,
    'Give the account that cron runs under the right to write the file and its folder.',
  );
}

/** Not a database, or a broken one (78). */
export function damaged(path: string): AppError {
  return configError(
    'DATABASE_DAMAGED',
    `${path} is damaged or is not a SQLite database`,
    'Check DATABASE_URL; if it is right, keep a copy of the file and put the last backup in its place.',
  );
}

/** The system refuses even to look at it (78); `reason` is an errno name such as EACCES, where there is one. */
export function unreadable(path: string, reason?: string): AppError {
  return configError(
    'DATABASE_UNREADABLE',
    `the database ${path} cannot be opened${reason === undefined ? '' : ` (${reason})`}`,
    'Check that the account that cron runs under may read and write the file and its folder.',
  );
}

function busy(path: string): AppError {
  return new AppError({
    code: 'DATABASE_BUSY',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `another program kept the database ${path} locked for more than ${BUSY_TIMEOUT_MS / 1000} seconds`,
    hint: 'Close shells and tools that have an open transaction in it; the next pass tries again.',
  });
}

function diskFull(path: string): AppError {
  return new AppError({
    code: 'DATABASE_DISK_FULL',
    kind: 'operator',
    exit: ExitCode.Unavailable,
    message: `the disk under the database ${path} is full`,
    hint: 'Free some space; the next pass goes on where this one ended.',
  });
}

function diskError(path: string): AppError {
  return new AppError({
    code: 'DATABASE_IO',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `the disk under the database ${path} reported an error`,
    hint: "Look at the host's disk and its quota; the next pass tries again.",
  });
}

/** Only a defect of ours writes to a database opened for reading. */
function wroteToReadOnly(): AppError {
  return new AppError({
    code: 'DATABASE_READ_ONLY',
    kind: 'bug',
    exit: ExitCode.Defect,
    message: 'a write was tried on a database opened for reading only',
  });
}

const FAULTS: Record<string, (file: SqliteFile) => AppError> = {
  SQLITE_NOTADB: (file) => damaged(file.path),
  SQLITE_CORRUPT: (file) => damaged(file.path),
  SQLITE_READONLY: (file) => (file.readOnly ? wroteToReadOnly() : notWritable(file.path)),
  SQLITE_PERM: (file) => notWritable(file.path),
  SQLITE_CANTOPEN: (file) => unreadable(file.path),
  SQLITE_BUSY: (file) => busy(file.path),
  SQLITE_FULL: (file) => diskFull(file.path),
  SQLITE_IOERR: (file) => diskError(file.path),
};

/** SQLite's error as ours where an operator can act on it (extended codes such as SQLITE_BUSY_SNAPSHOT included); else as it was. */
export function translateSqliteError(error: unknown, file: SqliteFile): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  const primary = /^SQLITE_[A-Z]+/.exec(error.code)?.[0] ?? '';
  const fault = FAULTS[primary];
  return fault === undefined ? error : fault(file);
}

/** Whether another connection holds what we wanted. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY');
}
