import { AppError, configError, ExitCode } from '../base/errors.ts';

/** What an error message may need to know of the database; `where` holds no user name or password. */
export interface PostgresPlace {
  where: string;
  readOnly: boolean;
}

function unreachable({ where }: PostgresPlace): AppError {
  return new AppError({
    code: 'DATABASE_UNREACHABLE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `the database ${where} cannot be reached or closed the connection`,
    hint: 'Check that the server runs and takes connections from this host; the next pass tries again.',
  });
}

function tooMany({ where }: PostgresPlace): AppError {
  return new AppError({
    code: 'DATABASE_UNREACHABLE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `the database ${where} has no free connection left`,
    hint: 'Raise max_connections, or let fewer programs connect; the next pass tries again.',
  });
}

function refused({ where }: PostgresPlace): AppError {
  return new AppError({
    code: 'DATABASE_REFUSED',
    kind: 'operator',
    exit: ExitCode.CredentialsRefused,
    message: `the database ${where} refused the user name or the password`,
    hint: 'Correct both in DATABASE_URL; special characters in the password are to be percent-encoded.',
  });
}

function unknownDatabase({ where }: PostgresPlace): AppError {
  return configError(
    'DATABASE_MISSING',
    `the server has no database ${where}`,
    'Make it (createdb), run `sdelka migrate`, or correct DATABASE_URL.',
  );
}

function forbidden({ where }: PostgresPlace): AppError {
  return configError(
    'DATABASE_FORBIDDEN',
    `the user of the database ${where} lacks a right that is needed`,
    'Give it the right to make and to write tables in its schema.',
  );
}

function tls({ where }: PostgresPlace): AppError {
  return configError(
    'DATABASE_TLS',
    `no trusted TLS connection to the database ${where} could be made`,
    'Check sslmode and sslrootcert in DATABASE_URL.',
  );
}

function busy({ where }: PostgresPlace): AppError {
  return new AppError({
    code: 'DATABASE_BUSY',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `transactions at the database ${where} stood in each other's way`,
    hint: 'Nothing is to be done; the next pass tries again.',
  });
}

function diskFull({ where }: PostgresPlace): AppError {
  return new AppError({
    code: 'DATABASE_DISK_FULL',
    kind: 'operator',
    exit: ExitCode.Unavailable,
    message: `the disk under the database ${where} is full`,
    hint: 'Free some space; the next pass goes on where this one ended.',
  });
}

function readOnlyServer({ where, readOnly }: PostgresPlace): AppError {
  if (readOnly) {
    return new AppError({
      code: 'DATABASE_READ_ONLY',
      kind: 'bug',
      exit: ExitCode.Defect,
      message: 'a write was tried on a database opened for reading only',
    });
  }
  return new AppError({
    code: 'DATABASE_NOT_WRITABLE',
    kind: 'operator',
    exit: ExitCode.Unavailable,
    message: `the database ${where} takes no writes at present`,
    hint: 'DATABASE_URL probably points at a standby; point it at the primary server.',
  });
}

type Fault = (place: PostgresPlace) => AppError;

// SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
const BY_STATE: Record<string, Fault> = {
  '28P01': refused,
  '28000': refused,
  '3D000': unknownDatabase,
  '42501': forbidden,
  '53100': diskFull,
  '53300': tooMany,
  '57P01': unreachable,
  '57P02': unreachable,
  '57P03': unreachable,
  '57P05': unreachable,
  '25P03': unreachable,
  '25006': readOnlyServer,
  '40001': busy,
  '40P01': busy,
  '55P03': busy,
};

const TLS_CODE = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_(TLS|SSL)|^EPROTO$/;
const NETWORK_CODE = /^(E(CONN|HOST|NET|AI_|ADDR)|ENOTFOUND|ENOENT|EACCES|ETIMEDOUT|EPIPE|EINVAL)/;

/** pg's own errors carry no code; these are all it has in the versions that we lock. */
const BY_MESSAGE: readonly [RegExp, Fault][] = [
  [/^(timeout e|Connection terminated|Client has encountered|Client was closed|Query read timeout)/, unreachable],
  [/^SASL: .*password/, refused],
  [/does not support SSL|establishing an SSL connection/, tls],
];

function faultOf(code: string, message: string): Fault | undefined {
  const byState = BY_STATE[code];
  if (byState !== undefined) return byState;
  if (/^08[0-9A-Z]{3}$/.test(code)) return unreachable;
  if (TLS_CODE.test(code)) return tls;
  if (NETWORK_CODE.test(code)) return unreachable;
  return BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1];
}

// A server's error repeats values of the row in these fields; an unforeseen one is logged whole.
const FIELDS_WITH_VALUES = ['detail', 'where', 'internalQuery'];

function withoutValues(error: Error): Error {
  for (const field of FIELDS_WITH_VALUES) Reflect.deleteProperty(error, field);
  return error;
}

/** PostgreSQL's or the network's error as ours where an operator can act on it; else as it was, without values of rows. */
export function translatePostgresError(error: unknown, place: PostgresPlace): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const fault = faultOf(code, error.message);
  return fault === undefined ? withoutValues(error) : fault(place);
}

/** Whether the connection, and not the statement, is at fault: such a one must not go back to the pool. */
export function isConnectionFault(error: unknown): boolean {
  return error instanceof AppError && error.code === 'DATABASE_UNREACHABLE';
}
