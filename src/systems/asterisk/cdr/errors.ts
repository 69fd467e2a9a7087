import { ExitCode } from '../../../base/errors.ts';
import { RemoteError } from '../../../base/remote-error.ts';

/** Everything here is only read, so that nothing is ever in doubt. */
const common = { system: 'pbx', route: 'cdr', outcome: 'refused' } as const;

/** The address of the call records is not one that can be used (78). It is not repeated: it may hold a password. */
export function badAddress(why: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_URL_INVALID',
    kind: 'operator',
    exit: ExitCode.Config,
    message: `the address of the PBX's call records ${why}`,
    hint: 'Set CDR_URL (or the variable that cdr.url_env names) to postgres://…, mysql://…, sqlite:PATH or csv:PATH; special characters in the password are to be percent-encoded.',
  });
}

/** No such file, database or table (78). `what` holds no user name or password. */
export function missing(what: string, hint: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_MISSING',
    kind: 'operator',
    exit: ExitCode.Config,
    message: `the PBX's call records are not there: ${what}`,
    hint,
  });
}

/** The records lack columns that a call cannot be read without, or have another layout than expected (78). */
export function unfitColumns(why: string, hint: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_COLUMNS',
    kind: 'operator',
    exit: ExitCode.Config,
    message: `the PBX's call records cannot be read: ${why}`,
    hint,
  });
}

/** Not a database, or a broken one (78). */
export function damaged(path: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_DAMAGED',
    kind: 'operator',
    exit: ExitCode.Config,
    message: `${path} is damaged or is not a SQLite database`,
    hint: 'Check the address of the call records; a database that a running PBX writes must not be copied file by file.',
  });
}

/** The user, his password or his rights were refused (77). */
export function refused(where: string, reason: string, hint: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_REFUSED',
    kind: 'operator',
    exit: ExitCode.CredentialsRefused,
    message: `${where} refused to show the PBX's call records (${reason})`,
    hint,
  });
}

/** No connection, no answer in time, or a lock held by another program (69). `reason` is a code, never a driver's text. */
export function unreachable(where: string, reason: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_UNREACHABLE',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `the PBX's call records at ${where} cannot be read now (${reason})`,
    hint: 'Check that the server runs and takes connections from this host; the next pass reads again what this one could not.',
    outcome: 'not-sent',
  });
}

/** No encrypted connection that the address asks for (78). */
export function noTls(where: string, reason: string): RemoteError {
  return new RemoteError({
    ...common,
    code: 'CDR_TLS',
    kind: 'operator',
    exit: ExitCode.Config,
    message: `no trusted TLS connection to ${where} could be made (${reason})`,
    hint: 'Check sslmode in the address of the call records.',
  });
}

/** A driver's or the system's code, e.g. `ECONNREFUSED` or `42P01`; '' where the error has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** TLS faults of Node.js, whichever driver they come through. */
const tlsCode = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_(TLS|SSL)|^EPROTO$|SSL/;

/** What is left when a driver's own codes have been looked at: the network, TLS, or something that may pass. A defect stays one. */
export function otherFault(where: string, error: unknown): unknown {
  if (error instanceof RemoteError || [TypeError, RangeError].some((defect) => error instanceof defect)) return error;
  const code = codeOf(error);
  return tlsCode.test(code)
    ? noTls(where, code)
    : unreachable(where, code || 'the connection was lost, or no answer came in time');
}
